// One websocket for the page. Messages say only "row N changed"; parts refetch themselves:
//   hx-trigger="live:approval.changed from:body"        any approval
//   hx-trigger="live:approval.changed.<id> from:body"   this one
//   hx-trigger="live:resync from:body"                  after a gap, whatever was missed
// [data-live-count="approvals"] shows a count; [data-live-state] shows live, connecting or offline;
//   hx-trigger="live:resync from:body"                  also when what one may see has changed
// [data-live-bar] is the quiet bar, [data-live-out] the one that says "signed out"; [data-live-needed] buttons wait while there is no connection.
const LONGEST_WAIT_MS = 20_000;
const BAR_AFTER_MS = 3_000;
const LABELS = { live: "Live", connecting: "Connecting", offline: "Not live", out: "Signed out" };
// The server's word that this browser is no longer signed in (approvals.consumers).
const NOT_SIGNED_IN = 4401;

const body = document.body;
const address = body.dataset.live;
let socket = null;
let tries = 0;
let timer = 0;
let barTimer = 0;
let wasLive = false;
let refusals = 0;

function tell(name, detail = {}) {
  body.dispatchEvent(new CustomEvent(`live:${name}`, { detail, bubbles: false }));
}

function setState(state) {
  for (const element of document.querySelectorAll("[data-live-state]")) {
    element.dataset.liveState = state;
    const label = element.querySelector("[data-live-label]");
    if (label && label.textContent !== LABELS[state]) label.textContent = LABELS[state];
  }
  body.dataset.connection = state;
  clearTimeout(barTimer);
  if (state === "live") setBar(false);
  // A blink is not worth a bar.
  else if (state !== "out") barTimer = setTimeout(() => setBar(true), state === "offline" ? 0 : BAR_AFTER_MS);
}

function setBar(shown) {
  for (const bar of document.querySelectorAll("[data-live-bar]")) bar.hidden = !shown;
  for (const button of document.querySelectorAll("[data-live-needed]")) {
    if (shown && !button.disabled) {
      button.disabled = true;
      button.dataset.liveWaits = "";
    } else if (!shown && "liveWaits" in button.dataset) {
      button.disabled = false;
      delete button.dataset.liveWaits;
    }
  }
}

function setCount(name, count) {
  for (const element of document.querySelectorAll(`[data-live-count="${CSS.escape(name)}"]`)) {
    element.textContent = count;
    element.hidden = !count;
  }
  const title = document.title.replace(/^\(\d+\) /, "");
  if (name === "approvals") document.title = count ? `(${count}) ${title}` : title;
}

function receive(message) {
  const { type, id, count } = message;
  if (typeof type !== "string") return;
  if (type.endsWith(".count")) setCount(type.slice(0, -".count".length), count);
  if (type === "access.changed") tell("resync");
  // Only a socket that may stay is told anything.
  refusals = 0;
  tell(type, message);
  if (id !== undefined) tell(`${type}.${id}`, message);
}

function connect() {
  clearTimeout(timer);
  if (!navigator.onLine) return setState("offline");
  setState("connecting");
  const url = new URL(address, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const mine = new WebSocket(url);
  socket = mine;
  mine.addEventListener("open", () => {
    tries = 0;
    setState("live");
    if (wasLive) tell("resync");
    wasLive = true;
  });
  mine.addEventListener("message", (event) => {
    try {
      receive(JSON.parse(event.data));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  });
  mine.addEventListener("close", ({ code }) => {
    if (socket !== mine) return;
    socket = null;
    // Once more: a changed password gives the browser a new session and ends the old one.
    if (code === NOT_SIGNED_IN && (refusals += 1) > 1) return signedOut();
    tries += 1;
    setState(navigator.onLine && tries < 4 ? "connecting" : "offline");
    // Spread out, so that a restarted server does not meet every console at once.
    const wait = Math.min(LONGEST_WAIT_MS, 500 * 2 ** Math.min(tries, 6));
    timer = setTimeout(connect, wait * (0.5 + Math.random() / 2));
  });
}

// There is nothing to reconnect to, and what the page shows is nobody's any more.
function signedOut() {
  setState("out");
  setBar(true);
  for (const bar of document.querySelectorAll("[data-live-bar]")) bar.hidden = true;
  for (const bar of document.querySelectorAll("[data-live-out]")) bar.hidden = false;
}

function reconnect() {
  if (socket || body.dataset.connection === "out") return;
  tries = 0;
  connect();
}

// The socket that is there may only look alive.
function renew() {
  socket?.close();
  socket = null;
  reconnect();
}

// A part that stands for the whole page refetches the page's address as it is now: filters that were
// set since it was drawn are in there, not in its hx-get.
const firstQuery = location.search;

document.addEventListener("htmx:configRequest", (event) => {
  const { triggeringEvent, path } = event.detail;
  if (!triggeringEvent?.type.startsWith("live:")) return;
  const asked = new URL(path, location.href);
  if (asked.pathname !== location.pathname || asked.search !== firstQuery) return;
  event.detail.path = location.pathname + location.search;
});

if (address) {
  connect();
  window.addEventListener("online", renew);
  window.addEventListener("offline", () => setState("offline"));
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") reconnect();
  });
  // A page from the back-forward cache comes with a dead socket and old rows.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) {
      renew();
      tell("resync");
    }
  });
  document.addEventListener("htmx:load", () => setState(body.dataset.connection ?? "connecting"));
}
