"""What a reviewer is told about statements that move files. Pure."""

from collections.abc import Mapping
from typing import Any

_PLACES = "File names, sizes, the stage and the storage's place are."
_SAID = {
    "put": (
        "The agent's driver uploads files by itself",
        (
            "They go straight from the agent's machine to Snowflake's storage. What is in them "
            f"does not pass the gateway: nobody looks at it, and it is not recorded. {_PLACES}"
        ),
    ),
    "get": (
        "The agent's driver downloads files by itself",
        (
            "They go straight from Snowflake's storage to the agent's machine. What is in them "
            f"does not pass the gateway: nothing in it is masked, and it is not recorded. {_PLACES}"
        ),
    ),
    "remove": ("Files are deleted", "Snowflake does not give back what is removed from a stage."),
    "copy-in": (
        "The content of files becomes rows",
        "Nobody has looked at what is in the files.",
    ),
    "unload": (
        "Rows leave the tables and become files",
        (
            "What is written is what a query would show, with masks where columns are protected. "
            "Whoever may read the stage may read the files."
        ),
    ),
}


def said_of(facts: Mapping[str, Any]) -> dict[str, str] | None:
    """Title and text for a statement with these facts; None where no file moves."""
    transfer = facts.get("transfer")
    found = _SAID.get(str(transfer.get("direction"))) if isinstance(transfer, dict) else None
    return {"title": found[0], "text": found[1]} if found is not None else None
