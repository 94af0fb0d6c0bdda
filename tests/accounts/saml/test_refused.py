"""Answers that are not the provider's word, for us, now, to our request: each is refused.

All are made from what the real provider really signed.
"""

import base64
import copy

import pytest
import xmlsec
from django.test import Client
from lxml import etree

from accounts import attempts
from accounts.models import User
from accounts.saml import xml as saml_xml
from recordings.models import AuditEntry
from tests.accounts.saml.conftest import ENTITY_ID, Answer, elliptic_key_and_certificate

pytestmark = pytest.mark.django_db

NAMES = saml_xml.NAMES
TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"


@pytest.fixture
def refused(client, bring):
    """``refused(answer)`` is the reason in the trail; nobody is in."""

    def why(answer):
        shown = bring(answer)
        assert shown.status_code in {400, 403}, shown
        assert client.get("/profile/").status_code == 302
        assert not User.objects.exists()
        entry = AuditEntry.objects.filter(action="sign-in-refused").order_by("-number").first()
        assert entry.after["by"] == "saml"
        return entry.after["why"]

    return why


@pytest.mark.parametrize(
    ("otherwise", "why"),
    [
        ({"options": {"signAssertion": False}}, "unsigned"),
        # The message is signed, and the assertion is not.
        ({"options": {"signAssertion": False, "signResponse": True}}, "unsigned"),
        ({"key": "other"}, "wrong_signature"),
        ({"options": {"signatureAlgorithm": "rsa-sha1"}}, "wrong_algorithm"),
        ({"options": {"digestAlgorithm": "sha1"}}, "wrong_algorithm"),
        ({"shift": -3600}, "expired"),
        ({"shift": -301}, "not_confirmed"),
        ({"shift": 120}, "not_yet_valid"),
        ({"options": {"lifetimeInSeconds": 172800}}, "lives_too_long"),
        ({"options": {"audience": "https://other.example.com"}}, "wrong_audience"),
        ({"options": {"audience": "http://testserver/saml/metadata/x"}}, "wrong_audience"),
        ({"options": {"audience": ""}}, "wrong_audience"),
        ({"options": {"recipient": "https://other.example.com/acs"}}, "not_confirmed"),
        ({"options": {"recipient": "http://testserver/saml/acs/x"}}, "wrong_recipient"),
        ({"options": {"recipient": ""}}, "wrong_recipient"),
        ({"options": {"destination": "https://other.example.com/acs"}}, "wrong_destination"),
        ({"options": {"destination": "http://testserver/saml/acs/x"}}, "wrong_destination"),
        ({"options": {"issuer": "https://evil.example.com"}}, "wrong_issuer"),
        ({"options": {"inResponseTo": "_another"}}, "wrong_request"),
        ({"user": {"format": TRANSIENT}}, "wrong_name_format"),
        ({"user": {"name": "n" * 256}}, "unusable_subject"),
        ({"encrypt": "http://www.w3.org/2001/04/xmlenc#tripledes-cbc"}, "wrong_cipher"),
    ],
)  # fmt: skip
def test_what_the_provider_signed_otherwise(ask, refused, otherwise, why):
    assert refused(ask("nora", **otherwise)) == why


def test_an_answer_is_taken_once(client, ask, bring):
    answer = ask("nora")
    assert bring(answer).status_code == 302
    client.post("/sign-out/")
    assert bring(answer).status_code == 400
    # Nor while it waits for its browser.
    second = ask("nora")
    posted = {"SAMLResponse": second.message, "RelayState": second.relay_state}
    assert Client().post("/saml/acs/", posted).status_code == 303
    assert Client().post("/saml/acs/", posted).status_code == 403


def test_an_assertion_answers_one_request(ask, refused):
    first, second = ask("nora"), ask("nora")
    assert refused(Answer(first.message, second.relay_state)) == "wrong_request"


@pytest.mark.parametrize("relay_state", ["", "/profile/", "00000000-0000-0000-0000-000000000001"])
def test_what_nobody_asked_for_is_refused(ask, refused, relay_state):
    """Sign-in that the provider begins: nothing here waits for it."""
    assert refused(Answer(ask("nora").message, relay_state)) == "not_asked_for"


@pytest.mark.parametrize(
    ("part", "forged"),
    [
        (">nora<", ">olga<"),
        (">analysts<", ">admins<"),
        ("nora@company.example", "olga@company.example"),
        ('Recipient="http://testserver/saml/acs/"', 'Recipient="http://testserver/saml/acs/x"'),
    ],
)
def test_what_was_altered_is_refused(ask, refused, part, forged):
    answer = ask("nora")
    assert part in answer.xml
    assert refused(answer.changed(answer.xml.replace(part, forged))) in {
        "wrong_signature",
        "not_confirmed",
        "wrong_recipient",
    }


