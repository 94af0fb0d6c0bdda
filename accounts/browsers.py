"""Browsers, by their own description of themselves, in words.

The description is only for reading: anyone can claim to be any browser.
"""

_NAMES = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def in_words(client: str) -> str:
    """Such as "Firefox on Windows"."""
    name = next((name for mark, name in _NAMES if mark in client), "")
    system = next((name for mark, name in _SYSTEMS if mark in client), "")
    if name and system:
        return f"{name} on {system}"
    return name or system or "Unknown browser"
