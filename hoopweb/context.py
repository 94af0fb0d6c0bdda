"""What every console page knows: the rail, the product's name, how much waits."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

PRODUCT = "Hoopweb"


@dataclass(frozen=True)
class NavItem:
    label: str
    name: str  # URL name
    icon: str  # heroicons name
    section: str  # first part of the path that it stands for
    url: str = ""
    active: bool = False
    count: int | None = None


_RAIL = (
    NavItem("Overview", "overview", "squares-2x2", ""),
    NavItem("Approvals", "approvals:list", "check-badge", "approvals"),
    NavItem("Sessions", "recordings:list", "play-circle", "sessions"),
    NavItem("Connections", "connections:list", "circle-stack", "connections"),
    NavItem("Policy", "connections:policy", "shield-check", "policy"),
    NavItem("Agents", "accounts:agents", "cpu-chip", "agents"),
    NavItem("Audit", "recordings:audit", "clipboard-document-list", "audit"),
)


def console(request: HttpRequest) -> dict[str, Any]:
    """``nav``, ``pending_count``, ``product`` and ``settings_open`` for signed-in pages."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"product": PRODUCT, "nav": []}
    from approvals.models import ApprovalRequest

    section = request.path.strip("/").split("/")[0]
    pending = ApprovalRequest.objects.decidable_by(user).count()
    nav = []
    for item in _RAIL:
        try:
            url = reverse(item.name)
        except NoReverseMatch:
            continue
        nav.append(
            NavItem(
                item.label,
                item.name,
                item.icon,
                item.section,
                url,
                item.section == section,
                pending if item.section == "approvals" else None,
            )
        )
    return {
        "product": PRODUCT,
        "nav": nav,
        "pending_count": pending,
        "settings_open": section == "settings",
    }
