"""Everything that has to hold, with the time of each: ``python .ci/check.py [pytest arguments]``.

One stage that fails does not hide the next. The tests come last, so their line closes the output.
Without arguments all of them run, in several processes; what arguments choose runs in one.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

STAGES: dict[str, list[str]] = {
    "mypy": ["mypy", "."],
    "ruff check": ["ruff", "check", "--quiet", "."],
    "ruff format": ["ruff", "format", "--check", "--quiet", "."],
    "imports": ["lint-imports", "--no-logo"],
    "migrations": ["python", "manage.py", "makemigrations", "--check", "--dry-run"],
    "audit": ["python", ".ci/audit.py"],
    "djlint": ["djlint", "templates", "--lint", "--check"],
}

# A process for each processor, each with a Postgres of its own; the slowest are told at the end.
ALL_TESTS = ["-n", "logical", "--maxprocesses=4", "--durations=25", "--durations-min=5"]


def environment() -> dict[str, str]:
    """A command that loads the settings needs keys, which no file of the repository holds."""
    from hoopweb.local import keys

    # Nothing is asked of the database, which need not exist.
    database = {"DATABASE_URL": "postgresql:///hoopweb"}
    return {**os.environ, **database, **keys.fresh(), "HOOPWEB_LOCAL": "1"}


def stage(name: str, env: dict[str, str]) -> tuple[str, bool, float, str]:
    started = time.monotonic()
    command = STAGES[name]
    done = subprocess.run(  # noqa: S603 - the commands above
        [BIN / command[0], *command[1:]],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return name, done.returncode == 0, time.monotonic() - started, done.stdout.strip()


def main(arguments: list[str]) -> int:
    """Run every stage, then the tests. Returns the exit status."""
    started = time.monotonic()
    # As it was before anything of ours was imported, which points at the product's own settings.
    given = dict(os.environ)
    env = environment()
    failed = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for running in as_completed([pool.submit(stage, name, env) for name in STAGES]):
            name, holds, seconds, output = running.result()
            print(f"{'✓' if holds else '✗'} {name:<14}{seconds:7.1f} s", flush=True)
            if not holds:
                failed.append(name)
                print(output, flush=True)
            elif said := [line for line in output.splitlines() if line.startswith("! ")]:
                print("\n".join(said), flush=True)
    print(f"{'✗' if failed else '✓'} {'stages':<14}{time.monotonic() - started:7.1f} s", flush=True)
    browsers = BIN.parent / "browsers"  # where .ci/install.py fetches one to, if there is none
    if browsers.exists():
        given.setdefault("PLAYWRIGHT_BROWSERS_PATH", str(browsers))
    tests = subprocess.run(  # noqa: S603 - our own tests
        [sys.executable, "-m", "pytest", *(arguments or ALL_TESTS)],
        cwd=ROOT,
        env=given,
        check=False,
    ).returncode
    if failed:
        print(f"\n✗ failed before the tests: {', '.join(failed)}", file=sys.stderr)
    return tests or int(bool(failed))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main(sys.argv[1:]))
