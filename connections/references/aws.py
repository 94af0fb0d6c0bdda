"""AWS Secrets Manager, by beginnings of names that the operator opens.

Region, account and endpoint are what ``boto3`` finds in the gateway's own surroundings.
"""

import json
import re

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from connections.references.errors import ReferenceRefused, ReferenceUnavailable
from connections.references.resolving import Reference

# Names only: an ARN could lead into another account.
_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,200}")
_CONFIG = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2})
_WORDS = {
    "ResourceNotFoundException": "has no such secret",
    "AccessDeniedException": "does not let the gateway read it. Check the policy of its role",
    "UnrecognizedClientException": "does not know the gateway. Check its role",
    "ExpiredTokenException": "says that the gateway's login is over",
    "DecryptionFailure": "cannot decrypt it. Check the rights on its KMS key",
}


def allowed(reference: Reference) -> None:
    prefixes = settings.REFERENCE_AWS
    if not _NAME.fullmatch(reference.name) or not reference.name.startswith(tuple(prefixes)):
        opened = ", ".join(f"{p}…" for p in prefixes)
        raise ReferenceRefused(
            f"This secret of AWS may not be read. The operator has opened {opened or 'none'}: "
            "HOOPWEB_REFERENCE_AWS lists the beginnings of names."
        )


def read(reference: Reference) -> str:
    try:
        # A session of its own: boto3's default one is not safe between threads.
        client = boto3.session.Session().client("secretsmanager", config=_CONFIG)
        text = client.get_secret_value(SecretId=reference.name).get("SecretString")
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code"))
        said = _WORDS.get(code, f"answered {code}")
        raise ReferenceUnavailable(f"{reference.name}: Secrets Manager {said}.") from None
    except BotoCoreError as error:
        raise ReferenceUnavailable(
            f"Secrets Manager does not answer: {type(error).__name__}. The gateway needs a region "
            "and a role."
        ) from None
    if not isinstance(text, str):
        raise ReferenceUnavailable(f"The secret {reference.name} is not text.")
    return _field(text, reference) if reference.field else text


def _field(text: str, reference: Reference) -> str:
    try:
        found = json.loads(text)
        value = found[reference.field]
    except (ValueError, KeyError, TypeError):
        value = None
    if not isinstance(value, str):
        raise ReferenceUnavailable(
            f"The secret {reference.name} has no text called {reference.field}."
        )
    return value
