"""What every page here does first: find the row for this person, and say no in the same way."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.forms import BaseForm
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from accounts.addresses import address_of
from accounts.models import RoleGrant, User
from accounts.principal import Role
from connections import services
from connections.models import Access, Connection
from hoopweb.lib.errors import HoopwebError


def viewer(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def acting(request: HttpRequest) -> dict[str, Any]:
    """What every verb is told of who acts, and from where."""
    return {"by": viewer(request), "address": address_of(request)}


def seen(request: HttpRequest, name: str) -> Connection:
    """The connection, if this person may see it; a stranger learns not even that it exists."""
    row = Connection.objects.visible_to(viewer(request)).filter(name=name).first()
    if row is None:
        raise Http404
    return row


def changeable(request: HttpRequest, name: str) -> Connection:
    """The connection, if this person may change it; who only sees it is told whom to ask."""
    row = Connection.objects.administered_by(viewer(request)).filter(name=name).first()
    if row is None:
        row = seen(request, name)
        raise PermissionDenied(
            f"You may see {row.name} but not change it. Ask one of its admins: {admins_of(row)}."
        )
    return row


def home(row: Connection) -> HttpResponse:
    """To the page of a connection, or back into its registration while that goes on."""
    name = "connections:detail" if row.is_confirmed else "connections:setup"
    return redirect(name, row.name)


def step_or(row: Connection, step: str, page: str) -> HttpResponse:
    """Back to a step of the registration while that goes on, else to ``page``."""
    if row.is_confirmed:
        return redirect(page, row.name)
    return redirect("connections:setup-step", row.name, step)


def holder_of(access: Access) -> tuple[str, str]:
    """What kind of holder it is, and its name."""
    if access.agent:
        return "agent", access.agent.name
    if access.user:
        return "person", str(access.user)
    assert access.team is not None
    return "team", access.team.name


def health_of(row: Connection) -> str:
    """What the last test said, as the state chip names it."""
    if row.tested_at is None:
        return "untested"
    return "healthy" if services.is_healthy(row) else "unreachable"


def may_change(request: HttpRequest, row: Connection) -> bool:
    return row.pk in viewer(request).scope(Role.ADMIN)


def admins_of(row: Connection) -> str:
    """The names of a few people who administer ``row``."""
    grants = RoleGrant.objects.filter(role=Role.ADMIN).select_related("user", "team")
    grants = grants.filter(connection_id=row.pk) | grants.filter(connection_id__isnull=True)
    names = [str(grant.user or f"team {grant.team}") for grant in grants[:5]]
    return ", ".join(dict.fromkeys(names)) or "none yet"


def take_over(form: BaseForm, error: HoopwebError) -> None:
    """Put a refusal of a service where the person typed what it is about."""
    found: dict[str, str] = error.fields.get("errors", {})
    for field, text in found.items():
        name = field.replace(".", "_")
        form.add_error(name if name in form.fields else None, text)
    if not found:
        form.add_error(None, error.detail)


def tell(request: HttpRequest, error: HoopwebError) -> None:
    """Show a refusal on the next page, for what has no form."""
    said = " ".join(error.fields.get("errors", {}).values())
    messages.error(request, said or error.detail)


def whole(text: str | None) -> int | None:
    """A whole number from a hidden field; None when it is not one."""
    return int(text) if text and text.isdecimal() and len(text) < 10 else None  # noqa: PLR2004