def test_an_altered_cipher_text_is_refused(ask, refused):
    answer = ask("nora", encrypt="http://www.w3.org/2009/xmlenc11#aes256-gcm")
    root = etree.fromstring(answer.xml)
    value = root.findall(".//xenc:CipherValue", NAMES)[-1]
    content = bytearray(base64.b64decode(value.text))
    content[-40] ^= 1
    value.text = base64.b64encode(bytes(content)).decode()
    assert refused(answer.changed(etree.tostring(root).decode())) == "unreadable_message"


def _parts(answer):
    root = etree.fromstring(answer.xml)
    assertion = root.find("saml:Assertion", NAMES)
    return root, assertion, assertion.find("ds:Signature", NAMES)


def _evil(assertion, *, keep_signature, name="_evil"):
    forged = copy.deepcopy(assertion)
    forged.set("ID", name)
    forged.find("saml:Subject/saml:NameID", NAMES).text = "olga"
    if not keep_signature:
        forged.remove(forged.find("ds:Signature", NAMES))
    return forged


def _wrap_response(root, *, under_signature):
    """Variants 1 and 2: a forged response around the signed one."""
    forged = copy.deepcopy(root)
    forged.set("ID", "_evil")
    assertion = forged.find("saml:Assertion", NAMES)
    assertion.find("saml:Subject/saml:NameID", NAMES).text = "olga"
    signature = root.find("ds:Signature", NAMES)
    theirs = forged.find("ds:Signature", NAMES)
    original = copy.deepcopy(root)
    original.remove(original.find("ds:Signature", NAMES))
    if under_signature:
        theirs.append(etree.SubElement(theirs, f"{{{saml_xml.DS}}}Object"))
        theirs[-1].append(original)
    else:
        forged.insert(list(forged).index(theirs), original)
    assert signature is not None
    return forged


def _variant(number, answer):
    """The eight signature wrappings, as they are counted in the literature."""
    root, assertion, signature = _parts(answer)
    if number in {1, 2}:
        return _wrap_response(root, under_signature=number == 1)
    if number == 3:  # forged one before the signed one
        root.insert(list(root).index(assertion), _evil(assertion, keep_signature=False))
    elif number == 4:  # forged one around the signed one
        forged = _evil(assertion, keep_signature=False)
        root.replace(assertion, forged)
        forged.append(assertion)
    elif number == 5:  # forged one with the signature, signed one after it
        forged = _evil(assertion, keep_signature=True)
        root.replace(assertion, forged)
        assertion.remove(signature)
        root.append(assertion)
    elif number == 6:  # signed one inside the forged one's signature
        forged = _evil(assertion, keep_signature=True)
        root.replace(assertion, forged)
        assertion.remove(signature)
        forged.find("ds:Signature", NAMES).append(assertion)
    elif number == 7:  # forged one in an extension
        extensions = etree.Element(f"{{{saml_xml.SAMLP}}}Extensions")
        extensions.append(_evil(assertion, keep_signature=False))
        root.insert(1, extensions)
    elif number == 8:  # signed one in an object of the signature
        forged = _evil(assertion, keep_signature=True)
        root.replace(assertion, forged)
        assertion.remove(signature)
        kept = etree.SubElement(forged.find("ds:Signature", NAMES), f"{{{saml_xml.DS}}}Object")
        kept.append(assertion)
    return root


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("same_name", [False, True])
def test_a_wrapped_signature_is_refused(ask, refused, number, same_name):
    both = {"options": {"signResponse": True}} if number in {1, 2} else {}
    answer = ask("nora", **both)
    root = _variant(number, answer)
    text = etree.tostring(root).decode()
    if same_name:
        signed = etree.fromstring(answer.xml).find("saml:Assertion", NAMES).get("ID")
        text = text.replace('ID="_evil"', f'ID="{signed}"')
    assert "olga" in text
    assert refused(answer.changed(text)) in {
        "several_assertions",
        "several_responses",
        "one_id_twice",
        "signature_with_more",
    }


@pytest.mark.parametrize("number", range(1, 9))
def test_the_library_refuses_wrapping_too(ask, place, number, monkeypatch):
    """Two locks: without ours, the library's holds."""
    from accounts.oidc.refusal import SignInRefused
    from accounts.saml import assertion

    both = {"options": {"signResponse": True}} if number in {1, 2} else {}
    answer = ask("nora", **both)
    text = etree.tostring(_variant(number, answer))
    request = etree.fromstring(answer.xml).get("InResponseTo")
    monkeypatch.setattr(saml_xml, "check_response", lambda _: None)
    monkeypatch.setattr(saml_xml, "check_decrypted", lambda _: None)
    with pytest.raises(SignInRefused):
        assertion.verify(base64.b64encode(text).decode(), request_id=request)


