"""The SAML provider as the settings name it, and this installation as the provider must know it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Names
from onelogin.saml2.errors import OneLogin_Saml2_Error
from onelogin.saml2.idp_metadata_parser import OneLogin_Saml2_IdPMetadataParser as MetadataParser
from onelogin.saml2.settings import OneLogin_Saml2_Settings

from accounts.saml import xml
from accounts.saml.xml import NotWellMade

# What a NameID may be. Not transient: nobody would be known again.
FORMATS: dict[str, str] = {
    "persistent": Names.NAMEID_PERSISTENT,
    "email": Names.NAMEID_EMAIL_ADDRESS,
    "unspecified": Names.NAMEID_UNSPECIFIED,
}
_RSA_BITS = 2048


class Misconfigured(Exception):
    """The settings do not make a provider. The text says which, and what is wrong."""


@dataclass(frozen=True, slots=True)
class Provider:
    """The provider: its name, where it takes requests, and the certificates it signs with (PEM)."""

    entity_id: str
    sso_url: str
    slo_url: str
    slo_response_url: str
    certificates: tuple[str, ...]


def is_set() -> bool:
    return bool(settings.SAML_IDP_METADATA or settings.SAML_IDP_ENTITY_ID)


def acs_url() -> str:
    return f"{settings.SITE_URL}/saml/acs/"


def logout_url() -> str:
    return f"{settings.SITE_URL}/saml/logout/"


def entity_id() -> str:
    """What the provider calls this installation."""
    return str(settings.SAML_ENTITY_ID) or f"{settings.SITE_URL}/saml/metadata/"


def name_format() -> str:
    """The format that a NameID must have. Raises Misconfigured for one that is not known."""
    try:
        return FORMATS[settings.SAML_NAMEID_FORMAT]
    except KeyError:
        raise Misconfigured(
            f"SAML_NAMEID_FORMAT must be one of {', '.join(FORMATS)}, "
            f"not {settings.SAML_NAMEID_FORMAT!r}."
        ) from None


def has_key() -> bool:
    """Whether this installation can sign, and open what was encrypted for it."""
    return bool(settings.SAML_SP_KEY and settings.SAML_SP_CERTIFICATE)


def provider() -> Provider:
    """The configured provider. Raises Misconfigured."""
    return _provider(
        settings.SAML_IDP_METADATA,
        settings.SAML_IDP_ENTITY_ID,
        settings.SAML_IDP_SSO_URL,
        settings.SAML_IDP_SLO_URL,
        settings.SAML_IDP_CERTIFICATE,
    )


@lru_cache(maxsize=4)
def _provider(metadata: str, entity_id: str, sso: str, slo: str, certificate: str) -> Provider:
    """Read once: metadata of a federation are long."""
    found = (
        _from_metadata(metadata, entity_id)
        if metadata
        else Provider(entity_id, sso, slo, slo, tuple(_pems(certificate)))
    )
    _check(found)
    return found


def _from_metadata(metadata: str, entity_id: str) -> Provider:
    try:
        xml.parsed(metadata.encode())
        # A file may describe many: then the entity id says which.
        found = MetadataParser.parse(
            metadata,
            required_sso_binding=Names.BINDING_HTTP_REDIRECT,
            required_slo_binding=Names.BINDING_HTTP_REDIRECT,
            entity_id=entity_id or None,
        ).get("idp", {})
    except NotWellMade as error:
        raise Misconfigured(f"SAML_IDP_METADATA is no usable XML: {error.why}.") from error
    except Exception as error:
        # The parser raises what it meets: any of it means that this is no such document.
        raise Misconfigured("SAML_IDP_METADATA describes no provider.") from error
    if not found.get("entityId"):
        raise Misconfigured("SAML_IDP_METADATA describes no provider of that name.")
    listed = found.get("x509certMulti", {}).get("signing") or [found.get("x509cert", "")]
    slo = found.get("singleLogoutService", {})
    return Provider(
        entity_id=found.get("entityId", ""),
        sso_url=found.get("singleSignOnService", {}).get("url", ""),
        slo_url=slo.get("url", ""),
        slo_response_url=slo.get("responseUrl", "") or slo.get("url", ""),
        certificates=tuple(_armoured(each) for each in listed if each),
    )


def _check(found: Provider) -> None:
    if not found.entity_id:
        raise Misconfigured("The SAML provider has no entity id (SAML_IDP_ENTITY_ID).")
    if len(found.entity_id) > 300:  # noqa: PLR2004 - as long as an identity keeps
        raise Misconfigured("The SAML provider's entity id is longer than 300 characters.")
    allowed = {"https", "http"} if settings.LOCAL else {"https"}
    if urlsplit(found.sso_url).scheme not in allowed:
        raise Misconfigured(
            "The SAML provider has no https address that takes requests by redirect "
            "(SAML_IDP_SSO_URL, or HTTP-Redirect in its metadata)."
        )
    if found.slo_url and urlsplit(found.slo_url).scheme not in allowed:
        raise Misconfigured("The SAML provider's address for logout is not https.")
    if not found.certificates:
        raise Misconfigured("The SAML provider has no signing certificate (SAML_IDP_CERTIFICATE).")
    for pem in found.certificates:
        _strong(_certificate(pem, "The SAML provider's certificate").public_key())


def check_own_key() -> None:
    """Raises Misconfigured unless key and certificate are a pair, or neither is set."""
    key, certificate = settings.SAML_SP_KEY, settings.SAML_SP_CERTIFICATE
    if bool(key) != bool(certificate):
        raise Misconfigured("SAML_SP_KEY and SAML_SP_CERTIFICATE are set both, or neither.")
    if not key:
        return
    public = _certificate(certificate, "SAML_SP_CERTIFICATE").public_key()
    try:
        private = load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Without its cause, which could hold the key.
        raise Misconfigured("SAML_SP_KEY is no private key in PEM.") from None
    if not isinstance(private, rsa.RSAPrivateKey) or private.public_key() != public:
        raise Misconfigured("SAML_SP_KEY is not the RSA key of SAML_SP_CERTIFICATE.")
    _strong(public)


def _certificate(pem: str, what: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise Misconfigured(f"{what} is no certificate in PEM.") from error


def _strong(key: Any) -> None:
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _RSA_BITS:
        return
    if isinstance(key, ec.EllipticCurvePublicKey):
        return
    raise Misconfigured("A SAML certificate holds a key that is too weak, or of another kind.")


def _pems(text: str) -> list[str]:
    """Each certificate in a text that may hold several."""
    end = "-----END CERTIFICATE-----"
    return [f"{part.strip()}\n{end}\n" for part in text.split(end) if part.strip()]


def _armoured(base64: str) -> str:
    body = "".join(base64.split())
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


def library_settings(*, messages_signed: bool = False) -> OneLogin_Saml2_Settings:
    """python3-saml's settings, always strict; ``messages_signed`` is for logout. Misconfigured."""
    found = provider()
    signs = has_key()
    try:
        return OneLogin_Saml2_Settings(
            {
                "strict": True,
                "debug": False,
                "sp": {
                    "entityId": entity_id(),
                    "assertionConsumerService": {
                        "url": acs_url(),
                        "binding": Names.BINDING_HTTP_POST,
                    },
                    "singleLogoutService": {
                        "url": logout_url(),
                        "binding": Names.BINDING_HTTP_REDIRECT,
                    },
                    "NameIDFormat": name_format(),
                    "x509cert": settings.SAML_SP_CERTIFICATE,
                    "privateKey": settings.SAML_SP_KEY,
                },
                "idp": {
                    "entityId": found.entity_id,
                    "singleSignOnService": {"url": found.sso_url},
                    "singleLogoutService": {
                        "url": found.slo_url,
                        "responseUrl": found.slo_response_url,
                    },
                    "x509certMulti": {"signing": list(found.certificates)},
                },
                "security": {
                    "authnRequestsSigned": signs,
                    "logoutRequestSigned": signs,
                    "logoutResponseSigned": signs,
                    "wantAssertionsSigned": True,
                    "wantMessagesSigned": messages_signed,
                    "wantNameId": True,
                    "wantAttributeStatement": False,
                    "requestedAuthnContext": False,
                    "rejectDeprecatedAlgorithm": True,
                    "signatureAlgorithm": Names.RSA_SHA256,
                    "digestAlgorithm": Names.SHA256,
                    "allowRepeatAttributeName": True,
                    "allowSingleLabelDomains": True,
                },
            }
        )
    except OneLogin_Saml2_Error as error:
        raise Misconfigured(f"The SAML settings do not hold together: {error}") from error


def problems() -> list[str]:
    """What is wrong with the settings, in sentences; nothing when SAML is not set up."""
    parts = (
        settings.SAML_IDP_SSO_URL,
        settings.SAML_IDP_SLO_URL,
        settings.SAML_IDP_CERTIFICATE,
        settings.SAML_SP_KEY,
        settings.SAML_SP_CERTIFICATE,
    )
    if not is_set():
        if any(parts):
            return ["SAML is half set: neither SAML_IDP_METADATA nor SAML_IDP_ENTITY_ID is."]
        return []
    found = []
    for check in (check_own_key, library_settings):
        try:
            check()
        except Misconfigured as error:
            found.append(str(error))
    return found


def request_data(path: str, query: dict[str, str] | None = None) -> dict[str, Any]:
    """What the library wants to know of a request: where it came in, by our settings' word."""
    parts = urlsplit(settings.SITE_URL)
    return {
        "https": "on" if parts.scheme == "https" else "off",
        "http_host": parts.netloc,
        "script_name": path,
        "get_data": query or {},
        "post_data": {},
    }
