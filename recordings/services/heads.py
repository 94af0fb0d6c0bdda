"""Sessions as this process last left them, so that their chains go on without asking first.

Only a guess: whoever writes on it looks, in the same statement of the database, whether it is true.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable
from uuid import UUID

from recordings.models import Session

_MOST = 1024
_known: OrderedDict[UUID, Session] = OrderedDict()
_guard = threading.Lock()


def take(session_ids: Collection[UUID]) -> dict[UUID, Session]:
    """Sessions to go on from, read where they are not known. Each is handed out once: who asks
    meanwhile gets the row.
    """
    with _guard:
        known = {each: _known.pop(each) for each in session_ids if each in _known}
    missing = [each for each in session_ids if each not in known]
    return known | (Session.objects.in_bulk(missing) if missing else {})


def keep(sessions: Iterable[Session]) -> None:
    """They are in the database as they are here."""
    with _guard:
        for session in sessions:
            _known[session.pk] = session
        while len(_known) > _MOST:
            _known.popitem(last=False)


def forget(session_ids: Iterable[UUID]) -> None:
    """Somebody else goes on with them."""
    with _guard:
        for each in session_ids:
            _known.pop(each, None)
