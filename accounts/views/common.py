"""What every page here does first: who looks, and how a refusal reaches the form."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.forms import BaseForm
from django.http import HttpRequest, QueryDict

from accounts.addresses import address_of
from accounts.models import RoleGrant, User
from accounts.principal import Role
from hoopweb.lib.errors import HoopwebError


def viewer(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def acting(request: HttpRequest) -> dict[str, Any]:
    """What every verb is told of who acts, and from where."""
    return {"by": viewer(request), "address": address_of(request)}


def posted(request: HttpRequest) -> QueryDict | None:
    """What a form is bound to; an empty POST is one too."""
    return request.POST if request.method == "POST" else None


def admin(request: HttpRequest, what: str = "People, teams and roles are for admins.") -> User:
    """The viewer, if they administer everything. Raises PermissionDenied that says whom to ask."""
    person = viewer(request)
    if not person.is_admin:
        raise PermissionDenied(f"{what} Ask {admins()}.")
    return person


def admins() -> str:
    """Names of those who can help."""
    grants = RoleGrant.objects.filter(role=Role.ADMIN, connection_id=None)
    found = User.objects.filter(is_active=True).filter(
        pk__in=[*grants.values_list("user", flat=True), *_members(grants)]
    )
    return " or ".join(str(each) for each in found[:3]) or "your operator"


def _members(grants: Any) -> list[Any]:
    teams = grants.filter(team__isnull=False).values("team")
    return list(User.objects.filter(teams__in=teams).values_list("pk", flat=True))


def take_over(form: BaseForm, error: HoopwebError) -> None:
    """Show a refusal where it belongs."""
    field = error.fields.get("field")
    form.add_error(field if field in form.fields else None, error.detail)
