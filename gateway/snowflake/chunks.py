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

# Parts are tens of megabytes; drivers ask for up to ten at once.
_AT_ONCE = 3
_room = asyncio.Semaphore(_AT_ONCE)


async def chunk(request: Request) -> Response:
    """One part of a large result."""
    try:
        result_id = UUID(request.path_params["result_id"])
    except ValueError:
        return _no_such()
    key = request.headers.get(results.KEY_HEADER, "")
    opened = await hop(_opened, result_id, key, address_of(request))
    if opened is None:
        return _no_such()
    row, parts = opened.row, opened.parts
    place = int(request.path_params["place"])
    if place >= len(parts["chunks"]):
        return _no_such()
    async with _room:
        session = row.statement.wire_session
        assert session is not None
        upstream = await upstreams.of(session)
        part = parts["chunks"][place]
        try:
            raw = await upstream.chunk(part["url"], parts["headers"])
        except OutcomeUnknown:
            # Its link is over: drivers ask for the result again and are given new ones.
            return _no_such()
        content, sealed = await hop(_checked, row, parts, place, raw)
        await _recording.do(sealed)
    return Response(
        content, media_type="application/octet-stream", headers={"Content-Encoding": "gzip"}
    )


def _no_such() -> Response:
    return Response("no such part", status_code=403)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A result that a driver fetches part by part, and what its admission was read from."""

    row: WireResult
    parts: dict[str, Any]
    admitted: admission.Pass


_open: OrderedDict[tuple[UUID, str, str | None], _Opened] = OrderedDict()
_MOST_OPEN = 64


def _opened(result_id: UUID, key: str, address: str | None) -> _Opened | None:
    """The result behind an id, for whoever has its secret and may still use the session."""
    name = (result_id, wire_sessions.digest_of(key), address)
    known = _open.pop(name, None)
    if known is None or not (known.row.expires_at > timezone.now() and known.admitted.stands()):
        known = _found(result_id, key, address)
    if known is not None:
        _open[name] = known
        while len(_open) > _MOST_OPEN:
            _open.pop(next(iter(_open)), None)
    return known


def _found(result_id: UUID, key: str, address: str | None) -> _Opened | None:
    row = wire_results.find(result_id, key)
    if row is None or row.statement.wire_session is None:
        return None
    try:
        admitted = admission.pass_for(row.statement.wire_session, address)
    except wire_sessions.SessionOver:
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


class _Repeated(Exception):
    """Nothing of them was written down: one may have been before, or its recording went on."""


async def _record_all(parts: Sequence[wire_results.Part]) -> Sequence[None]:
    if not await hop(wire_results.record_together, parts):
        raise _Repeated
    return [None] * len(parts)


async def _record_one(part: wire_results.Part) -> None:
    await hop(wire_results.record_part, part)


_recording: Grouped[wire_results.Part, None] = Grouped(_record_all, _record_one, at_once=1)


def _zipped(body: bytes) -> bytes:
    return bytes(igzip.compress(body, 1))


def _said(finding: Finding) -> dict[str, Any]:
    return {
        "detector": finding.detector,
        "column": finding.column,
        "count": finding.count,
        "masked": finding.action == "mask",
    }
