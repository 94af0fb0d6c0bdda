"""Single logout by redirect: told by the provider, or told to it. Always signed."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote_plus

import structlog
from django.utils.dateparse import parse_datetime
from onelogin.saml2.auth import OneLogin_Saml2_Auth

from accounts.oidc.refusal import SignInRefused
from accounts.saml import configuration, xml
from accounts.saml.xml import NAMES, NotWellMade
from accounts.services import Ended

log = structlog.get_logger(__name__)

# A logout request is taken for so long after it was made, and remembered for as long.
FRESH = timedelta(minutes=5)
_SIGNED = ("SAMLRequest", "RelayState", "SigAlg", "Signature")
_ALGORITHMS = {
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
}
_DETAIL = "This logout request does not hold. Nobody was signed out by it."


def can_answer() -> bool:
    """Whether logout works here: the provider takes part, and this installation can sign."""
    return bool(configuration.provider().slo_url) and configuration.has_key()


def verify(query_string: str) -> tuple[Ended, str]:
    """What a logout request says, and where to answer it. Raises SignInRefused."""
    query = _parts(query_string)
    try:
        root = xml.parsed(xml.inflated(query["SAMLRequest"]))
    except NotWellMade as error:
        raise _refused(error.why) from error
    if query.get("SigAlg") not in _ALGORITHMS or not query.get("Signature"):
        raise _refused("unsigned" if not query.get("Signature") else "wrong_algorithm")
    auth = _auth(query_string, query)
    try:
        answer = auth.process_slo(keep_local_session=True)
    except Exception as error:
        log.warning("saml_logout_unreadable", error=type(error).__name__)
        raise _refused("unreadable_message") from error
    if errors := auth.get_errors():
        log.warning("saml_logout_refused", errors=errors[:1])
        raise _refused("wrong_signature" if "signature" in errors[0] else "invalid_request")
    return _told(root), answer


def _told(root: Any) -> Ended:
    now = datetime.now(UTC)
    made = parse_datetime(root.get("IssueInstant") or "")
    if made is None or made.tzinfo is None or abs(now - made) > FRESH:
        raise _refused("expired")
    if root.get("Destination") not in {None, configuration.logout_url()}:
        raise _refused("wrong_destination")
    issuer = root.find("saml:Issuer", NAMES)
    if issuer is None or issuer.text != configuration.provider().entity_id:
        raise _refused("wrong_issuer")
    name = root.find("saml:NameID", NAMES)
    if name is None or not name.text:
        raise _refused("nobody_named")
    sessions = [each.text or "" for each in root.findall("samlp:SessionIndex", NAMES)]
    return Ended(
        how="logout request",
        name=root.get("ID", ""),
        until=made + 2 * FRESH,
        issuer=issuer.text,
        subject=name.text,
        # Several, or none: all of that person's.
        session=sessions[0] if len(sessions) == 1 else "",
    )


def request_url(*, subject: str, name_format: str, session: str) -> str:
    """Where to send a browser so that the provider ends its session."""
    auth = _auth("", {})
    url: str = auth.logout(
        name_id=subject,
        name_id_format=name_format,
        session_index=session or None,
        return_to=configuration.logout_url(),
    )
    return url


def _auth(query_string: str, query: dict[str, str]) -> OneLogin_Saml2_Auth:
    data = configuration.request_data("/saml/logout/", query)
    data |= {"query_string": query_string, "validate_signature_from_qs": True}
    return OneLogin_Saml2_Auth(data, configuration.library_settings(messages_signed=True))


def _parts(query_string: str) -> dict[str, str]:
    """What is signed, as it is spelt: each part once, its name written out.

    A name in percent signs, or twice, would be one thing to the signature and another to us.
    """
    found: dict[str, str] = {}
    for part in query_string.split("&"):
        name, _, value = part.partition("=")
        plain = unquote_plus(name)
        if plain in _SIGNED and (plain != name or plain in found):
            raise _refused("ambiguous_query")
        found[plain] = unquote_plus(value)
    if "SAMLRequest" not in found:
        raise _refused("no_message")
    return found


def _refused(why: str) -> SignInRefused:
    return SignInRefused(why, _DETAIL, status=400)
