"""Whether a response is the provider's word, for us, now, and in answer to our request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.utils.dateparse import parse_datetime
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Names
from onelogin.saml2.response import OneLogin_Saml2_Response

from accounts.oidc.refusal import SignInRefused
from accounts.saml import configuration, xml
from accounts.saml.xml import NAMES, NotWellMade

log = structlog.get_logger(__name__)

# Clocks differ a little.
LEEWAY = timedelta(seconds=30)
# An assertion is remembered for as long as it holds, so it may not hold for ever.
LONGEST_LIFE = timedelta(hours=24)
_LONGEST_SUBJECT = 255

_DETAIL = (
    "Your provider's answer does not hold: it is not for this sign-in, or not signed as it should "
    "be. Nobody was signed in. Try again; when it stays so, ask whoever runs Hoopweb here."
)


@dataclass(frozen=True, slots=True)
class Assertion:
    """What the provider says of somebody, once it is proved."""

    id: str
    until: datetime
    subject: str
    name_format: str
    session: str
    session_until: datetime | None
    attributes: Mapping[str, Sequence[str]]


def verify(message: str, *, request_id: str) -> Assertion:
    """The assertion in a posted response to the request with this id. SignInRefused otherwise."""
    try:
        xml.check_response(xml.decoded(message))
        response = OneLogin_Saml2_Response(configuration.library_settings(), message)
        xml.check_decrypted(response.get_xml_document())
    except NotWellMade as error:
        raise refused(error.why) from error
    except configuration.Misconfigured:
        raise
    except Exception as error:
        # Anything at all: the library and the cipher raise what they meet. Which of them says it is
        # not told, because it could tell how far a forged cipher text got.
        log.warning("saml_response_unreadable", error=type(error).__name__)
        raise refused("unreadable_message") from error
    try:
        response.is_valid(
            configuration.request_data("/saml/acs/"), request_id, raise_exceptions=True
        )
    except Exception as error:
        log.warning("saml_response_refused", error=type(error).__name__, detail=str(error)[:200])
        raise refused(_why(error)) from error
    return _told(response.get_xml_document(), request_id)


def _told(root: Any, request_id: str) -> Assertion:
    """What the signed assertion says, read more strictly than the library does."""
    assertion = root.find("saml:Assertion", NAMES)
    # The library has verified it; that it is this very element is worth one more look.
    if assertion is None or assertion.find("ds:Signature", NAMES) is None:
        raise refused("unsigned")
    now = datetime.now(UTC)
    if root.get("Destination") not in {None, configuration.acs_url()}:
        raise refused("wrong_destination")
    if root.get("InResponseTo") != request_id:
        raise refused("wrong_request")
    until = _confirmed(assertion, request_id, now)
    _conditions(assertion, now)
    statement = assertion.find("saml:AuthnStatement", NAMES)
    session_until = _time(statement, "SessionNotOnOrAfter")
    name = assertion.find("saml:Subject/saml:NameID", NAMES)
    if name is None:
        raise refused("no_subject")
    subject, name_format = _whole_text(name), name.get("Format") or Names.NAMEID_UNSPECIFIED
    if not 0 < len(subject) <= _LONGEST_SUBJECT or subject != subject.strip():
        raise refused("unusable_subject")
    if name_format != configuration.name_format():
        raise refused("wrong_name_format")
    return Assertion(
        id=assertion.get("ID", ""),
        until=until,
        subject=subject,
        name_format=name_format,
        session=statement.get("SessionIndex") or "",
        session_until=session_until,
        attributes=_attributes(assertion),
    )


def _confirmed(assertion: Any, request_id: str, now: datetime) -> datetime:
    """Until when the bearer may bring it here, in answer to this request."""
    for confirmation in assertion.findall("saml:Subject/saml:SubjectConfirmation", NAMES):
        data = confirmation.find("saml:SubjectConfirmationData", NAMES)
        if confirmation.get("Method") != Names.CM_BEARER or data is None:
            continue
        until = _time(data, "NotOnOrAfter")
        if data.get("Recipient") != configuration.acs_url():
            raise refused("wrong_recipient")
        if data.get("InResponseTo") != request_id:
            raise refused("wrong_request")
        if until is None or until <= now:
            raise refused("expired")
        if until - now > LONGEST_LIFE:
            raise refused("lives_too_long")
        return until
    raise refused("not_confirmed")


def _conditions(assertion: Any, now: datetime) -> None:
    conditions = assertion.find("saml:Conditions", NAMES)
    before, after = _time(conditions, "NotBefore"), _time(conditions, "NotOnOrAfter")
    if before is not None and before > now + LEEWAY:
        raise refused("not_yet_valid")
    if after is not None and after + LEEWAY <= now:
        raise refused("expired")
    restrictions = conditions.findall("saml:AudienceRestriction", NAMES)
    # Each restriction must let us in, and there must be one.
    if not restrictions or not all(
        configuration.entity_id()
        in [_whole_text(each) for each in restriction.findall("saml:Audience", NAMES)]
        for restriction in restrictions
    ):
        raise refused("wrong_audience")


def _attributes(assertion: Any) -> dict[str, list[str]]:
    """Names to values. A name that comes twice adds to its values."""
    found: dict[str, list[str]] = {}
    for attribute in assertion.findall("saml:AttributeStatement/saml:Attribute", NAMES):
        values = [_whole_text(each) for each in attribute.findall("saml:AttributeValue", NAMES)]
        found.setdefault(attribute.get("Name") or "", []).extend(values)
    return found


def _whole_text(element: Any) -> str:
    """All of an element's text. Elements inside it have no place here."""
    if len(element):
        raise refused("unusable_text")
    return (element.text or "").strip("\n\r\t ") if element.text else ""


def _time(element: Any, name: str) -> datetime | None:
    text = element.get(name) if element is not None else None
    if text is None:
        return None
    found = parse_datetime(text)
    if found is None or found.tzinfo is None:
        raise refused("unreadable_time")
    return found


# The library's sentences, in a word each.
_WORDS = (
    ("not signed", "unsigned"),
    ("No Signature found", "unsigned"),
    ("Signature validation failed", "wrong_signature"),
    ("Deprecated", "wrong_algorithm"),
    ("audience", "wrong_audience"),
    ("Invalid issuer", "wrong_issuer"),
    ("expired", "expired"),
    ("not yet valid", "not_yet_valid"),
    ("received at", "wrong_destination"),
    ("Destination", "wrong_destination"),
    ("InResponseTo", "wrong_request"),
    ("SubjectConfirmation", "not_confirmed"),
    ("status code", "refused_by_provider"),
)


def _why(error: Exception) -> str:
    said = str(error)
    return next((word for part, word in _WORDS if part in said), "invalid_response")


def refused(why: str) -> SignInRefused:
    return SignInRefused(why, _DETAIL)
