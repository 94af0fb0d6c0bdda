// Says of each part that is fetched whether a person asked for it. What a page fetches by itself
// (a live row, a poll, a part that loads when it is seen) does not keep its person signed in.
document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.triggeringEvent?.isTrusted) event.detail.headers["X-By-Hand"] = "1";
});
