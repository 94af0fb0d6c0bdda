"""Verdicts given before, to be given again in the same circumstances and in no others."""

from collections import OrderedDict
from collections.abc import Hashable
from hashlib import blake2b
from threading import Lock

from connections.masking.verdict import Request, Ruleset, Verdict
from connections.sql.catalogue import Catalogue

MOST = 4096
LONGEST = 64 * 1024

Key = tuple[Hashable, ...]


class VerdictCache:
    """A bounded cache, least recently used out first. Safe between threads.

    Catalogue and rules are the very objects that the verdict was made with, or, where a caller
    builds them anew, of the same numbered version on the same connection.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = Lock()
        self._entries: OrderedDict[Key, tuple[Catalogue, Ruleset, Verdict]] = OrderedDict()

    def key(self, request: Request) -> Key | None:
        """What a verdict depends on; None where it must not be kept."""
        sql, subject, ruleset = request.sql, request.subject, request.ruleset
        if len(sql) > LONGEST or (subject.at is not None and ruleset.timed):
            return None
        digest = blake2b(sql.encode("utf-8", "surrogatepass"), digest_size=32).digest()
        return (
            digest,
            request.context.key(),
            request.catalogue.version,
            ruleset.revision,
            ruleset.salt,
            subject.kind,
            subject.id,
            subject.name,
            subject.groups,
            subject.on_behalf_of,
            subject.connection,
            subject.door,
            tuple(sorted(request.estimate.items())) if request.estimate else (),
        )

    def find(self, key: Key | None, request: Request) -> Verdict | None:
        if key is None:
            return None
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            if not _same(entry[0], entry[1], request):
                del self._entries[key]
                return None
            self._entries.move_to_end(key)
            return entry[2]

    def store(self, key: Key | None, request: Request, verdict: Verdict) -> None:
        if key is None:
            return
        with self._lock:
            self._entries[key] = (request.catalogue, request.ruleset, verdict)
            self._entries.move_to_end(key)
            while len(self._entries) > self._most:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)


def _same(catalogue: Catalogue, ruleset: Ruleset, request: Request) -> bool:
    """Whether a verdict made with these holds for the request: keys only name versions."""
    if request.catalogue is not catalogue:
        numbered = bool(request.subject.connection) and catalogue.version > 0
        if not numbered or catalogue.fingerprint() != request.catalogue.fingerprint():
            return False
    return request.ruleset is ruleset or request.ruleset == ruleset
