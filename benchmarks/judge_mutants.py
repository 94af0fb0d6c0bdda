"""Mutation testing of the rules engine and of the rewrite, in a copy of the tree.

``python benchmarks/judge_mutants.py [module …]`` prints how many mutants the tests kill and which
survive. Modules default to connections/policy and the parts that put masks in place.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
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
MUTMUT = str(Path(sys.executable).with_name("mutmut"))
# How a mutant's tests ended, by their exit code; any other was no measurement.
END = {
    **dict.fromkeys((1, 3), "killed"),
    **dict.fromkeys((36, 24, -24, 152), "timeout"),
    0: "survived",
    **dict.fromkeys((5, 33), "no tests"),
}
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
        f"source_paths=\n    {listed}\n"
        f"pytest_add_cli_args_test_selection=\n    {tests}\n"
        "also_copy=\n    connections\n    tests\n"
        # Forked from a process that has run tests, a mutant would inherit threads that are gone.
        "process_isolation=forkserver\n"
        "[tool:pytest]\naddopts = -p no:django -p no:cacheprovider\n"
    )


def main() -> int:
    modules = tuple(sys.argv[1:]) or MODULES
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder)
        prepare(target, modules)
        code = subprocess.run([MUTMUT, "run"], cwd=target, check=False).returncode
        tell(target, modules)
    return code


def tell(target: Path, modules: tuple[str, ...]) -> None:
    """Per module what was killed, and every mutant that was not, with its change."""
    figures = {}
    for module in modules:
        kept = target / "mutants" / f"{module}.meta"
        codes = json.loads(kept.read_text())["exit_code_by_key"] if kept.exists() else {}
        ends = {name: END.get(code, "unmeasured") for name, code in codes.items()}
        counted = Counter(ends.values())
        good = counted["killed"] + counted["timeout"]
        figures[module] = dict(counted) | {"mutants": len(ends)}
        share = 100 * good / len(ends) if ends else 0.0
        print(f"{module:36}{len(ends):>6} mutants {share:5.1f} % killed  {dict(counted)}")
        for name, end in ends.items():
            if end in {"killed", "timeout"}:
                continue
            print(f"\n{name}: {end}")
            shown = subprocess.run(
                [MUTMUT, "show", name], cwd=target, check=False, capture_output=True, text=True
            )
            changed = [line for line in shown.stdout.splitlines() if re.match(r"[-+][^-+]", line)]
            print("\n".join(changed), flush=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    sys.exit(main())
