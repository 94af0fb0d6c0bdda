"""Console sessions, ended because a provider says so; and what a provider says once."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import SignIn, TakenToken, User
from accounts.services.acting import actor_of
from recordings.services import audit


@dataclass(frozen=True, slots=True)
class Ended:
    """A provider's message that a session is over: one subject's, one session's, or both.

    ``how`` names the kind of message, ``name`` the message itself; after ``until`` a copy of it is
    refused for its age.
    """

    how: str
    name: str
    until: datetime
    issuer: str
    subject: str = ""
    session: str = ""


def end_by_provider(*, message: Ended, address: str | None = None) -> int | None:
    """End every console session that the message is about.

    The number of browsers that were signed out; None when this message was taken before.
    """
    with transaction.atomic():
        if not take_once(
            kind=message.how, issuer=message.issuer, name=message.name, until=message.until
        ):
            return None
        found = SignIn.objects.by_provider(
            message.issuer, subject=message.subject, session=message.session
        )
        people = list(User.objects.filter(sign_ins__in=found.filter(ended_at=None)).distinct())
        ended = 0
        for person in people:
            count = found.filter(user=person).end()
            ended += count
            audit(
                actor=actor_of(None),
                action="sign-out",
                kind="person",
                object_id=str(person.pk),
                object_name=str(person),
                after={
                    "by": message.how,
                    "issuer": message.issuer,
                    "console_sessions_ended": count,
                },
                address=address,
            )
    return ended


def take_once(*, kind: str, issuer: str, name: str, until: datetime) -> bool:
    """Whether this message of a provider comes for the first time; then it is taken.

    ``until`` is when it ends by itself: a later copy is refused for its age, so that nothing has
    to be remembered for longer.
    """
    digest = hashlib.sha256(f"{kind}\n{issuer}\n{name}".encode()).hexdigest()
    TakenToken.objects.filter(until__lt=timezone.now()).delete()
    try:
        with transaction.atomic():
            TakenToken.objects.create(digest=digest, until=until)
    except IntegrityError:
        return False
    return True
