"""Every disguise in which a protected value might show itself."""

import base64
import hashlib


def disguises(value):
    """Texts of which none may appear in anything that leaves."""
    data = value.encode()
    digits = "".join(c for c in value if c.isdigit())
    forms = {
        value,
        value[::-1],
        data.hex(),
        base64.b64encode(data).decode().rstrip("="),
        base64.urlsafe_b64encode(data).decode().rstrip("="),
        *(hashlib.new(n, data).hexdigest() for n in ("md5", "sha1", "sha224", "sha256", "sha512")),
    }
    if len(digits) >= 6:
        forms |= {digits, digits[::-1]}
    return {f.lower() for f in forms}


def leaks(text, canaries):
    """The canaries that a text gives away, in whatever form."""
    lowered = text.lower()
    return [c for c in canaries if any(f in lowered for f in disguises(c))]
