// tr[data-row]: the whole row opens its a[data-row-link]; links, buttons and selected text stay
// what they are. Middle click and Ctrl/Cmd click open a new tab, as on any link.
const OWN = "a, button, input, select, textarea, label, summary, [data-no-row]";

function follow(event) {
  const row = event.target.closest?.("[data-row]");
  if (!row || event.target.closest(OWN)) return;
  if (event.type === "auxclick" && event.button !== 1) return;
  if (!getSelection().isCollapsed) return;
  const link = row.querySelector("a[data-row-link]");
  if (!link) return;
  if (event.type === "auxclick" || event.metaKey || event.ctrlKey) window.open(link.href, "_blank", "noopener");
  else link.click();
}

document.addEventListener("click", follow);
document.addEventListener("auxclick", follow);
