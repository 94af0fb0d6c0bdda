// Toasts. Any "toast" event with {text, level} shows one: from scripts, or from the server by the
// HX-Trigger header (hoopweb.lib.htmx.say). Level "quiet" is only read aloud.
const STAY_MS = 6000;
const region = document.querySelector("[data-toasts]");

function show(text, level = "info") {
  if (!region) return;
  if (level === "quiet") return whisper(text);
  const template =
    document.querySelector(`[data-toast-template="${CSS.escape(level)}"]`) ??
    document.querySelector('[data-toast-template="info"]');
  const toast = template.content.firstElementChild.cloneNode(true);
  toast.querySelector(".toast-text").textContent = text;
  region.append(toast);
  wait(toast);
}

function whisper(text) {
  const line = document.createElement("p");
  line.className = "unseen";
  line.textContent = text;
  region.append(line);
  setTimeout(() => line.remove(), 1000);
}

// Errors stay until dismissed; the rest leaves, but not from under a pointer or the focus.
function wait(toast) {
  if (toast.getAttribute("role") === "alert") return;
  const leave = () => {
    if (toast.matches(":hover, :focus-within")) setTimeout(leave, STAY_MS / 3);
    else toast.remove();
  };
  setTimeout(leave, STAY_MS);
}

document.addEventListener("click", (event) => {
  event.target.closest("[data-toast-close]")?.closest("[data-toast]")?.remove();
});

document.addEventListener("toast", (event) => {
  const { text, level, value } = event.detail ?? {};
  show(text ?? value ?? "", level);
});

document.addEventListener("htmx:responseError", (event) => {
  const { status } = event.detail.xhr;
  const reference = event.detail.xhr.getResponseHeader("X-Request-ID");
  const cause = {
    403: "You may not do this. Ask an admin of the connection.",
    404: "This is gone, or not yours to see. Reload the page.",
    409: "Someone else was faster. Reload the page to see how it stands.",
    503: "The recorder is not available, so nothing was changed. Try again in a few seconds.",
  }[status];
  const text = cause ?? `The server failed (${status}). Nothing more was changed. Try again.`;
  show(reference ? `${text} Reference ${reference}.` : text, "error");
});

document.addEventListener("htmx:sendError", () => {
  show("The server cannot be reached. Nothing was sent. Try again when you are back online.", "error");
});

for (const toast of region?.querySelectorAll("[data-toast]") ?? []) wait(toast);
