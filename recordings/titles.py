"""What a session is called. Pure."""

from recordings import chain

_LENGTH = 120


def title_from(text: str) -> str:
    """The first line of a prompt, short enough for a list."""
    line = next(
        (" ".join(part.split()) for part in chain.plain(text).splitlines() if part.strip()), ""
    )
    return line if len(line) <= _LENGTH else line[: _LENGTH - 1].rstrip() + "…"
