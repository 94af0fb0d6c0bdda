// The player of [data-replay]: one current step among [data-step]. Without it every step is shown.
// The address keeps the step as #step-N, so a moment of a recording can be sent to someone.
const START_MS = 700;
const READ_MS = 14;
const LONGEST_MS = 5000;

function player(root) {
  const bar = root.querySelector("[data-player]");
  const range = root.querySelector("[data-replay-range]");
  const play = root.querySelector("[data-replay-play]");
  const speed = root.querySelector("[data-replay-speed]");
  const at = root.querySelector("[data-replay-at]");
  const offset = root.querySelector("[data-replay-offset]");
  const said = root.querySelector("[data-replay-said]");
  let steps = [...root.querySelectorAll("[data-step]")];
  let now = 0;
  let timer = 0;
  if (!bar || !steps.length) return null;

  function go(index, { move = true, keep = true } = {}) {
    now = Math.min(steps.length - 1, Math.max(0, index));
    steps.forEach((step, i) => {
      step.toggleAttribute("data-ahead", i > now);
      if (i === now) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    });
    root.querySelectorAll("[data-scrub]").forEach((mark, i) => mark.toggleAttribute("data-passed", i <= now));
    const step = steps[now];
    const title = step.querySelector(".step-title")?.textContent ?? "";
    range.value = String(now + 1);
    range.setAttribute("aria-valuetext", `Step ${now + 1}, ${title}`);
    at.textContent = String(now + 1);
    offset.textContent = step.querySelector(".step-offset")?.textContent ?? "";
    said.textContent = `Step ${now + 1} of ${steps.length}: ${title}`;
    if (move) step.scrollIntoView({ block: "nearest" });
    if (keep) history.replaceState(history.state, "", `#${step.id}`);
  }

  // A step stays as long as it takes to read.
  function wait() {
    const text = steps[now].textContent.trim().length;
    return Math.min(LONGEST_MS, START_MS + text * READ_MS) / Number(speed.value);
  }

  function show(playing) {
    play.setAttribute("aria-label", playing ? "Pause" : "Play");
    play.querySelector("[data-when-paused]").hidden = playing;
    play.querySelector("[data-when-playing]").hidden = !playing;
    root.toggleAttribute("data-playing", playing);
  }

  function stop() {
    clearTimeout(timer);
    timer = 0;
    show(false);
  }

  function tick() {
    timer = setTimeout(() => {
      if (now >= steps.length - 1) return stop();
      go(now + 1);
      if (now >= steps.length - 1) stop();
      else tick();
    }, wait());
  }

  function start() {
    if (now >= steps.length - 1) go(0);
    show(true);
    tick();
  }

  const toggle = () => (timer ? stop() : start());
  const moves = { first: () => 0, back: () => now - 1, on: () => now + 1, last: () => steps.length - 1 };

  function take(move) {
    stop();
    go(moves[move]());
  }

  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-replay-go]");
    if (button) return take(button.dataset.replayGo);
    if (event.target.closest("[data-replay-play]")) return toggle();
    const link = event.target.closest(".step-offset");
    if (link) {
      event.preventDefault();
      stop();
      go(steps.indexOf(link.closest("[data-step]")));
    }
  });
  range.addEventListener("input", () => {
    stop();
    go(Number(range.value) - 1);
  });
  speed.addEventListener("change", () => {
    if (!timer) return;
    clearTimeout(timer);
    tick();
  });

  function fromAddress() {
    const index = steps.findIndex((step) => `#${step.id}` === location.hash);
    if (index >= 0) go(index, { keep: false });
    return index >= 0;
  }
  window.addEventListener("hashchange", fromAddress);
  document.addEventListener("visibilitychange", () => document.hidden && stop());

  // A live tail appends steps: the slider grows, and who stood at the end stays at the end.
  new MutationObserver(() => {
    const atEnd = now === steps.length - 1;
    steps = [...root.querySelectorAll("[data-step]")];
    range.max = String(steps.length);
    go(atEnd ? steps.length - 1 : now, { move: atEnd, keep: false });
  }).observe(root.querySelector(".timeline"), { childList: true });

  bar.hidden = false;
  // The thumb stands over its mark: half a mark of margin on each side.
  range.style.setProperty("--marks", String(steps.length));
  if (!fromAddress()) go(0, { move: false, keep: false });
  return { toggle, take };
}

const roots = [...document.querySelectorAll("[data-replay]")].map(player).filter(Boolean);
const [first] = roots;

document.addEventListener("keydown", (event) => {
  if (!first || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
  if (document.querySelector("dialog[open]")) return;
  // Arrows belong to whatever uses them itself.
  if (event.target.closest?.("input, textarea, select, [role=tab], [tabindex='0'], [contenteditable]")) return;
  const move = { ArrowLeft: "back", ArrowRight: "on", Home: "first", End: "last" }[event.key];
  if (move) first.take(move);
  else if (event.key === " " && !event.target.closest?.("button, a, summary")) first.toggle();
  else return;
  event.preventDefault();
});
