"""A session as a bundle that proves itself: read it, and check it, without this installation."""

import base64
import hashlib
import io
import json
import uuid
import zipfile
from pathlib import Path
from typing import Any

from recordings import chain, checkpoints, merkle, outside, services, signing
from recordings.models import Event, Payload, Session
from recordings.verify import snapshot

FORMAT = "hoopweb-session/1"
# Its script is run by a test against a real bundle.
_HOW_TO_VERIFY = Path(__file__).with_name("VERIFY.md")
_SUFFIXES = {"application/vnd.apache.arrow.stream": "arrow", "application/json": "json"}


def name_of(session: Session) -> str:
    """The file name of a session's bundle."""
    return f"session-{session.pk}.zip"


def bundle(session: Session) -> bytes:
    """The zip: events and bodies as they were recorded, which is masked, and their proof.

    Raises PayloadDamagedError rather than export a body that is not what was recorded.
    """
    files: dict[str, bytes] = {}
    with snapshot():
        session = Session.objects.get(pk=session.pk)
        events = list(session.events.order_by("number"))
        entries = _payloads(session, events, files)
        files["session.json"] = _pretty(
            {
                "format": FORMAT,
                "session": {
                    "id": str(session.pk),
                    **services.opening_facts(session),
                    "ended_at": chain.instant(session.ended_at) if session.ended_at else None,
                    "events": session.event_count,
                    "head": session.head,
                    "seal": session.seal,
                },
                "events": [{**services.body_of(e), "hash": e.hash} for e in events],
                "payloads": entries,
            }
        )
        files["proof.json"] = _pretty(_proof(session))
    files["public-key.pem"] = signing.public_pem().encode()
    files["VERIFY.md"] = _HOW_TO_VERIFY.read_bytes()
    manifest = chain.canonical(
        {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    )
    files["manifest.json"] = manifest
    files["manifest.sig"] = base64.b64decode(signing.sign(manifest))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _payloads(
    session: Session, events: list[Event], files: dict[str, bytes]
) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    named = {entry["id"]: entry for event in events for entry in event.named}
    for payload in Payload.objects.filter(
        session=session, pk__in=[uuid.UUID(key) for key in named]
    ).iterator(chunk_size=20):
        content, key = services.open_payload(payload)
        file = f"payloads/{payload.pk}.{_SUFFIXES.get(payload.media_type, 'bin')}"
        files[file] = content
        entries.append({**named[str(payload.pk)], "file": file, "key": key.hex()})
    return entries


def _proof(session: Session) -> dict[str, Any]:
    """How the seal leads to a signed root; less for a session that is not that far yet."""
    row = checkpoints.covering(session.leaf) if session.leaf is not None else None
    if row is None or session.leaf is None:
        state = "open" if session.is_open else "sealed, not in a checkpoint yet"
        return {"state": state, "seal": session.seal or None, "checkpoint": None}
    signed = outside.read(row.number) or checkpoints.signed(row)
    leaves = [
        merkle.leaf_hash(pk, seal)
        for pk, seal in Session.objects.filter(leaf__lt=row.session_count)
        .order_by("leaf")
        .values_list("pk", "seal")
    ]
    return {
        "state": "sealed, in a signed checkpoint",
        "seal": session.seal,
        "leaf": {
            "index": session.leaf,
            "hash": merkle.leaf_hash(session.pk, session.seal).hex(),
            "path": [step.hex() for step in merkle.path_to(leaves, session.leaf)],
        },
        # As it was signed: it names other sessions by id and hash only.
        "checkpoint": {"body": signed.body, "signature": signed.signature},
    }


def _pretty(value: Any) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True).encode() + b"\n"
