"""Secrets that lie elsewhere, read when they are needed. IO only; knows no rows.

Only what the operator has opened may be named: an admin of the console must not be able to read
the gateway's own keys by giving their address.
"""

from connections.references.errors import ReferenceRefused, ReferenceUnavailable
from connections.references.resolving import Reference, Source, allowed, forget, resolve

__all__ = [
    "Reference",
    "ReferenceRefused",
    "ReferenceUnavailable",
    "Source",
    "allowed",
    "forget",
    "resolve",
]
