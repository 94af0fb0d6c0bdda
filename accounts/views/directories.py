"""Directories, for admins: what each keeps here, and the tokens that it writes with."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import Count, Max, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.forms import DirectoryForm, DirectoryTokenForm, RotateForm
from accounts.models import Directory, DirectoryToken
from accounts.services import directories as services
from accounts.services import provisioning
from accounts.services.directories import IssuedDirectoryToken
from accounts.views import common
from hoopweb.lib.errors import HoopwebError

_SHOWN = 50


def _seen(request: HttpRequest, directory_id: UUID) -> Directory:
    common.admin(request)
    return get_object_or_404(Directory, pk=directory_id)


def _token(directory: Directory, token_id: UUID) -> DirectoryToken:
    return get_object_or_404(directory.tokens.select_related("directory"), pk=token_id)


def _base() -> str:
    return f"{settings.SITE_URL}/scim/v2"


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """Directories: providers that keep people and groups here by SCIM."""
    common.admin(request)
    live = Q(tokens__revoked_at=None, tokens__expires_at__gt=timezone.now())
    rows = Directory.objects.annotate(
        people_count=Count("people", filter=Q(people__gone_at=None), distinct=True),
        group_count=Count("groups", distinct=True),
        live_tokens=Count("tokens", filter=live, distinct=True),
        last_used=Max("tokens__last_used_at"),
    )
    context = {
        "directories": rows.order_by("-is_active", "name"),
    }
    return render(request, "accounts/directories.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """A new directory."""
    common.admin(request)
    form = DirectoryForm(common.posted(request), initial={"issuer": settings.OIDC_ISSUER})
    if request.method == "POST" and form.is_valid():
        try:
            made = services.create_directory(**form.cleaned_data, **common.acting(request))
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            messages.success(request, f"{made} is added. Issue its token.")
            return redirect("accounts:directory", made.pk)
    status = 422 if form.errors else 200
    return render(request, "accounts/directory_new.html", {"form": form}, status=status)


@require_GET
def detail(request: HttpRequest, directory_id: UUID) -> HttpResponse:
    """One directory: its tokens, groups and people."""
    found = _seen(request, directory_id)
    people = provisioning.people_of(found)
    groups = provisioning.groups_of(found).annotate(size=Count("members"))
    context: dict[str, Any] = {
        "directory": found,
        "base": _base(),
        "tokens": [(token, _state_of(token)) for token in found.tokens.all()],
        "people": people.order_by("user__name")[:_SHOWN],
        "people_count": people.count(),
        "groups": groups.order_by("name")[:_SHOWN],
        "group_count": groups.count(),
    }
    return render(request, "accounts/directory.html", context)


def _state_of(token: DirectoryToken) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "active" if token.is_live() else "expired"


@require_POST
def switch(request: HttpRequest, directory_id: UUID) -> HttpResponse:
    """Lets a directory write, or stops it."""
    found = _seen(request, directory_id)
    on = request.POST.get("to") != "off"
    services.switch_directory(directory=found, on=on, **common.acting(request))
    said = "may write again" if on else "is switched off; its tokens open nothing"
    messages.success(request, f"{found} {said}.")
    return redirect("accounts:directory", found.pk)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def new_token(request: HttpRequest, directory_id: UUID) -> HttpResponse:
    """A new token for a directory, shown once."""
    found = _seen(request, directory_id)
    form = DirectoryTokenForm(common.posted(request))
    if request.method == "POST" and form.is_valid():
        issued = services.issue_directory_token(
            directory=found, **form.cleaned_data, **common.acting(request)
        )
        return _shown(request, issued)
    context = {"form": form, "directory": found}
    status = 422 if form.errors else 200
    return render(request, "accounts/directory_token_new.html", context, status=status)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def rotate_token(request: HttpRequest, directory_id: UUID, key_row_id: UUID) -> HttpResponse:
    """A successor for a directory's token, with an overlap."""
    found = _seen(request, directory_id)
    token = _token(found, key_row_id)
    form = RotateForm(common.posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            issued = services.rotate_directory_token(
                token=token,
                overlap=timedelta(hours=form.cleaned_data["overlap"]),
                **common.acting(request),
            )
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            token.refresh_from_db()
            return _shown(request, issued, old=token)
    context = {"form": form, "directory": found, "token": token}
    status = 422 if form.errors else 200
    return render(request, "accounts/directory_token_new.html", context, status=status)


def _shown(
    request: HttpRequest, issued: IssuedDirectoryToken, old: DirectoryToken | None = None
) -> HttpResponse:
    directory = issued.token.directory
    back = reverse("accounts:directory", args=[directory.pk])
    context = {
        "token": issued.token,
        "text": issued.text,
        "old": old,
        "crumbs": [
            (reverse("accounts:people"), "Settings"),
            (reverse("accounts:directories"), "Directories"),
            (back, directory),
        ],
        "back": back,
        "warning": "Whoever holds it makes and disables this directory's people",
        "keep_it": "Put it into the provider's provisioning settings, not into code, chats or "
        "tickets. If it leaks, revoke it here.",
        "next_title": "Where it goes",
        "next_text": _base(),
        "next_what": "address",
    }
    return render(request, "accounts/token_issued.html", context)


@require_POST
def revoke_token(request: HttpRequest, directory_id: UUID, key_row_id: UUID) -> HttpResponse:
    """Ends a directory's token."""
    found = _seen(request, directory_id)
    token = _token(found, key_row_id)
    services.revoke_directory_token(token=token, **common.acting(request))
    messages.success(request, f"The token {token.label} is revoked.")
    return redirect("accounts:directory", found.pk)
