"""Variables of the gateway's own environment, by prefixes that the operator opens."""

import os
import re

from django.conf import settings

from connections.references.errors import ReferenceRefused, ReferenceUnavailable
from connections.references.resolving import Reference

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,119}")
# Ours and our stores' own, which no prefix opens.
_OURS = re.compile(
    r"HOOPWEB_|SECRET_KEY|DATABASE_|PG|REDIS_|OIDC_|SAML_|SCIM_|METRICS_|VAULT_|AWS_|AZURE_|GOOGLE_"
    r"|\w+_FILE$"
)


def allowed(reference: Reference) -> None:
    name = reference.name
    prefixes = settings.REFERENCE_ENVIRONMENT
    if not _NAME.fullmatch(name) or _OURS.match(name) or not name.startswith(tuple(prefixes)):
        opened = ", ".join(f"{p}…" for p in prefixes)
        raise ReferenceRefused(
            f"The variable may not be read. The operator has opened {opened or 'none'}: "
            "HOOPWEB_REFERENCE_ENVIRONMENT lists the beginnings of names."
        )


def read(reference: Reference) -> str:
    value = os.environ.get(reference.name)
    if value is None:
        raise ReferenceUnavailable(
            f"The gateway has no variable {reference.name}. Servers and workers both need it."
        )
    return value
