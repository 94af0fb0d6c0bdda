// <time data-when>: relative words kept fresh, and the exact moment in the viewer's zone on hover
// and focus. The words are those of hoopweb/templatetags/words.py.
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;
const WEEK = 604800;
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export function relative(moment, now = new Date()) {
  const passed = (now - moment) / 1000;
  const past = passed >= 0;
  const seconds = Math.abs(passed);
  let span;
  if (seconds < MINUTE * 0.75) return past ? "just now" : "in a moment";
  if (seconds < HOUR) span = `${Math.max(1, Math.round(seconds / MINUTE))} min`;
  else if (seconds < DAY) span = `${Math.floor(seconds / HOUR)} h`;
  else if (seconds < WEEK) {
    const days = Math.floor(seconds / DAY);
    span = days === 1 ? "1 day" : `${days} days`;
  } else {
    const day = `${moment.getDate()} ${months[moment.getMonth()]}`;
    return moment.getFullYear() === now.getFullYear() ? day : `${day} ${moment.getFullYear()}`;
  }
  return past ? `${span} ago` : `in ${span}`;
}

function fresh(scope) {
  const now = new Date();
  for (const time of scope.querySelectorAll("time[data-when]")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.valueOf())) continue;
    const prefix = time.dataset.prefix ? `${time.dataset.prefix} ` : "";
    const words = prefix + relative(moment, now);
    if (time.textContent !== words) time.textContent = words;
    if (time.hasAttribute("title")) {
      time.removeAttribute("title");
      time.dataset.exact = exact.format(moment);
      // Rows are stepped through by their link; a stop for each cell would be a maze.
      if (!time.closest("tr, a, button, summary")) time.tabIndex = 0;
    }
  }
}

const tip = document.createElement("div");
tip.className = "tip";
tip.id = "when-tip";
tip.role = "tooltip";
tip.hidden = true;
document.body.append(tip);

function open(time) {
  tip.textContent = time.dataset.exact;
  tip.hidden = false;
  time.setAttribute("aria-describedby", tip.id);
  const box = time.getBoundingClientRect();
  const left = Math.min(Math.max(8, box.left), window.innerWidth - tip.offsetWidth - 8);
  const above = box.top - tip.offsetHeight - 6;
  tip.style.left = `${left}px`;
  tip.style.top = `${above > 4 ? above : box.bottom + 6}px`;
}

function close() {
  tip.hidden = true;
}

for (const name of ["mouseover", "focusin"]) {
  document.addEventListener(name, (event) => {
    const time = event.target.closest?.("time[data-exact]");
    if (time) open(time);
    else close();
  });
}
document.addEventListener("focusout", close);
window.addEventListener("scroll", close, { passive: true, capture: true });

document.addEventListener("htmx:load", (event) => fresh(event.detail.elt.parentElement ?? document));
fresh(document);
setInterval(() => fresh(document), 20_000);
