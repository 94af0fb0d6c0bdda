"""Handing records over. Each outlet returns when they have arrived, or raises what went wrong."""

import hashlib
import hmac
import json
import os
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from urllib3.exceptions import NewConnectionError

from hoopweb.lib import outgoing
from recordings import chain
from recordings.models import Sink

Records = Sequence[dict[str, Any]]
SECONDS = 10
# Facility 13, log audit; severity 5, notice.
_PRIORITY = 13 * 8 + 5
# Above this a datagram does not leave; the record then says where to read the rest.
_DATAGRAM = 60_000
_PORTS = {"tls": 6514, "tcp": 601, "udp": 514}


class Undelivered(Exception):
    """Why records have not arrived, in a sentence for the admin."""


def deliver(sink: Sink, records: Records) -> None:
    """Hand ``records`` over, in order. Raises Undelivered."""
    try:
        _OUTLETS[sink.kind](sink, records)
    except outgoing.AddressRefused as error:
        raise Undelivered(str(error)) from None
    except ssl.SSLError as error:
        raise Undelivered(f"TLS failed: {error.reason or error}. Check the certificate.") from None
    except requests.RequestException as error:
        raise Undelivered(_reason(error)) from None
    except socket.gaierror:
        raise Undelivered(outgoing.NO_ADDRESS) from None
    except OSError as error:
        raise Undelivered(f"No connection: {error.strerror or error}.") from None


def _file(sink: Sink, records: Records) -> None:
    settings.SINK_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Opened anew each time, so that it may be moved away and compressed.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    handle = os.open(settings.SINK_DIR / Path(sink.address).name, flags, 0o600)
    with os.fdopen(handle, "ab") as file:
        file.write(_lines(records))
        file.flush()
        os.fsync(handle)


def _stdout(_sink: Sink, records: Records) -> None:
    body = _lines(records)
    while body:
        body = body[os.write(1, body) :]


def _webhook(sink: Sink, records: Records) -> None:
    body = _lines(records)
    at = str(int(time.time()))
    _post(
        sink,
        body,
        "application/x-ndjson",
        {
            "X-Hoopweb-Timestamp": at,
            "X-Hoopweb-Signature": f"sha256={signature(sink.secret, at, body)}",
            "X-Hoopweb-First": records[0]["id"],
            "X-Hoopweb-Last": records[-1]["id"],
        },
    )


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Hex HMAC-SHA-256 over the timestamp, a full stop, and the body."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _splunk(sink: Sink, records: Records) -> None:
    body = b"\n".join(
        chain.canonical(
            {
                "time": f"{datetime.fromisoformat(record['at']).timestamp():.6f}",
                "host": _host(),
                "source": "hoopweb",
                "sourcetype": "_json",
                "event": record,
            }
        )
        for record in records
    )
    answer = _post(sink, body, "application/json", {"Authorization": f"Splunk {sink.secret}"})
    try:
        code = answer.json().get("code")
    except (ValueError, AttributeError):
        code = None
    if code != 0:
        raise Undelivered(f"The collector answered code {code!r} instead of 0.")


def _post(sink: Sink, body: bytes, media_type: str, headers: dict[str, str]) -> requests.Response:
    with outgoing.Session() as session:
        answer = session.post(
            sink.address,
            data=body,
            headers={"Content-Type": media_type, "User-Agent": "Hoopweb", **headers},
            timeout=SECONDS,
        )
    if not answer.ok or answer.is_redirect:
        raise Undelivered(f"It answered {answer.status_code} {answer.reason}.")
    return answer


def _syslog(sink: Sink, records: Records) -> None:
    parts = urlsplit(sink.address)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    address = outgoing.vetted(host, port)[0]
    if parts.scheme == "udp":
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as datagrams:
            for record in records:
                datagrams.sendto(_small(record), (address, port))
        return
    with socket.create_connection((address, port), SECONDS) as plain:
        if parts.scheme == "tcp":
            _stream(plain, records)
        else:
            context = ssl.create_default_context()
            with context.wrap_socket(plain, server_hostname=host) as secure:
                _stream(secure, records)


def _stream(stream: socket.socket, records: Records) -> None:
    """Octet counting (RFC 6587, RFC 5425). Syslog acknowledges nothing: a connection that the
    other side has not broken off after everything was sent counts as an arrival.
    """
    for record in records:
        message = syslog_message(record)
        stream.sendall(b"%d %s" % (len(message), message))
    if isinstance(stream, ssl.SSLSocket):
        stream.settimeout(2)
        try:
            stream.unwrap()
        except (TimeoutError, ssl.SSLError):
            return  # it goes on listening, which is as good
        except OSError as error:
            if error.errno:
                raise
        return
    stream.shutdown(socket.SHUT_WR)
    stream.settimeout(2)
    try:
        while stream.recv(1024):
            pass
    except TimeoutError:
        return


def syslog_message(record: dict[str, Any]) -> bytes:
    """RFC 5424, the record as the message. ``action`` is the message id."""
    head = f"<{_PRIORITY}>1 {record['at']} {_host()} hoopweb - {record['action'][:32]} - "
    return head.encode("ascii", "replace") + b"\xef\xbb\xbf" + chain.canonical(record)


def _small(record: dict[str, Any]) -> bytes:
    message = syslog_message(record)
    if len(message) <= _DATAGRAM:
        return message
    cut = {k: v for k, v in record.items() if k not in {"before", "after", "data"}}
    return syslog_message({**cut, "cut": True})


def _reason(error: requests.RequestException) -> str:
    """Why nobody answered. The error's own text holds the whole address, which may hold a key."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(cause, NewConnectionError):
        return str(cause).partition(": ")[2]
    return f"No answer: {type(error).__name__}."


def _host() -> str:
    return urlsplit(settings.SITE_URL).hostname or "-"


def _lines(records: Records) -> bytes:
    return b"".join(
        json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        for record in records
    )


_OUTLETS: dict[str, Callable[[Sink, Records], None]] = {
    Sink.Kind.FILE: _file,
    Sink.Kind.STDOUT: _stdout,
    Sink.Kind.SYSLOG: _syslog,
    Sink.Kind.WEBHOOK: _webhook,
    Sink.Kind.SPLUNK: _splunk,
}
