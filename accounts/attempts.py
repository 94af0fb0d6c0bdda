"""How often one may try to sign in. Counted in the store of record: without it nobody signs in."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from accounts.models import SignInAttempt
from hoopweb.lib import crypto

WINDOW = timedelta(minutes=15)
_KEEP = timedelta(hours=1)
# A name from one address, an address whatever the names, a name whatever the addresses. The last
# is wide, so that a stranger cannot lock a colleague out with a handful of tries.
PER_PAIR, PER_ADDRESS, PER_NAME = 5, 30, 40
# Answers of a provider that did not hold, from one address. Many people may come from one, so
# those that hold are not counted.
PER_ADDRESS_OF_ANSWERS = 30
_ANSWER = "\0a provider's answer"  # no name that anybody can type


def _digest(name: str) -> str:
    return crypto.keyed_digest(name.strip().lower().encode(), pepper=settings.SECRET_KEY.encode())


def reserve(name: str, address: str | None) -> SignInAttempt | None:
    """Count one try, before the password is looked at: tries made at once all count.

    None when there were too many; such a try is not counted, so the wait has an end.
    """
    now = timezone.now()
    SignInAttempt.objects.filter(at__lt=now - _KEEP).delete()
    attempt = SignInAttempt.objects.create(name_digest=_digest(name), address=address, at=now)
    recent = SignInAttempt.objects.filter(at__gt=now - WINDOW).exclude(name_digest=_digest(_ANSWER))
    of_name = recent.filter(name_digest=attempt.name_digest)
    too_many = (
        of_name.filter(address=address).count() > PER_PAIR
        or recent.filter(address=address).count() > PER_ADDRESS
        or of_name.count() > PER_NAME
    )
    if too_many:
        attempt.delete()
        return None
    return attempt


def forgive(name: str, address: str | None) -> None:
    """Forget the failures of a name at an address once it has proved itself there."""
    SignInAttempt.objects.filter(name_digest=_digest(name), address=address).delete()


def reserve_answer(address: str | None) -> SignInAttempt | None:
    """Count one answer of a provider, before it is looked at. None when too many did not hold."""
    now = timezone.now()
    SignInAttempt.objects.filter(at__lt=now - _KEEP).delete()
    digest = _digest(_ANSWER)
    attempt = SignInAttempt.objects.create(name_digest=digest, address=address, at=now)
    recent = SignInAttempt.objects.filter(
        at__gt=now - WINDOW, name_digest=digest, address=address
    ).count()
    if recent > PER_ADDRESS_OF_ANSWERS:
        attempt.delete()
        return None
    return attempt


def forgive_answer(attempt: SignInAttempt) -> None:
    """Forget an answer that held."""
    SignInAttempt.objects.filter(pk=attempt.pk).delete()
