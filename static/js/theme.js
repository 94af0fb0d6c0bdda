// Theme: system, light or dark. [data-theme-set="…"] buttons set it; every tab follows.
const root = document.documentElement;

function stored() {
  try {
    return localStorage.getItem("theme") ?? "system";
  } catch {
    return root.dataset.theme ?? "system";
  }
}

function show(theme) {
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  else delete root.dataset.theme;
  for (const button of document.querySelectorAll("[data-theme-set]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeSet === theme));
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-theme-set]");
  if (!button) return;
  const theme = button.dataset.themeSet;
  try {
    if (theme === "system") localStorage.removeItem("theme");
    else localStorage.setItem("theme", theme);
  } catch {
    // Not kept, but shown.
  }
  show(theme);
});

window.addEventListener("storage", (event) => {
  if (event.key === "theme") show(event.newValue ?? "system");
});

show(stored());
