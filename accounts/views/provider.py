"""What sign-in by any provider shows when it does not end in the console."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from accounts import attempts, contact, services
from accounts.addresses import address_of
from accounts.oidc.refusal import SignInRefused
from hoopweb.lib import rate

_TOO_MANY = (
    "Too many answers of a provider from this address did not hold. Wait for 15 minutes, then sign "
    "in again. When it stays so, tell whoever runs Hoopweb here."
)


def page(request: HttpRequest, status: int, **context: Any) -> HttpResponse:
    shown = {"code": status if status >= 400 else "", **context}  # noqa: PLR2004
    return render(request, "accounts/no_access.html", shown, status=status)


def refused(request: HttpRequest, refusal: SignInRefused, *, by: str = "provider") -> HttpResponse:
    """One page that says why and whom to ask; the audit trail has the reason in a word."""
    services.record_refusal(
        why=refusal.why,
        by=by,
        user=refusal.user,
        subject=refusal.subject,
        groups=refusal.groups,
        address=address_of(request),
    )
    return page(
        request,
        refusal.status,
        title="You are not signed in",
        text=refusal.detail,
        groups=refusal.groups,
        contact=contact.whom_to_ask() if refusal.groups is not None else "",
        contact_url=contact.link(),
        url=reverse("accounts:sign-in"),
        action="Go to the sign-in page",
    )


def unreachable(request: HttpRequest) -> HttpResponse:
    answer = page(
        request,
        503,
        title="Your provider does not answer",
        text="Hoopweb asks it who you are and got no usable answer, so nobody is signed in. Try "
        "again in a minute; when it stays so, tell whoever runs Hoopweb here. The log says what "
        "went wrong.",
        url=reverse("accounts:sign-in"),
        action="Go to the sign-in page",
    )
    answer["Retry-After"] = "60"
    return answer


def too_fast(request: HttpRequest) -> HttpResponse:
    answer = page(
        request,
        429,
        title="Too many at once",
        text="Too many sign-ins were started from this address within a minute. Wait a minute, "
        "then start again.",
        url=reverse("accounts:sign-in"),
        action="Go to the sign-in page",
    )
    answer["Retry-After"] = str(rate.WINDOW)
    return answer


def too_many(request: HttpRequest) -> HttpResponse:
    answer = page(
        request,
        429,
        title="Too many tries",
        text=_TOO_MANY,
        url=reverse("accounts:sign-in"),
        action="Go to the sign-in page",
    )
    answer["Retry-After"] = str(int(attempts.WINDOW.total_seconds()))
    return answer
