"""What somebody gives as a credential, and whether it can work."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.conf import settings

from connections import references
from connections.models import Credential
from hoopweb.lib import outgoing
from hoopweb.lib.errors import InvalidRequest

Method = Credential.Method
Source = Credential.Source
PROVIDERS = ("AWS", "AZURE", "GCP", "OIDC")
_NEEDS_SECRET = {Method.PAT, Method.PASSWORD, Method.OAUTH}
_WIDTH = 120  # the column's


@dataclass(frozen=True)
class Given:
    """A credential as a person wrote it, tidied."""

    method: str
    login_name: str
    secret: str = field(repr=False)
    token_url: str
    client_id: str
    scope: str
    provider: str
    source: str
    reference: Mapping[str, str]

    @property
    def elsewhere(self) -> bool:
        return self.source != Source.SEALED


def refuse_what_cannot_work(given: Given) -> None:
    """Raises InvalidRequest with ``errors`` by field."""
    errors = _of_method(given) | _of_source(given)
    if given.method == Method.OAUTH:
        errors |= _of_oauth(given)
    if given.method == Method.WORKLOAD:
        errors |= _of_workload(given)
    if errors:
        raise InvalidRequest("The credential cannot be used like this.", errors=errors)


def reference_of(source: str, reference: Mapping[str, str]) -> references.Reference:
    return references.Reference(
        references.Source(source), reference["name"], reference.get("field", "")
    )


def read_reference(given: Given) -> str:
    """What lies there now. Raises InvalidRequest with the cure; no text holds the value."""
    try:
        return references.resolve(reference_of(given.source, given.reference), fresh=True)
    except (references.ReferenceRefused, references.ReferenceUnavailable) as error:
        raise InvalidRequest(str(error), errors={"reference_name": str(error)}) from None


def _of_method(given: Given) -> dict[str, str]:
    errors: dict[str, str] = {}
    if given.method not in Method.values:
        errors["method"] = "Choose one of: " + ", ".join(map(str, Method.labels)) + "."
    # A workload is known by its attestation, and Snowflake finds the user by it.
    needed = given.method != Method.WORKLOAD
    if (needed and not given.login_name) or len(given.login_name) > _WIDTH:
        errors["login_name"] = "Write the Snowflake user that Hoopweb logs in as."
    if given.method == Method.PASSWORD and not settings.LOCAL:
        errors["method"] = (
            "A password works only in local mode: Snowflake itself is ending password sign-in for "
            "services. Choose a key pair."
        )
    return errors


def _of_source(given: Given) -> dict[str, str]:
    if given.source not in Source.values:
        return {"source": "Choose one of: " + ", ".join(map(str, Source.labels)) + "."}
    if not given.elsewhere:
        if given.method in _NEEDS_SECRET and not given.secret.strip():
            return {"secret": "This method needs its secret. It is sealed and never shown again."}
        return {}
    if not given.reference.get("name"):
        return {"reference_name": "Write where the secret lies."}
    return {}


def _of_oauth(given: Given) -> dict[str, str]:
    errors: dict[str, str] = {}
    try:
        outgoing.checked_url(given.token_url)
    except outgoing.AddressRefused as error:
        errors["token_url"] = f"This is no token address that can be called. {error}"
    else:
        host = (urlsplit(given.token_url).hostname or "").lower()
        # Who may name a secret must not be able to have it sent to a server of their own.
        if given.elsewhere and host not in settings.REFERENCE_TOKEN_HOSTS:
            errors["token_url"] = (
                f"A secret that lies elsewhere is not sent to {host}. The operator adds the host "
                "to HOOPWEB_REFERENCE_TOKEN_HOSTS, or you give the secret here."
            )
    if not given.client_id:
        errors["client_id"] = "Write the client id that the provider gave to Hoopweb."
    return errors


def _of_workload(given: Given) -> dict[str, str]:
    if given.provider not in PROVIDERS:
        return {"provider": "Choose where the gateway runs: " + ", ".join(PROVIDERS) + "."}
    if given.provider == "OIDC" and not given.elsewhere:
        return {
            "source": "Such a token lives for minutes, so it is read for each login: name the file "
            "that the platform mounts."
        }
    if given.provider != "OIDC" and given.elsewhere:
        return {"source": f"{given.provider} needs no secret: the platform vouches for us."}
    return {}
