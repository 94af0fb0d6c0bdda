// A part that refetches itself must not eat what someone is typing. Edited fields inside it, and
// the place of the cursor, outlive the swap.
const FIELDS = "input[name], textarea[name], select[name]";
const pending = new WeakMap();

const place = (field) => `${field.form?.getAttribute("action") ?? ""}|${field.name}|${field.type === "radio" ? field.value : ""}`;

function edited(field) {
  if (field.type === "hidden" || field.type === "password") return false;
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.tagName === "SELECT") return [...field.options].some((option) => option.selected !== option.defaultSelected);
  return field.value !== field.defaultValue;
}

document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, requestConfig } = event.detail;
  // The answer to a form that was sent is new on purpose.
  if (!target || requestConfig?.verb !== "get") return;
  const kept = new Map();
  let focus = null;
  for (const field of target.querySelectorAll(FIELDS)) {
    if (edited(field)) kept.set(place(field), { value: field.value, checked: field.checked });
    if (field === document.activeElement) {
      focus = { place: place(field), start: field.selectionStart, end: field.selectionEnd };
    }
  }
  if (kept.size || focus) pending.set(target, { kept, focus });
});

document.addEventListener("htmx:afterSwap", (event) => {
  const { target } = event.detail;
  const saved = pending.get(target);
  if (!saved) return;
  pending.delete(target);
  for (const field of target.querySelectorAll(FIELDS)) {
    const old = saved.kept.get(place(field));
    if (old) {
      if (field.type === "checkbox" || field.type === "radio") field.checked = old.checked;
      else field.value = old.value;
    }
    if (saved.focus?.place === place(field)) {
      field.focus({ preventScroll: true });
      if (saved.focus.start !== null && field.setSelectionRange) {
        try {
          field.setSelectionRange(saved.focus.start, saved.focus.end);
        } catch {
          // Not every type of field has a cursor.
        }
      }
    }
  }
});
