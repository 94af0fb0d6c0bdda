"""One call from text to verdict: analyse, decide, rewrite. Pure."""

import atexit
from collections.abc import Mapping

from connections.masking.cache import VerdictCache
from connections.masking.judgement import Judgement
from connections.masking.pool import WorkerPool
from connections.masking.verdict import Request, Ruleset, Verdict
from connections.policy.types import Subject
from connections.sql import guard
from connections.sql.analyse import analyse
from connections.sql.catalogue import Catalogue
from connections.sql.context import PriorResult, SessionContext

__all__ = ["PriorResult", "Ruleset", "SessionContext", "Verdict", "judge", "remembered"]

CACHE = VerdictCache()
POOL = WorkerPool()
atexit.register(POOL.close)


def remembered(
    sql: str,
    *,
    context: SessionContext,
    catalogue: Catalogue,
    ruleset: Ruleset,
    subject: Subject,
) -> Verdict | None:
    """What ``judge`` would say, where it has said so before in the same circumstances."""
    request = Request(sql, context, catalogue, ruleset, subject, None)
    return CACHE.find(CACHE.key(request), request)


def judge(
    sql: str,
    *,
    context: SessionContext,
    catalogue: Catalogue,
    ruleset: Ruleset,
    subject: Subject,
    estimate: Mapping[str, int] | None = None,
) -> Verdict:
    """Say what ``sql`` would touch, decide, and render the only text that may run. Never raises
    for any input: what cannot be proved is a deny with its reason. ``estimate`` carries expected
    ``bytes`` and ``rows`` where they are known.

    A verdict on the same text in the same circumstances is given again from a bounded cache. A
    text that is large or deep enough to be a danger is judged by a process that can be ended.
    """
    request = Request(sql, context, catalogue, ruleset, subject, estimate)
    key = CACHE.key(request)
    known = CACHE.find(key, request)
    if known is not None:
        return known
    found = guard.scan(sql)
    if found.problems or found.small:
        analysis = analyse(sql, context, catalogue, found)
        verdict = Judgement(sql, analysis, catalogue, ruleset).verdict(subject, estimate)
    else:
        verdict = POOL.judge(request)
    CACHE.store(key, request, verdict)
    return verdict
