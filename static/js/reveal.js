// [data-when="field:value,value"] is shown only while that field of its form has one of the values.
// Without a script everything is shown, and the server takes what belongs together.
const chosen = (form, name) =>
  [...form.elements]
    .filter((element) => element.name === name && (element.type !== "radio" || element.checked))
    .map((element) => element.value);

function reveal(form) {
  for (const part of form.querySelectorAll("[data-when]")) {
    const [name, values] = part.dataset.when.split(":");
    const wanted = values.split(",");
    part.hidden = !chosen(form, name).some((value) => wanted.includes(value));
  }
}

document.addEventListener("change", (event) => {
  if (event.target.form?.querySelector("[data-when]")) reveal(event.target.form);
});

for (const form of document.querySelectorAll("form:has([data-when])")) reveal(form);
