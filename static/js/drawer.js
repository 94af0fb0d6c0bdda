// <details data-drawer>: a column where there is room, a closed drawer where there is not.
const narrow = window.matchMedia("(width < 56rem)");

function fit() {
  for (const drawer of document.querySelectorAll("details[data-drawer]")) drawer.open = !narrow.matches;
}

// Paper has no drawers.
window.addEventListener("beforeprint", () => {
  for (const drawer of document.querySelectorAll("details[data-drawer]")) drawer.open = true;
});
window.addEventListener("afterprint", fit);
narrow.addEventListener("change", fit);
fit();
