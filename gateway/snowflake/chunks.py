"""Parts of large results: fetched, detected, recorded, handed on. One part at a time in memory."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils import timezone
from isal import igzip
from starlette.requests import Request
from starlette.responses import Response

from connections.masking.apply import scan
from connections.masking.detectors import Finding
from connections.upstream import decode
from connections.upstream.errors import OutcomeUnknown
from connections.upstream.types import ResultColumn
from connections.upstream.wire import is_zipped, unzipped
from gateway import admission, wire_results, wire_sessions
from gateway.grouping import Grouped
from gateway.models import WireResult
from gateway.results import detectors_of
from gateway.snowflake import results, upstreams
from gateway.snowflake.bodies import address_of
from gateway.snowflake.hops import hop
from hoopweb.lib.errors import NotFound
from recordings import services as recordings

# Parts are tens of megabytes; drivers ask for up to ten at once.
_AT_ONCE = 4
_room = asyncio.Semaphore(_AT_ONCE)
_TRIES = 3


async def chunk(request: Request) -> Response:
    """One part of a large result."""
    try:
        result_id = UUID(request.path_params["result_id"])
    except ValueError:
        return _no_such()
    key = request.headers.get(results.KEY_HEADER, "")
    asked = _Asked(result_id, key, address_of(request))
    place = int(request.path_params["place"])
    for _ in range(_TRIES):
        opened = await _opened(asked)
        if opened is None or place >= len(opened.parts["chunks"]):
            return _no_such()
        async with _room:
            try:
                content = await _part(asked, opened, place)
            except _Stale:
                # Who asks, or where it is recorded, is another matter by now: from the start.
                _open.pop(asked, None)
                continue
            except (OutcomeUnknown, wire_sessions.SessionOver):
                # Its link is over: drivers ask for the result again and are given new ones.
                return _no_such()
        return Response(
            content, media_type="application/octet-stream", headers={"Content-Encoding": "gzip"}
        )
    return _no_such()


async def _part(asked: "_Asked", opened: "_Opened", place: int) -> bytes:
    """One part as the driver gets it, written down before. Raises OutcomeUnknown when it is gone,
    _Stale.
    """
    row, parts = opened.row, opened.parts
    link = parts["chunks"][place]["url"]
    raw = await upstreams.part_of(row.statement, link, parts["headers"])
    content, sealed = await hop(_checked, row, parts, place, raw)
    try:
        await _recording.do(_Given(sealed, asked, opened.admitted))
    except _Stale:
        await hop(recordings.discard_payload, sealed.payload)
        raise
    return content


def _no_such() -> Response:
    return Response("no such part", status_code=403)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a driver names a result by, and from where."""

    result_id: UUID
    key: str
    address: str | None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A result that a driver fetches part by part, and what its admission was read from."""

    row: WireResult
    parts: dict[str, Any]
    admitted: admission.Pass


_open: OrderedDict[_Asked, _Opened] = OrderedDict()
_opening: dict[_Asked, asyncio.Task[_Opened | None]] = {}
_MOST_OPEN = 64


async def _opened(asked: _Asked) -> _Opened | None:
    """The result behind an id, for whoever has its secret and may use the session. Whether they
    still may is asked when a part of it is written down.

    Drivers ask for several parts at once: the first of them opens the result for all.
    """
    known = _open.pop(asked, None)
    if known is None or not (known.row.expires_at > timezone.now() and known.admitted.has_time()):
        task = _opening.get(asked)
        if task is None:
            task = _opening[asked] = asyncio.create_task(hop(_found, asked))
            task.add_done_callback(lambda _: _opening.pop(asked, None))
        known = await asyncio.shield(task)
    if known is not None:
        _open[asked] = known
        while len(_open) > _MOST_OPEN:
            _open.pop(next(iter(_open)), None)
    return known


def _found(asked: _Asked) -> _Opened | None:
    row = wire_results.find(asked.result_id, asked.key)
    if row is None or row.statement.wire_session is None:
        return None
    try:
        admitted = admission.pass_for(row.statement.wire_session, asked.address)
    except (wire_sessions.SessionOver, NotFound):
        return None
    return _Opened(row, json.loads(row.parts), admitted)


def _checked(
    row: WireResult, parts: dict[str, Any], place: int, raw: bytes
) -> tuple[bytes, wire_results.Part]:
    """The part as the driver may see it, zipped, and as it is to be written down before that.

    One in which nothing had to be masked goes on as it came: packing it again would cost more
    than everything else.
    """
    body = unzipped(raw)
    zipped = raw if is_zipped(raw) else b""
    findings: Sequence[Finding]
    detectors = detectors_of(row.statement)
    columns = tuple(ResultColumn.parse(each) for each in parts["rowtype"])
    if parts["arrow"]:
        table = results.read_stream(body)
        clean, findings = scan(table, detectors)
        count = clean.num_rows
        if results.changed(findings):
            body, zipped = results.write_stream(clean), b""
    else:
        rows = decode.json_chunk(body)
        _, findings, rows = results.scan_rows(rows, columns, detectors)
        count = len(rows)
        if results.changed(findings):
            body = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))[1:-1].encode()
            zipped = b""
    if count != parts["chunks"][place]["rows"]:
        raise results.Unreadable("A part of the result has another number of rows than announced.")
    zipped = zipped or _zipped(body)
    session = row.statement.wire_session
    assert session is not None
    principal = admission.admit(session, None) if not session.recording.is_open else None
    recording_id = (
        session.recording_id
        if principal is None
        else wire_sessions.recording_for(session, principal)
    )
    sealed = wire_results.sealed_part(
        row.statement,
        recording_id,
        place=place,
        rows=count,
        content=body,
        zipped=zipped,
        findings=[_said(finding) for finding in findings],
    )
    return zipped, sealed


@dataclass(frozen=True, slots=True)
class _Given:
    """A part that is about to be handed out, and by what right."""

    part: wire_results.Part
    asked: _Asked
    admitted: admission.Pass


class _Stale(Exception):
    """Access has ended since the part was opened, or its recording has; it was not written down."""


class _NotTogether(Exception):
    """Nothing was written: one may have been before, a recording went on, or access changed."""


async def _record_all(given: Sequence[_Given]) -> Sequence[None]:
    parts = [each.part for each in given]
    admitted = [each.admitted.versions for each in given]
    if not await hop(wire_results.record_together, parts, admitted):
        raise _NotTogether
    return [None] * len(parts)


async def _record_one(given: _Given) -> None:
    await hop(_record_alone, given)


def _record_alone(given: _Given) -> None:
    if not given.admitted.stands():
        _open.pop(given.asked, None)
        again = _found(given.asked)
        session = None if again is None else again.row.statement.wire_session
        if session is None or not session.recording.is_open:
            raise _Stale
        if session.recording_id != given.part.session_id:
            raise _Stale
    wire_results.record_part(given.part)


_recording: Grouped[_Given, None] = Grouped(_record_all, _record_one, at_once=1)


def _zipped(body: bytes) -> bytes:
    return bytes(igzip.compress(body, 1))


def _said(finding: Finding) -> dict[str, Any]:
    return {
        "detector": finding.detector,
        "column": finding.column,
        "count": finding.count,
        "masked": finding.action == "mask",
    }
