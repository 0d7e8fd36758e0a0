"""`make mutants` and `make bench`. Standard library only.

A mutant is a patch in tests/mutants/<name>.patch whose head lines say what it breaks and name the tests that must notice it, as few and
as fast as possible:

    # what: the lock on the contract is gone
    # tests: tests/webapp/races/test_contract_races.py::test_two_approvals_at_once_release_once_and_one_is_a_conflict
    # fresh-db: yes
    diff --git …

It is applied to a copy of the tree, never to the checkout. The test database is made once, by the run without a mutant, and used again
by each; a mutant of the schema or its triggers says `fresh-db: yes` and gets one of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from . import generated, services
from .console import paint, step, table
from .environment import PYTHON, REPO, VAR
from .suites import HOME, _environment, capabilities, prepare

PATCHES = REPO / "tests" / "mutants"
COPY = VAR / "mutants" / "tree"
#: a test that does not come to an end under a mutant is no verdict, and must not stop the others
PATIENCE_SECONDS = 300
BENCHES = {
    "ledger": "tests/load/ledger_bench.py",
    "api": "tests/load/api_bench.py",
    "search": "tests/load/search_bench.py",
    "lists": "tests/load/lists_bench.py",
    "chaos": "tests/load/chaos_bench.py",
    "freshness": "tests/load/freshness_bench.py",
    "platform": "tests/load/platform_bench.py",
    "simulate": "tests/load/simulate_bench.py",
    "growth": "tests/load/growth_bench.py",
    "rounds": "tests/load/rounds_bench.py",
}


@dataclass(frozen=True)
class Mutant:
    """One patch, what it breaks, and the tests that must fail."""

    name: str
    what: str
    tests: tuple[str, ...]
    patch: Path
    fresh_db: bool = False


def read_mutant(patch: Path) -> Mutant:
    """Raises ValueError when the head of the patch does not say what it breaks and which tests notice."""
    head = dict(line[2:].split(": ", 1) for line in patch.read_text().splitlines() if line.startswith("# ") and ": " in line)
    if not head.get("what") or not head.get("tests"):
        raise ValueError(f"{patch.name} needs head lines '# what: …' and '# tests: …'")
    return Mutant(patch.stem, head["what"], tuple(head["tests"].split()), patch, head.get("fresh-db") == "yes")


def _copy_tree() -> None:
    """The tracked files of the checkout as they are now."""
    shutil.rmtree(COPY, ignore_errors=True)
    COPY.mkdir(parents=True)
    files = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, files):
        source, target = REPO / name, COPY / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    # tests that read ../shared find it where the checkout finds it
    shared = COPY.parent / "shared"
    if (REPO.parent / "shared").is_dir() and not shared.exists():
        shared.symlink_to(REPO.parent / "shared")


def _pytest(tests: tuple[str, ...], env: dict[str, str], log: Path, *options: str) -> int:
    """pytest's exit code, -1 when it did not come to an end."""
    command = [str(PYTHON), "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tb=short", *options, *tests]
    with log.open("wb") as out:
        try:
            return subprocess.run(
                command, cwd=COPY, env=env, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False,
                timeout=PATIENCE_SECONDS * max(1, len(tests) // 10),
            ).returncode  # fmt: skip
        except subprocess.TimeoutExpired:
            return -1


def _noticed(log: Path) -> str:
    """The test that failed first and why, in one line."""
    lines = log.read_text(errors="replace").splitlines()
    failed = next((line for line in lines if line.startswith(("FAILED ", "ERROR "))), "")
    reason = next((line[1:].strip() for line in lines if line.startswith("E   ")), "")
    test = failed.split(" - ")[0].rsplit("::", 1)[-1]
    return f"{test}: {reason}"[:120] if failed else ""


def _try(mutant: Mutant, env: dict[str, str]) -> tuple[str, str, float]:
    """("killed" or what is wrong, the test that noticed it and how, seconds)."""
    begin = time.monotonic()
    apply = ["git", "apply", "--whitespace=nowarn", str(mutant.patch)]
    # the copy lies inside the checkout: without a ceiling, git would take the patch for the checkout's and skip it silently
    git = os.environ | {"GIT_CEILING_DIRECTORIES": str(COPY.parent)}
    done = subprocess.run(apply, cwd=COPY, env=git, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"the patch does not apply: {done.stderr.strip()[:200]}", "", time.monotonic() - begin
    log = VAR / "mutants" / f"{mutant.name}.log"
    try:
        if mutant.fresh_db:
            code = _pytest(mutant.tests, env | {"OPENLANCE_DB_NAME": "mutants_fresh"}, log, "--create-db")
        else:
            code = _pytest(mutant.tests, env, log, "--reuse-db")
    finally:
        subprocess.run([*apply, "--reverse"], cwd=COPY, env=git, check=True, capture_output=True)
    said = {0: "SURVIVED: its tests stay green", 1: "killed", -1: "no verdict: its tests did not come to an end"}
    return said.get(code, f"no verdict: pytest ended with code {code}"), _noticed(log), time.monotonic() - begin


def mutants(names: list[str]) -> int:
    """Apply each patch alone and run the tests named for it; 0 when every mutant is killed and the tests are green without it.

    The name `generated` stands for the mutants that nobody wrote: see infra/local/generated.py.
    """
    if names == ["generated"]:
        return generated.run_all()
    there = {p.stem: p for p in sorted(PATCHES.glob("*.patch"))}
    if unknown := set(names) - there.keys():
        print(f"no such mutant: {', '.join(sorted(unknown))}; there are: {', '.join(there)}", file=sys.stderr)
        return 2
    chosen = [read_mutant(p) for name, p in there.items() if not names or name in names]
    prepare()
    lacking = [have for have in (capabilities()[need] for need in ("mariadb", "redis")) if have]
    if lacking:
        print("; ".join(lacking), file=sys.stderr)
        return 1
    env = _environment() | {"OPENLANCE_VAR": str(VAR / "mutants" / "work"), "OPENLANCE_DB_NAME": "mutants"}
    env["PYTHONPATH"] = f"{COPY}{os.pathsep}{COPY / 'webapp'}"
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    folder = HOME / "stores"
    try:
        with step("Test servers, private to var/test"):
            env |= services.start_mariadb(folder, durable=False) | services.start_redis(folder)
        with step("Copy of the tree"):
            _copy_tree()
        return _try_all(chosen, env)
    finally:
        services.stop(folder)


def _try_all(chosen: list[Mutant], env: dict[str, str]) -> int:
    every = tuple(sorted({test for mutant in chosen for test in mutant.tests}))
    control = VAR / "mutants" / "control.log"
    with step(f"The {len(every)} named tests without a mutant"):
        green = _pytest(every, env, control, "--create-db", "--reuse-db") == 0
    if not green:
        print(f"they fail without a mutant: {_noticed(control)}; see {control}", file=sys.stderr)
        return 1
    rows, bad = [], 0
    for mutant in chosen:
        with step(f"{mutant.name}: {mutant.what}") as remark:
            verdict, noticed, seconds = _try(mutant, env)
            remark(verdict)
        rows.append((mutant.name, verdict, f"{seconds:.1f} s", noticed))
        bad += verdict != "killed"
    print("\n" + table(("mutant", "verdict", "time", "noticed by"), rows))
    print(paint(f"{len(rows) - bad} of {len(rows)} killed", "31" if bad else "32"))
    return 1 if bad or not rows else 0


def bench(names: list[str]) -> int:
    """Run benchmarks; each writes var/bench/<name>.json; then one table of all results."""
    prepare()
    unknown = set(names) - set(BENCHES)
    if unknown:
        print(f"no such benchmark: {', '.join(sorted(unknown))}; there are: {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    code = 0
    for name in names or BENCHES:
        done = subprocess.run([str(PYTHON), str(REPO / BENCHES[name])], cwd=REPO, env=_environment(), check=False)
        code = code or done.returncode
    rows = []
    for file in sorted((VAR / "bench").glob("*.json")):
        document = json.loads(file.read_text())
        rows += [
            (document["name"], r["metric"], r["value"], r["unit"], r.get("against", ""), r.get("ratio", "")) for r in document["results"]
        ]
    print(table(("bench", "metric", "value", "unit", "against", "ratio"), rows))
    return code
