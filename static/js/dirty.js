// form[data-dirty]: leaving an edited form asks first. Sending it does not count as leaving.
const before = new WeakMap();

const state = (form) => {
  const data = new FormData(form);
  data.delete("csrfmiddlewaretoken");
  return JSON.stringify([...data].map(([name, value]) => [name, value.name ?? value]));
};

function watch(scope) {
  for (const form of scope.querySelectorAll("form[data-dirty]")) {
    if (!before.has(form)) before.set(form, state(form));
  }
  // What was refused is first in line: the summary takes the focus.
  scope.querySelector("[data-form-errors]")?.focus();
}

document.addEventListener("submit", (event) => {
  if (event.target.matches("form[data-dirty]")) before.delete(event.target);
});

window.addEventListener("beforeunload", (event) => {
  for (const form of document.querySelectorAll("form[data-dirty]")) {
    if (before.has(form) && before.get(form) !== state(form)) return event.preventDefault();
  }
});

document.addEventListener("htmx:load", (event) => watch(event.detail.elt.parentElement ?? document));
watch(document);
