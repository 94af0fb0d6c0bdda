"""Makes ``.venv`` from a lock file, and finds or fetches a browser for the tests.

Run by any Python 3.11 with nothing installed: ``python3.11 -I .ci/install.py local|dev``.
A second run sees by the lock file's digest that there is nothing to do.
"""

import argparse
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
LOCKS = ROOT / "requirements"
# Installing the larger set installs the smaller one too.
INCLUDED = {"dev": ("local",)}
# pip's settings that uv knows by another name.
TRANSLATED = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "proxy": "ALL_PROXY",
}


class InstallError(Exception):
    """Something cannot be installed; the text says what to do about it."""


def _own(path: str) -> ModuleType:
    """One of our modules by path: importing its package would need what is not installed yet."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


steps = _own("hoopweb/local/steps.py")
browser = _own("hoopweb/local/browser.py")


def run(
    command: Sequence[str | Path], env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - commands of this file
        [str(part) for part in command],
        env=dict(env) if env is not None else None,
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def said(result: subprocess.CompletedProcess[str]) -> str:
    """The end of what a command printed."""
    return "\n".join((result.stdout + result.stderr).strip().splitlines()[-25:])


def _works() -> bool:
    asked = "import sys; sys.exit(sys.version_info[:2] != (3, 11))"
    try:
        return run([PYTHON, "-c", asked]).returncode == 0
    except OSError:
        return False


def make_environment() -> None:
    """Create ``.venv``, or make it anew when its Python has gone."""
    if _works():
        return
    made = run([sys.executable, "-m", "venv", "--clear", VENV])
    if made.returncode == 0:
        return
    # Some systems ship Python without ensurepip; their own pip can still fill the environment.
    bare = run([sys.executable, "-m", "venv", "--clear", "--without-pip", VENV])
    own_pip = run([sys.executable, "-m", "pip", "--python", PYTHON, "install", "pip"])
    if bare.returncode or own_pip.returncode:
        raise InstallError(
            f"Python at {sys.executable} cannot make a virtual environment:\n{said(made)}\n"
            "Install its venv module (on Debian and Ubuntu: apt install python3.11-venv)."
        )


def settings_for_uv() -> dict[str, str]:
    """The environment for uv, with what pip was told about indexes and certificates."""
    env = dict(os.environ)
    listed = run([PYTHON, "-m", "pip", "config", "list"]).stdout
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        _, _, option = name.replace(":env:", "").rpartition(".")
        if (ours := TRANSLATED.get(option)) and not os.environ.get(ours):
            env[ours] = value.strip("'\"")
    if not _can_write(Path(env.get("UV_CACHE_DIR") or _default_cache(env))):
        env["UV_NO_CACHE"] = "1"
    # The environment and the cache may lie on different file systems; nobody needs to hear of it.
    env.setdefault("UV_LINK_MODE", "copy" if "UV_NO_CACHE" in env else "hardlink")
    env["UV_NO_PROGRESS"] = "1"
    return env


def _default_cache(env: Mapping[str, str]) -> str:
    base = env.get("XDG_CACHE_HOME") or str(Path(env.get("HOME") or "/nonexistent") / ".cache")
    return str(Path(base) / "uv")


def _can_write(directory: Path) -> bool:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            return True
    except OSError:
        return False


def digest_of(name: str) -> str:
    content = (LOCKS / f"{name}.lock").read_bytes() + sys.version.encode()
    return hashlib.sha256(content).hexdigest()


def stamp_of(name: str) -> Path:
    return VENV / f".installed-{name}"


def is_installed(name: str) -> bool:
    try:
        return stamp_of(name).read_text() == digest_of(name) and _works()
    except OSError:
        return False


def install(name: str) -> str:
    """Install one lock file with every hash checked. Returns which installer did it."""
    lock = LOCKS / f"{name}.lock"
    pip: list[str | Path] = [
        PYTHON,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    with_uv = run([*pip, "--require-hashes", "-r", LOCKS / "installer.lock"])
    by = "uv"
    if with_uv.returncode == 0:
        command: list[str | Path] = [UV, "pip", "install", "--python", PYTHON, "--require-hashes"]
        command += ["-r", lock]
        env = settings_for_uv()
        with_uv = run(command, env=env)
        if with_uv.returncode and "certificate" in with_uv.stderr.lower():
            # Some networks are known to the system's certificates only.
            with_uv = run(command, env=env | {"UV_SYSTEM_CERTS": "1"})
    if with_uv.returncode:
        # pip is slower and knows every way of reaching an index that its own settings name.
        by = "pip"
        with_pip = run([*pip, "--require-hashes", "-r", lock])
        if with_pip.returncode:
            raise InstallError(
                f"{lock.relative_to(ROOT)} cannot be installed.\n\nuv:\n{said(with_uv)}\n\n"
                f"pip:\n{said(with_pip)}\n\nIs a package index reachable? pip's own settings are "
                "used: PIP_INDEX_URL, PIP_CERT, PIP_PROXY, or pip.conf."
            )
    for done in (name, *INCLUDED.get(name, ())):
        stamp_of(done).write_text(digest_of(done))
    return by


def ensure_browser() -> str:
    """The path of a browser that starts, installing one when there is none."""
    if found := browser.find_browser():
        return str(found)
    tried = []
    if os.geteuid() == 0 and shutil.which("apt-get"):
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update"], env=env)
        tried.append(said(run(["apt-get", "install", "-y", "chromium"], env=env)))
        if found := browser.find_browser():
            return str(found)
    env = {**os.environ, "PLAYWRIGHT_BROWSERS_PATH": str(browser.DOWNLOADS)}
    tried.append(said(run([PYTHON, "-m", "playwright", "install", "chromium"], env=env)))
    if found := browser.find_browser():
        return str(found)
    raise InstallError(
        "No browser for the tests: Chromium is not on the path and could not be installed.\n"
        + "\n".join(tried)
        + "\nInstall Chromium (on Debian and Ubuntu, as root: apt install chromium), or name one "
        "by HOOPWEB_CHROMIUM, then try again."
    )


def main() -> int:
    """Install what is asked for. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", choices=("local", "dev"))
    parser.add_argument("--browser", action="store_true", help="also find or fetch a browser")
    wanted = parser.parse_args()
    if sys.version_info[:2] != (3, 11):
        print(f"Python 3.11 is needed; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 1
    progress = steps.Steps()
    state = ROOT / "var"
    state.mkdir(exist_ok=True)
    # Not inside the environment, which `venv --clear` empties.
    with (state / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            if not is_installed(wanted.set):
                with progress.step("environment"):
                    make_environment()
                with progress.step("packages", f"requirements/{wanted.set}.lock") as step:
                    step.detail += f", by {install(wanted.set)}"
            if wanted.browser:
                with progress.step("browser") as step:
                    step.detail = ensure_browser()
        except InstallError as error:
            print(f"\n{error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
