"""Known vulnerabilities in what the image holds: ``python .ci/audit.py``.

Asks the advisory service (PyPI's, or OSV by ``PIP_AUDIT_VULNERABILITY_SERVICE=osv``) about every
line of requirements/runtime.lock. A finding fails. Where the service cannot be reached, nothing
is known: that is said, and does not fail, so that work goes on behind a plain package index.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "runtime.lock"
# Advisories that do not concern us, each with why and until when. Nothing at present.
IGNORED: dict[str, str] = {}
# What is asked first: without an answer about it there will be none about the others.
PROBE = "django"


def main() -> int:
    """Returns 0, or 1 when something is known to be vulnerable."""
    lock = LOCK.read_text(encoding="utf-8")
    first = next(part for part in _parts(lock) if part.startswith(f"{PROBE}=="))
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "probe.txt"
        probe.write_text(first, encoding="utf-8")
        if not _reached(asked := ask(probe)):
            print(f"! vulnerabilities: not audited, {asked.get('why', 'no advisories from here')}")
            return 0
    found = ask(LOCK)
    skipped = [each["name"] for each in found["dependencies"] if "skip_reason" in each]
    if skipped:
        print(f"! vulnerabilities: nothing is known of {', '.join(skipped)}")
    wrong = [
        f"{each['name']} {each['version']}: {vuln['id']} "
        f"(mended in {', '.join(vuln['fix_versions']) or 'no version yet'})"
        for each in found["dependencies"]
        for vuln in each.get("vulns", ())
        if not {vuln["id"], *vuln.get("aliases", ())} & IGNORED.keys()
    ]
    if wrong:
        print("\n".join(wrong))
        print("Raise the version (make lock), or say in .ci/audit.py why it does not concern us.")
    return int(bool(wrong))


def ask(requirements: Path) -> dict[str, Any]:
    """What pip-audit says of a lock file; ``why`` when it could not ask."""
    service = os.environ.get("PIP_AUDIT_VULNERABILITY_SERVICE", "pypi")
    command = [
        sys.executable, "-m", "pip_audit", "-r", str(requirements), "-f", "json", "-s", service,
        "--require-hashes", "--disable-pip", "--progress-spinner", "off", "--timeout", "10",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        lines = done.stderr.strip().splitlines() or ["pip-audit said nothing"]
        return {"dependencies": [], "why": f"the advisory service does not answer ({lines[-1]})"}
    return answer


def _reached(answer: dict[str, Any]) -> bool:
    return any("skip_reason" not in each for each in answer["dependencies"])


def _parts(lock: str) -> list[str]:
    """Each requirement with its hashes."""
    return lock.replace("\\\n", "\\\0").replace("\n", "\n\1").replace("\0", "\n").split("\1")


if __name__ == "__main__":
    sys.exit(main())