def _signed_anew(answer, key, certificate, algorithm):
    """The same assertion, signed by another key in another way."""
    root, assertion, signature = _parts(answer)
    assertion.remove(signature)
    made = xmlsec.template.create(
        assertion, xmlsec.Transform.EXCL_C14N, algorithm, name="s", ns="ds"
    )
    assertion.insert(1, made)
    reference = xmlsec.template.add_reference(
        made, xmlsec.Transform.SHA256, uri=f"#{assertion.get('ID')}"
    )
    xmlsec.template.add_transform(reference, xmlsec.Transform.ENVELOPED)
    xmlsec.template.add_transform(reference, xmlsec.Transform.EXCL_C14N)
    xmlsec.template.add_x509_data(xmlsec.template.ensure_key_info(made))
    xmlsec.tree.add_ids(assertion, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(key, xmlsec.KeyFormat.PEM)
    context.key.load_cert_from_memory(certificate, xmlsec.KeyFormat.PEM)
    context.sign(made)
    del made.attrib["Id"]
    return answer.changed(etree.tostring(root).decode())


def test_an_elliptic_key_is_taken_too(settings, place, ask, bring):
    key, certificate = elliptic_key_and_certificate()
    settings.SAML_IDP_METADATA = ""
    settings.SAML_IDP_ENTITY_ID = ENTITY_ID
    settings.SAML_IDP_SSO_URL = f"{place}/sso"
    settings.SAML_IDP_CERTIFICATE = certificate
    signed = _signed_anew(ask("nora"), key, certificate, xmlsec.Transform.ECDSA_SHA256)
    assert bring(signed).status_code == 302


def test_a_certificate_in_the_answer_proves_nothing(ask, refused):
    key, certificate = elliptic_key_and_certificate()
    signed = _signed_anew(ask("nora"), key, certificate, xmlsec.Transform.ECDSA_SHA256)
    assert "X509Certificate" in signed.xml
    assert refused(signed) == "wrong_signature"


def test_a_comment_does_not_cut_a_name_short(ask, refused):
    answer = ask("nora")
    forged = answer.xml.replace(">nora<", ">no<!---->ra<")
    assert refused(answer.changed(forged)) == "comment_or_instruction"
    forged = answer.xml.replace(">nora<", ">no<?x?>ra<")
    assert refused(answer.changed(forged)) == "comment_or_instruction"


_BOMB = "".join(
    f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' if n else '<!ENTITY e0 "nora">' for n in range(9)
)


@pytest.mark.parametrize(
    "types",
    [
        f"<!DOCTYPE r [{_BOMB}]>",
        '<!DOCTYPE r [<!ENTITY e8 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE r SYSTEM "http://127.0.0.1:1/evil.dtd">',
        "<!DOCTYPE r [<!ATTLIST r ID ID #IMPLIED>]>",
    ],
)  # fmt: skip
def test_types_and_entities_are_refused(ask, refused, types):
    answer = ask("nora")
    forged = types + answer.xml.replace(">nora<", ">&e8;<")
    assert refused(answer.changed(forged)) == "own_types"


def test_another_encoding_hides_nothing(ask, refused):
    answer = ask("nora")
    text = f'<?xml version="1.0" encoding="utf-16"?><!DOCTYPE r []>{answer.xml}'
    forged = Answer(base64.b64encode(text.encode("utf-16")).decode(), answer.relay_state)
    assert refused(forged) == "not_utf_8"


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("", "no_message"),
        ("%%%", "unreadable_message"),
        (base64.b64encode(b"no xml").decode(), "unreadable_message"),
        (base64.b64encode(b"<a/>").decode(), "not_a_response"),
        (base64.b64encode(b"<a>" * 300 + b"</a>" * 300).decode(), "unreadable_message"),
        (base64.b64encode(b"<a>" + b"<b/>" * 6000 + b"</a>").decode(), "too_large"),
        ("A" * 400_000, "too_large"),
    ],
)
def test_what_is_no_answer_at_all(ask, refused, message, why):
    assert refused(Answer(message, ask("nora").relay_state)) == why


def test_a_refusal_by_the_provider_is_said(ask, refused):
    answer = ask("nora")
    root, *_ = _parts(answer)
    root.find("samlp:Status/samlp:StatusCode", NAMES).set(
        "Value", "urn:oasis:names:tc:SAML:2.0:status:Responder"
    )
    assert refused(answer.changed(etree.tostring(root).decode())) == "refused_by_provider"


def test_too_many_answers_that_do_not_hold_are_not_looked_at(client, ask):
    answer = ask("nora")
    for _ in range(attempts.PER_ADDRESS_OF_ANSWERS):
        assert Client().post("/saml/acs/", {"RelayState": "x"}).status_code == 400
    posted = {"SAMLResponse": answer.message, "RelayState": answer.relay_state}
    assert Client().post("/saml/acs/", posted).status_code == 429
