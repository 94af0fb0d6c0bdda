"""Finds a browser for the tests. Only the standard library: it also serves before installing."""

import os
import shutil
import subprocess
from pathlib import Path

# Where playwright's own download goes when there is no other browser: beside the packages.
DOWNLOADS = Path(__file__).resolve().parents[2] / ".venv" / "browsers"

_NAMES = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser", "chrome")


def find_browser() -> str | None:
    """The path of a Chromium that starts: named by HOOPWEB_CHROMIUM, on the path, or downloaded."""
    named = os.environ.get("HOOPWEB_CHROMIUM")
    candidates = [named] if named else [found for n in _NAMES if (found := shutil.which(n))]
    candidates += sorted(str(p) for p in DOWNLOADS.glob("chromium-*/chrome-linux*/chrome"))
    return next((path for path in candidates if _starts(path)), None)


def _starts(path: str) -> bool:
    # Some systems have a stub of that name which only asks to install something else.
    try:
        answer = subprocess.run(  # noqa: S603 - a browser found above, asked for its version
            [path, "--version"], capture_output=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0
