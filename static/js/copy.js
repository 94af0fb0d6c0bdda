// [data-copy-text="…"] copies that text; [data-copy="#id"] copies the text of that element.
const SHOWN_MS = 1600;

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy-text], [data-copy]");
  if (!button) return;
  event.preventDefault();
  const text = button.dataset.copyText ?? document.querySelector(button.dataset.copy)?.textContent;
  if (text === undefined) return;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (!copyBySelection(text)) return say("Copying is not allowed here. Select the text instead.", "warning");
  }
  button.dataset.copied = "";
  say("Copied", "quiet");
  setTimeout(() => delete button.dataset.copied, SHOWN_MS);
});

// Without https there is no clipboard API; a selection still works.
function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

function say(text, level) {
  document.dispatchEvent(new CustomEvent("toast", { detail: { text, level } }));
}
