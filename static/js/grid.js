// [data-grid-source="id"]: draws the visible rows of a large result from its JSON block. The first
// rows came from the server, so the table is readable before and without this script.
const SPARE = 12;
const ON_PAPER = 500;

function cell(head, value) {
  const td = document.createElement("td");
  if (head.number) td.className = "number";
  if (head.mask) td.classList.add("is-masked");
  if (value === null) {
    const nothing = document.createElement("span");
    nothing.className = "grid-null";
    nothing.textContent = "null";
    td.append(nothing);
  } else if (head.mask) {
    const mark = document.createElement("span");
    mark.className = "grid-mask";
    mark.title = `Masked: ${head.mask}`;
    mark.textContent = value;
    td.append(mark);
  } else {
    td.textContent = value;
  }
  return td;
}

function gap(columns, height) {
  const tr = document.createElement("tr");
  const td = document.createElement("td");
  td.className = "grid-gap";
  td.colSpan = columns;
  td.style.height = `${height}px`;
  tr.ariaHidden = "true";
  tr.append(td);
  return tr;
}

function start(grid) {
  const source = document.getElementById(grid.dataset.gridSource);
  if (!source || "gridReady" in grid.dataset) return;
  grid.dataset.gridReady = "";
  const { heads, rows } = JSON.parse(source.textContent);
  const box = grid.querySelector("[data-grid-box]");
  const body = grid.querySelector("[data-grid-body]");
  const said = grid.querySelector("[data-grid-said]");
  let height = 0;
  let first = -1;

  // Measured when it is first seen: inside a closed drawer or a step to come nothing has a size.
  function measure() {
    height = body.rows[0].getBoundingClientRect().height;
    // Widths as the first rows have them, so that columns stand still while rows pass.
    for (const th of grid.querySelectorAll("thead th")) th.style.minWidth = `${th.offsetWidth}px`;
  }

  function show(from, to, { gaps = true } = {}) {
    const part = document.createDocumentFragment();
    if (gaps) part.append(gap(heads.length + 1, from * height));
    for (let i = from; i < to; i += 1) {
      const tr = document.createElement("tr");
      tr.ariaRowIndex = String(i + 2);
      const index = document.createElement("td");
      index.className = "grid-index";
      index.textContent = i + 1;
      tr.append(index, ...heads.map((head, at) => cell(head, rows[i][at] ?? null)));
      part.append(tr);
    }
    if (gaps) part.append(gap(heads.length + 1, (rows.length - to) * height));
    body.replaceChildren(part);
  }

  function draw() {
    if (!box.clientHeight) return;
    if (!height) measure();
    const from = Math.max(0, Math.floor(box.scrollTop / height) - SPARE);
    if (from === first) return;
    first = from;
    show(from, Math.min(rows.length, from + Math.ceil(box.clientHeight / height) + 2 * SPARE));
  }

  window.addEventListener("beforeprint", () => show(0, Math.min(rows.length, ON_PAPER), { gaps: false }));
  window.addEventListener("afterprint", () => {
    first = -1;
    draw();
  });

  if (said) said.textContent = said.textContent.replace(/^[\d,]+/, rows.length.toLocaleString("en"));
  let waiting = false;
  box.addEventListener(
    "scroll",
    () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        draw();
      });
    },
    { passive: true },
  );
  // Fires at once, and again when the box is opened or the window changes.
  new ResizeObserver(() => {
    first = -1;
    draw();
  }).observe(box);
}

function scan(scope) {
  for (const grid of scope.querySelectorAll("[data-grid-source]")) start(grid);
}

document.addEventListener("htmx:load", (event) => scan(event.detail.elt.parentElement ?? document));
scan(document);
