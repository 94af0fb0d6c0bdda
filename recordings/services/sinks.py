"""Sinks: made, tested, paused, removed; each with its entry in the trail, none with its secret."""

import re
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from hoopweb.lib import outgoing
from hoopweb.lib.errors import Conflict, InvalidRequest
from recordings import chain
from recordings.models import AuditEntry, Event, Sink
from recordings.services.trail import audit
from recordings.sinks import lines, outlets

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
Actor = Mapping[str, Any]


def check_address(kind: str, address: str) -> None:
    """Raises InvalidRequest, naming the field, for an address that this kind cannot have."""

    def wrong(text: str) -> InvalidRequest:
        return InvalidRequest(text, field="address")

    if kind == Sink.Kind.STDOUT:
        if address:
            raise wrong("Standard output needs no address.")
    elif kind == Sink.Kind.FILE:
        if not _FILE.fullmatch(address):
            raise wrong("Write a file's name, such as audit.jsonl; the operator sets where.")
    elif kind == Sink.Kind.SYSLOG:
        parts = urlsplit(address)
        try:
            _ = parts.port
        except ValueError:
            raise wrong("The port is a number up to 65535.") from None
        if parts.scheme not in {"tls", "tcp", "udp"} or not parts.hostname or parts.path.strip("/"):
            raise wrong("Write tls://host:6514, tcp://host:601 or udp://host:514.")
    else:
        try:
            outgoing.checked_url(address)
        except outgoing.AddressRefused as error:
            raise wrong(str(error)) from None


@transaction.atomic
def create_sink(
    *,
    name: str,
    kind: str,
    address: str = "",
    secret: str = "",
    with_audit: bool = True,
    with_events: bool = True,
    from_start: bool = False,
    actor: Actor,
    source: str | None = None,
) -> Sink:
    """A new sink, from now on or from the very first record.

    A webhook without a secret is given one. Raises InvalidRequest or Conflict.
    """
    check_address(kind, address)
    if not (with_audit or with_events):
        raise InvalidRequest("Choose what it receives.", field="with_audit")
    if Sink.objects.filter(name=name).exists():
        raise Conflict("There is a sink of that name.", field="name")
    if kind == Sink.Kind.WEBHOOK and not secret:
        secret = secrets.token_urlsafe(32)
    if kind == Sink.Kind.SPLUNK and not secret:
        raise InvalidRequest("Give the collector's token.", field="secret")
    sink = Sink(
        name=name,
        kind=kind,
        address=address,
        secret=secret if kind in {Sink.Kind.WEBHOOK, Sink.Kind.SPLUNK} else "",
        with_audit=with_audit,
        with_events=with_events,
    )
    if not from_start:
        sink.audit_cursor = AuditEntry.objects.aggregate(top=Max("number"))["top"] or 0
        sink.event_cursor = Event.objects.aggregate(top=Max("id"))["top"] or 0
    sink.save(force_insert=True)
    _note(sink, "sink-created", actor, source, after=described(sink))
    return sink


@transaction.atomic
def switch_sink(*, sink: Sink, on: bool, actor: Actor, source: str | None = None) -> Sink:
    """Pause a sink, or let it go on from where it stopped: nothing is left out."""
    row = Sink.objects.select_for_update().get(pk=sink.pk)
    if row.is_active != on:
        row.is_active, row.retry_at, row.failures = on, None, 0
        row.save(update_fields=["is_active", "retry_at", "failures"])
        _note(row, "sink-resumed" if on else "sink-paused", actor, source)
    return row


@transaction.atomic
def delete_sink(*, sink: Sink, actor: Actor, source: str | None = None) -> None:
    """Remove a sink; what it has received stays where it is."""
    _note(sink, "sink-deleted", actor, source, before=described(sink))
    sink.delete()


def try_sink(*, sink: Sink, actor: Actor, source: str | None = None) -> str:
    """Send one record that says it is a test; "" when it arrived, else what is wrong."""
    record = lines.of_test(name=sink.name, at=chain.instant(timezone.now()), actor=actor)
    try:
        outlets.deliver(sink, [record])
        said = ""
    except outlets.Undelivered as error:
        said = str(error)
    _note(sink, "sink-tested", actor, source, after={"arrived": not said})
    return said


def described(sink: Sink) -> dict[str, Any]:
    """What the trail keeps of a sink: where it leads without the path, which may be a key."""
    parts = urlsplit(sink.address)
    where = f"{parts.scheme}://{parts.netloc}" if parts.netloc else sink.address
    return {
        "kind": sink.kind,
        "address": where,
        "with_audit": sink.with_audit,
        "with_events": sink.with_events,
    }


def _note(sink: Sink, action: str, actor: Actor, source: str | None, **states: Any) -> None:
    audit(
        actor=actor,
        action=action,
        kind="sink",
        object_id=str(sink.pk),
        object_name=sink.name,
        address=source,
        **states,
    )
