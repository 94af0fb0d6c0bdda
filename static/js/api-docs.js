// Starts Swagger UI from the sidecar on #api-docs. Requests carry the page's CSRF token, so that a
// signed-in person can try what changes something; a token typed into "Authorize" wins over it.

function csrf() {
  return JSON.parse(document.body.getAttribute("hx-headers") ?? "{}")["X-CSRFToken"] ?? "";
}

export function start(root, bundle) {
  root.replaceChildren();
  return bundle({
    url: root.dataset.schema,
    domNode: root,
    presets: [bundle.presets.apis],
    layout: "BaseLayout",
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: -1,
    displayRequestDuration: true,
    tryItOutEnabled: false,
    // Code highlighting writes style elements, which the content policy forbids.
    syntaxHighlight: false,
    requestInterceptor(request) {
      const sameOrigin = new URL(request.url, location.href).origin === location.origin;
      if (sameOrigin && !["GET", undefined].includes(request.method)) {
        request.headers["X-CSRFToken"] = csrf();
      }
      return request;
    },
  });
}

const root = document.getElementById("api-docs");
if (root && window.SwaggerUIBundle) start(root, window.SwaggerUIBundle);
