// form[data-filters]: what is left at "any" stays out of the address.
document.addEventListener("htmx:configRequest", (event) => {
  if (!event.target.matches?.("form[data-filters]")) return;
  const { parameters } = event.detail;
  for (const name of Object.keys(parameters)) if (parameters[name] === "") delete parameters[name];
});

document.addEventListener("formdata", (event) => {
  if (!event.target.matches("form[data-filters]")) return;
  for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
});
