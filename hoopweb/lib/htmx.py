"""One view, two answers: the page for a visit, the part for htmx."""

import json
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers


def is_part(request: HttpRequest) -> bool:
    """True when htmx asks for a part. A boosted link and a restored history want the page."""
    headers = request.headers
    return (
        headers.get("HX-Request") == "true"
        and headers.get("HX-Boosted") != "true"
        and headers.get("HX-History-Restore-Request") != "true"
    )


def part_or_page(
    request: HttpRequest,
    page_template: str,
    part_template: str,
    context: Mapping[str, Any],
    *,
    status: int = 200,
) -> HttpResponse:
    """Render the part for htmx, else the page that includes the same part.

    Both live at one address, so caches are told to keep them apart.
    """
    template = part_template if is_part(request) else page_template
    response = render(request, template, dict(context), status=status)
    patch_vary_headers(response, ["HX-Request", "HX-Boosted", "HX-History-Restore-Request"])
    return response


def go_to(request: HttpRequest, url: str) -> HttpResponse:
    """Send the browser to ``url`` after a POST: a redirect for a form, HX-Redirect for htmx."""
    if is_part(request):
        return HttpResponse(status=204, headers={"HX-Redirect": url})
    return HttpResponse(status=303, headers={"Location": url})


def say(response: HttpResponse, text: str, level: str = "success") -> HttpResponse:
    """Show ``text`` as a toast when htmx receives ``response`` (static/js/toast.js listens)."""
    events: dict[str, Any] = json.loads(response.headers.get("HX-Trigger", "{}"))
    events["toast"] = {"text": text, "level": level}
    response.headers["HX-Trigger"] = json.dumps(events)
    return response
