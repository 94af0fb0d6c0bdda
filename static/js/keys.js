// Keys of the console. Never while something is being typed, never with Ctrl, Alt or Meta.
//   /  search      j k  rows      Enter  opens      a r  approve, reject      ?  this list
const typing = (target) =>
  target.isContentEditable || target.matches?.("input:not([type=checkbox], [type=radio], [type=range]), textarea, select");

const rows = () => [...document.querySelectorAll("[data-row]")].filter((row) => row.offsetParent);

function step(by) {
  const all = rows();
  if (!all.length) return false;
  const at = all.findIndex((row) => row.hasAttribute("data-row-current"));
  const next = all[Math.min(all.length - 1, Math.max(0, at + by))];
  for (const row of all) row.toggleAttribute("data-row-current", row === next);
  next.querySelector("a[data-row-link]")?.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  return true;
}

const actions = {
  "/": () => focus("[data-search]"),
  j: () => step(1),
  k: () => step(-1),
  a: () => focus('[data-key="a"]'),
  r: () => focus('[data-key="r"]'),
  "?": () => {
    document.getElementById("keys")?.showModal();
    return true;
  },
};

function focus(selector) {
  const element = document.querySelector(selector);
  if (!element) return false;
  element.focus();
  element.select?.();
  element.scrollIntoView({ block: "nearest" });
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
  if (event.key === "Escape" && event.target.matches?.("[data-search]")) return event.target.blur();
  if (typing(event.target) || document.querySelector("dialog[open]")) return;
  if (Object.hasOwn(actions, event.key) && actions[event.key]()) event.preventDefault();
});
