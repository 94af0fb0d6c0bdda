"""How long a driver's login counts, and what may still be asked for when it counts no more.

A driver logs in once, with a provider's token that lives for minutes, and renews by a master token
of ours from then on. The master token is what is bounded, counted from the login
(``Issuer.session_hours``), because nothing that the driver sends later shows the provider's token
again, and because cutting off at the token's own ``exp`` would end most sessions within minutes,
with their transactions and temporary tables. What was taken in while the login counted goes on to
its end, and its driver may ask for it: a reviewer's answer may take longer than any login.
"""

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from gateway.models import Statement, WireBatch, WireSession
from gateway.states import FINAL

# So long a driver may take to fetch an answer that came after the end of its login.
GRACE = timedelta(minutes=5)


class LoginOver(Exception):
    """The driver has to log in again, with a fresh token of its provider."""

    def __str__(self) -> str:
        return (
            "The login of this session has ended: a provider's token opens a session for a few "
            "hours. Get a fresh token of your provider and connect again."
        )


def need(session: WireSession) -> None:
    """Raises LoginOver unless the login counts, or something of it is still to be asked for."""
    if counts(session) or _asked_for().filter(wire_session=session).exists():
        return
    raise LoginOver


def need_to_begin(session: WireSession, name: str, request_id: str) -> None:
    """Raises LoginOver for a new statement once the login counts no more.

    One that was taken in before under the same id is joined: ``name`` names a statement,
    ``request_id`` a batch of several.
    """
    if counts(session) or Statement.objects.filter(wire_session=session, request_id=name).exists():
        return
    if WireBatch.objects.filter(wire_session=session, request_id=request_id).exists():
        return
    raise LoginOver


def counts(session: WireSession) -> bool:
    return session.login_until is None or session.login_until > timezone.now()


def over() -> QuerySet[WireSession]:
    """Open sessions whose login has ended and of which nothing is asked for any more."""
    going_on = Exists(_asked_for().filter(wire_session=OuterRef("pk")))
    return WireSession.objects.filter(~going_on, ended_at=None, login_until__lte=timezone.now())


def left(session: WireSession, life: timedelta) -> int:
    """For how many seconds a token of this ``life`` is good, as its driver is told."""
    if session.login_until is None:
        return int(life.total_seconds())
    rest = session.login_until - timezone.now()
    return int(min(life, rest if rest > timedelta() else GRACE).total_seconds())


def _asked_for() -> QuerySet[Statement]:
    recent = timezone.now() - GRACE
    return Statement.objects.filter(~Q(state__in=FINAL) | Q(finished_at__gt=recent))
