// [data-sql-wrap] turns the wrapping of long lines on and off, for every statement, and remembers.
const KEY = "sql-wrap";

function show(wrapped) {
  for (const box of document.querySelectorAll("[data-sql]")) {
    box.classList.toggle("is-unwrapped", !wrapped);
    box.querySelector("[data-sql-wrap]")?.setAttribute("aria-pressed", String(wrapped));
  }
}

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-sql-wrap]");
  if (!button) return;
  const wrapped = button.getAttribute("aria-pressed") !== "true";
  show(wrapped);
  try {
    localStorage.setItem(KEY, wrapped ? "on" : "off");
  } catch {
    // Not kept, but done.
  }
});

function apply() {
  const value = stored();
  if (value) show(value === "on");
}

document.addEventListener("htmx:load", apply);
apply();
