"""A sign-in by SAML on its way: begun, answered once, finished once by the browser that began."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.models import SamlSignIn
from accounts.services.consoles import take_once

# As long as somebody may look for a password and a second factor.
PATIENCE = timedelta(minutes=15)
# From the provider's answer to the browser's next request: no person is needed for it.
_FINISH = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Answered:
    """What the provider said, and the page that the person was going to."""

    answer: dict[str, Any]
    target: str


def begin_saml(*, sign_in_id: UUID, request_id: str, target: str) -> SamlSignIn:
    """Remember a browser that leaves for the provider."""
    now = timezone.now()
    SamlSignIn.objects.filter(until__lt=now).delete()
    return SamlSignIn.objects.create(
        pk=sign_in_id, request_id=request_id, target=target, started_at=now, until=now + PATIENCE
    )


def answer_saml(
    *, sign_in: SamlSignIn, issuer: str, assertion_id: str, until: datetime, answer: dict[str, Any]
) -> bool:
    """Keep what the provider said. False when this assertion, or this sign-in, had its turn."""
    with transaction.atomic():
        row = SamlSignIn.objects.select_for_update().pending().filter(pk=sign_in.pk).first()
        if row is None:
            return False
        if not take_once(kind="assertion", issuer=issuer, name=assertion_id, until=until):
            return False
        row.answered_at = timezone.now()
        row.until = row.answered_at + _FINISH
        row.answer = json.dumps(answer)
        row.save(update_fields=["answered_at", "until", "answer"])
    return True


def finish_saml(*, sign_in_id: UUID) -> Answered | None:
    """Take what the provider said; None when there is nothing, or no more."""
    with transaction.atomic():
        row = SamlSignIn.objects.select_for_update().answered().filter(pk=sign_in_id).first()
        if row is None:
            return None
        found = Answered(json.loads(row.answer), row.target)
        SamlSignIn.objects.filter(pk=row.pk).delete()
    return found
