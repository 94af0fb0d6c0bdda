// select[data-submit]: choosing is asking. Without a script the button beside it does the same.
document.addEventListener("change", (event) => {
  if (event.target.matches?.("select[data-submit]")) event.target.form.requestSubmit();
});
