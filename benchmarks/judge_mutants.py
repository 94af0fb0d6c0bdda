"""Mutation testing of the rules engine and of the rewrite, in a copy of the tree.

``python benchmarks/judge_mutants.py [module …]`` prints how many mutants the tests kill and which
survive. Modules default to connections/policy and the parts that put masks in place.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MODULES = (
    "connections/policy/engine.py",
    "connections/policy/matching.py",
    "connections/policy/protections.py",
    "connections/policy/defaults.py",
    "connections/policy/document.py",
    "connections/policy/types.py",
    "connections/sql/rewrite.py",
    "connections/sql/syntax.py",
    "connections/sql/headers.py",
    "connections/masking/judgement.py",
)
TESTS = (
    "tests/connections/policy",
    "tests/connections/sql/test_rewrite.py",
    "tests/connections/sql/test_syntax.py",
    "tests/connections/sql/test_headers.py",
    "tests/connections/sql/test_counts.py",
    "tests/connections/masking/test_strategies.py",
    "tests/connections/test_judge.py",
    "tests/connections/test_judge_corpora.py",
    "tests/connections/test_judge_table.py",
)
PURE = ("sql", "policy", "masking")


def prepare(target: Path, modules: tuple[str, ...]) -> None:
    """A tree with the pure packages, their tests, and nothing that needs settings."""
    for name in PURE:
        shutil.copytree(ROOT / "connections" / name, target / "connections" / name)
    (target / "connections" / "management" / "commands").mkdir(parents=True)
    for path in ("judge.py", "__init__.py", "management/commands/judge.py"):
        shutil.copy(ROOT / "connections" / path, target / "connections" / path)
    for package in ("connections/management", "connections/management/commands"):
        (target / package / "__init__.py").touch()
    shutil.copytree(ROOT / "tests" / "corpora", target / "tests" / "corpora")
    for path in TESTS:
        origin, copy = ROOT / path, target / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            shutil.copytree(origin, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(origin, copy)
    for package in ("tests", "tests/connections", "tests/connections/sql"):
        (target / package / "__init__.py").touch()
    listed = "\n    ".join(modules)
    tests = "\n    ".join(TESTS)
    (target / "setup.cfg").write_text(
        "[mutmut]\n"
        f"paths_to_mutate=\n    {listed}\n"
        f"tests_dir=\n    {tests}\n"
        "also_copy=\n    connections\n    tests\n"
        "[tool:pytest]\naddopts = -p no:django -p no:cacheprovider\n"
    )


def main() -> int:
    modules = tuple(sys.argv[1:]) or MODULES
    mutmut = str(Path(sys.executable).with_name("mutmut"))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        prepare(target, modules)
        code = subprocess.run([mutmut, "run"], cwd=target, check=False).returncode
        subprocess.run([mutmut, "results"], cwd=target, check=False)
    return code


if __name__ == "__main__":
    sys.exit(main())
