// A button that cannot be taken back asks first. On a submit button or link:
//   data-confirm="Revoke grant for agent etl-bot?"     the title: the verb and its object
//   data-confirm-text="Statements waiting under it are asked again."   what will happen
//   data-confirm-yes="Revoke grant"                    the verb on the button
//   data-confirm-name="etl-bot"                        must be typed, only where there is no way back
// Without scripts the form is simply sent; the server asks nothing that it must not know.
const dialog = document.getElementById("confirm");
const agreed = new WeakSet();
let asking = null;

const title = dialog?.querySelector("#confirm-title");
const text = dialog?.querySelector("#confirm-text");
const yes = dialog?.querySelector("[data-confirm-go]");
const nameField = dialog?.querySelector("[data-confirm-name-field]");
const nameInput = dialog?.querySelector("#confirm-name");

function matches() {
  const wanted = asking?.dataset.confirmName;
  return !wanted || nameInput.value.trim() === wanted;
}

function ask(button) {
  asking = button;
  const { confirm, confirmText, confirmYes, confirmName } = button.dataset;
  title.textContent = confirm;
  text.textContent = confirmText ?? "";
  text.hidden = !confirmText;
  yes.textContent = confirmYes ?? button.textContent.trim();
  nameField.hidden = !confirmName;
  nameInput.value = "";
  dialog.querySelector("[data-confirm-name-shown]").textContent = confirmName ?? "";
  yes.disabled = !matches();
  dialog.returnValue = "";
  dialog.showModal();
  if (confirmName) nameInput.focus();
}

// Capturing on window: before htmx and before the form, whichever listens.
window.addEventListener(
  "click",
  (event) => {
    const button = event.target.closest?.("[data-confirm]");
    if (!button || !dialog) return;
    if (agreed.delete(button)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    ask(button);
  },
  { capture: true },
);

nameInput?.addEventListener("input", () => {
  yes.disabled = !matches();
});

dialog?.addEventListener("close", () => {
  const button = asking;
  asking = null;
  if (!button || dialog.returnValue !== "yes") return;
  agreed.add(button);
  button.click();
});

// Enter in the name field must not press "Cancel", the first button of the form.
nameInput?.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  if (!yes.disabled) dialog.close("yes");
});
