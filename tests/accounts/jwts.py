"""Keys and tokens of an issuer that tests play themselves."""

import base64
import hashlib
import hmac
import json
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

ISSUER = "https://id.example.com"
AUDIENCE = "https://hoopweb.example.com"
RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER_RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def jwk(key, kid, *, private=False):
    kind = jwt.algorithms.ECAlgorithm if hasattr(key, "curve") else jwt.algorithms.RSAAlgorithm
    made = kind.to_jwk(key if private else key.public_key(), as_dict=True)
    made.pop("key_ops", None)
    return {**made, "kid": kid, "use": "sig"}


KEYS = {"keys": [jwk(RSA_KEY, "r1"), jwk(EC_KEY, "e1")]}


def claims(**changed):
    """Claims that hold; None takes one away."""
    now = int(time.time())
    told = {
        "iss": ISSUER,
        "sub": "loader",
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 300,
        **changed,
    }
    return {name: value for name, value in told.items() if value is not None}


def sign(body=None, *, key=RSA_KEY, algorithm="RS256", kid="r1", **header):
    named = {"kid": kid} if kid else {}
    return jwt.encode(claims() if body is None else body, key, algorithm, headers=named | header)


def by_hand(header, body, signature):
    """A token as no library makes it; ``signature`` gets what is to be signed."""

    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    told = part(json.dumps(header).encode()) + b"." + part(json.dumps(body).encode())
    return (told + b"." + part(signature(told))).decode()


def with_public_key_as_secret(body, key=RSA_KEY, kid="r1"):
    """HS256 with the public key, which everybody knows, for a secret."""
    secret = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = {"alg": "HS256", "kid": kid, "typ": "JWT"}
    return by_hand(header, body, lambda told: hmac.new(secret, told, hashlib.sha256).digest())
