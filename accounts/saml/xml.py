"""What a SAML message may look like at all, before anybody believes a word of it.

The library checks signatures and what is said. This refuses everything else: what a provider has no
reason to write is how signatures are got round.
"""

import base64
import binascii
import zlib
from collections.abc import Iterator
from typing import Any

from lxml import etree

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
DS = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
NAMES = {"saml": SAML, "samlp": SAMLP, "ds": DS, "xenc": XENC}

LONGEST = 256 * 1024
_MOST_ELEMENTS = 5000
_SIGNATURES = {
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
}
_DIGESTS = {
    "http://www.w3.org/2001/04/xmlenc#sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512",
}
_EXCLUSIVE = {
    "http://www.w3.org/2001/10/xml-exc-c14n#",
    "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
}
_ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_KEY_TRANSPORT = {
    "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
    "http://www.w3.org/2009/xmlenc11#rsa-oaep",
}
_CIPHERS = {
    "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
    "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
    "http://www.w3.org/2009/xmlenc11#aes128-gcm",
    "http://www.w3.org/2009/xmlenc11#aes256-gcm",
}


class NotWellMade(Exception):
    """No message of a provider looks so. ``why`` is a word for the trail."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def decoded(text: str) -> bytes:
    """The bytes of a message that was posted as base64."""
    # A form may break it into lines.
    compact = "".join(text.split())
    if not compact:
        raise NotWellMade("no_message")
    if len(compact) > LONGEST * 4 // 3 + 4:
        raise NotWellMade("too_large")
    try:
        return base64.b64decode(compact, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotWellMade("unreadable_message") from error


def inflated(text: str) -> bytes:
    """The bytes of a message that came in an address: deflated, and never more than the most."""
    unpacker = zlib.decompressobj(-15)
    try:
        message = unpacker.decompress(decoded(text), LONGEST)
    except zlib.error as error:
        raise NotWellMade("unreadable_message") from error
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise NotWellMade("too_large")
    return message


def parsed(message: bytes) -> Any:
    """The root element. No types of its own, no entities, no comments, no instructions."""
    if len(message) > LONGEST:
        raise NotWellMade("too_large")
    # Said in the text, so that no parser has to be trusted with it first. Other encodings could
    # spell it in bytes that are not looked for.
    if b"<!DOCTYPE" in message or b"<!ENTITY" in message:
        raise NotWellMade("own_types")
    try:
        message.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotWellMade("not_utf_8") from error
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, encoding="utf-8"
    )
    try:
        root = etree.fromstring(message, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NotWellMade("unreadable_message") from error
    if root.getroottree().docinfo.doctype:
        raise NotWellMade("own_types")
    nodes = root.xpath("//node()|/node()")
    for count, node in enumerate(nodes):
        if count > _MOST_ELEMENTS:
            raise NotWellMade("too_large")
        if isinstance(node, etree._Comment | etree._ProcessingInstruction | etree._Entity):  # noqa: SLF001
            raise NotWellMade("comment_or_instruction")
    _one_name_each(root)
    return root


def check_response(message: bytes) -> Any:
    """The root of a response with one assertion, and signatures as a provider makes them."""
    root = parsed(message)
    if root.tag != f"{{{SAMLP}}}Response":
        raise NotWellMade("not_a_response")
    _one_assertion(root)
    _signatures(root)
    _ciphers(root)
    return root


def check_decrypted(root: Any) -> None:
    """The same for what an encrypted assertion held: it was not to be seen before."""
    _one_name_each(root)
    if len(_named(root, SAML, "Assertion")) != 1 or _named(root, SAML, "EncryptedAssertion"):
        raise NotWellMade("several_assertions")
    _signatures(root)
    # Asked by path: the library's elements do not show them otherwise.
    if root.xpath("//comment()|//processing-instruction()"):
        raise NotWellMade("comment_or_instruction")


def _named(root: Any, space: str, name: str) -> list[Any]:
    return list(root.iter(f"{{{space}}}{name}"))


def _one_assertion(root: Any) -> None:
    """One, right under the response: none in an envelope, an extension or a signature's object."""
    found = _named(root, SAML, "Assertion") + _named(root, SAML, "EncryptedAssertion")
    if len(found) != 1 or found[0].getparent() is not root:
        raise NotWellMade("several_assertions")
    if len(_named(root, SAMLP, "Response")) != 1:
        raise NotWellMade("several_responses")


def _one_name_each(root: Any) -> None:
    seen: set[str] = set()
    for element in root.iter():
        if not isinstance(element.tag, str):
            continue
        for name in _names_of(element):
            if name in seen:
                raise NotWellMade("one_id_twice")
            seen.add(name)


def _names_of(element: Any) -> Iterator[str]:
    for attribute, value in element.attrib.items():
        # However it is spelt, and in whatever space: verifiers differ in which one they believe.
        if etree.QName(attribute).localname.lower() == "id":
            yield value


def _signatures(root: Any) -> None:
    for signature in _named(root, DS, "Signature"):
        parent = signature.getparent()
        if parent is None or parent.tag not in {f"{{{SAMLP}}}Response", f"{{{SAML}}}Assertion"}:
            raise NotWellMade("signature_elsewhere")
        if len([each for each in parent if each.tag == signature.tag]) != 1:
            raise NotWellMade("several_signatures")
        if _named(signature, DS, "Object") or len(_named(signature, DS, "SignedInfo")) != 1:
            raise NotWellMade("signature_with_more")
        references = _named(signature, DS, "Reference")
        if len(references) != 1 or references[0].get("URI") != f"#{parent.get('ID')}":
            raise NotWellMade("signs_something_else")
        _algorithms(signature)


def _algorithms(signature: Any) -> None:
    def said(name: str) -> list[str]:
        return [each.get("Algorithm", "") for each in _named(signature, DS, name)]

    if len(said("SignatureMethod")) != 1 or not _SIGNATURES.issuperset(said("SignatureMethod")):
        raise NotWellMade("wrong_algorithm")
    if len(said("DigestMethod")) != 1 or not _DIGESTS.issuperset(said("DigestMethod")):
        raise NotWellMade("wrong_algorithm")
    if len(said("CanonicalizationMethod")) != 1 or not _EXCLUSIVE.issuperset(
        said("CanonicalizationMethod")
    ):
        raise NotWellMade("wrong_algorithm")
    transforms = said("Transform")
    if transforms.count(_ENVELOPED) != 1 or not (_EXCLUSIVE | {_ENVELOPED}).issuperset(transforms):
        raise NotWellMade("wrong_transform")


def _ciphers(root: Any) -> None:
    """For the data one of the good ciphers, for its key OAEP: PKCS #1 v1.5 is an oracle."""
    for method in _named(root, XENC, "EncryptionMethod"):
        wraps_key = method.getparent().tag == f"{{{XENC}}}EncryptedKey"
        if method.get("Algorithm") not in (_KEY_TRANSPORT if wraps_key else _CIPHERS):
            raise NotWellMade("wrong_cipher")
    for kind in ("EncryptedData", "EncryptedKey"):
        for element in _named(root, XENC, kind):
            if element.find(f"{{{XENC}}}EncryptionMethod") is None:
                raise NotWellMade("wrong_cipher")
