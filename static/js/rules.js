// Rows with data-place can be dragged to another place: the drop sends the row's own move form,
// the one that its buttons use, so that the server decides and answers with the list as it is.
let dragged = null;

const rowAt = (event) => event.target.closest?.("tr[data-place]");

function clear() {
  for (const row of document.querySelectorAll("tr[data-place]")) {
    row.classList.remove("is-before", "is-after", "is-dragged");
  }
}

document.addEventListener("pointerdown", (event) => {
  const row = event.target.closest?.(".rules-grip")?.closest("tr[data-place]");
  if (row) row.draggable = true;
});

document.addEventListener("pointerup", () => {
  for (const row of document.querySelectorAll("tr[data-place][draggable]")) row.draggable = false;
});

document.addEventListener("dragstart", (event) => {
  dragged = rowAt(event);
  if (!dragged) return;
  dragged.classList.add("is-dragged");
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged.dataset.place);
});

document.addEventListener("dragover", (event) => {
  const row = rowAt(event);
  if (!dragged || !row || row === dragged) return;
  event.preventDefault();
  clear();
  dragged.classList.add("is-dragged");
  const down = Number(row.dataset.place) > Number(dragged.dataset.place);
  row.classList.add(down ? "is-after" : "is-before");
});

document.addEventListener("drop", (event) => {
  const row = rowAt(event);
  if (!dragged || !row || row === dragged) return;
  event.preventDefault();
  const form = dragged.querySelector("form[data-move]");
  form.querySelector("input[name=to]").value = row.dataset.place;
  form.requestSubmit();
});

document.addEventListener("dragend", () => {
  clear();
  if (dragged) dragged.draggable = false;
  dragged = null;
});
