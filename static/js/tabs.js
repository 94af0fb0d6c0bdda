// [data-tabs] with role=tab buttons and [data-pane] panels. Arrow keys move, as tabs do.
function choose(tab, focus = false) {
  const box = tab.closest("[data-tabs]");
  for (const other of box.querySelectorAll('[role="tab"]')) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    const pane = document.getElementById(other.getAttribute("aria-controls"));
    pane?.toggleAttribute("data-open", chosen);
  }
  if (focus) tab.focus();
}

document.addEventListener("click", (event) => {
  const tab = event.target.closest('[data-tabs] [role="tab"]');
  if (tab) choose(tab);
});

document.addEventListener("keydown", (event) => {
  const tab = event.target.closest?.('[data-tabs] [role="tab"]');
  if (!tab) return;
  const tabs = [...tab.closest('[role="tablist"]').querySelectorAll('[role="tab"]')];
  const at = tabs.indexOf(tab);
  const next = {
    ArrowRight: tabs[(at + 1) % tabs.length],
    ArrowLeft: tabs[(at - 1 + tabs.length) % tabs.length],
    Home: tabs[0],
    End: tabs.at(-1),
  }[event.key];
  if (!next) return;
  event.preventDefault();
  event.stopPropagation();
  choose(next, true);
});
