"""What consoles hear when access changes."""

from typing import Any

from django.dispatch import receiver

from accounts.signals import Change, access_changed
from approvals import notify


@receiver(access_changed)
def look_again(change: Change, **_: Any) -> None:
    """Sockets of these people ask again who they are and what they may see."""
    notify.access_changed(change.people)
