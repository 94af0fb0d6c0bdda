// Keeps the player of [data-replay] in step with a timeline that grows: one mark for each step, and
// the count. Loaded before replay.js, so that the marks are there when it moves.
function follow(root) {
  const timeline = root.querySelector(".timeline");
  const marks = root.querySelector(".scrub-marks");
  const range = root.querySelector("[data-replay-range]");
  const at = root.querySelector("[data-replay-at]");
  if (!timeline || !marks || !range) return;

  function draw() {
    const steps = [...timeline.querySelectorAll("[data-step]")];
    const seen = new Set();
    for (const step of steps) {
      // Two answers may bring the same step; the first one stays.
      if (seen.has(step.id)) step.remove();
      seen.add(step.id);
    }
    const kept = [...timeline.querySelectorAll("[data-step]")];
    for (let i = 0; i < kept.length; i += 1) {
      let mark = marks.children[i];
      if (!mark) {
        mark = document.createElement("li");
        const tone = [...kept[i].classList].find((name) => name.startsWith("is-")) ?? "is-neutral";
        mark.className = `scrub-mark ${tone}`;
        mark.dataset.scrub = String(i + 1);
        const offset = kept[i].querySelector(".step-offset")?.textContent ?? "";
        mark.title = `${offset} ${kept[i].querySelector(".step-title")?.textContent ?? ""}`;
        marks.append(mark);
      }
      mark.classList.toggle("scrub-gap", Boolean(kept[i].querySelector(".step-gap")));
    }
    range.style.setProperty("--marks", String(kept.length));
    if (at?.nextSibling) at.nextSibling.textContent = ` of ${kept.length}`;
  }

  draw();
  new MutationObserver(draw).observe(timeline, { childList: true });
}

for (const root of document.querySelectorAll("[data-replay]")) follow(root);
