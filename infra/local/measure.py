"""`make mutants` and `make bench`. Standard library only.

A mutant is a patch in tests/mutants/<name>.patch whose head lines name the tests that must notice it:

    # what: the lock on the contract is gone
    # tests: tests/webapp/races/test_approval.py
    diff --git …

It is applied to a copy of the tree, never to the checkout.
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

from . import services
from .console import paint, step, table
from .environment import PYTHON, REPO, VAR
from .suites import HOME, _environment, capabilities, prepare

COPY = VAR / "mutants" / "tree"
BENCHES = {"ledger": "tests/load/ledger_bench.py"}


@dataclass(frozen=True)
class Mutant:
    """One patch, what it breaks, and the tests that must fail."""

    name: str
    what: str
    tests: tuple[str, ...]
    patch: Path


def read_mutant(patch: Path) -> Mutant:
    """Raises ValueError when the head of the patch does not say what it breaks and which tests notice."""
    head = dict(line[2:].split(": ", 1) for line in patch.read_text().splitlines() if line.startswith("# ") and ": " in line)
    if not head.get("what") or not head.get("tests"):
        raise ValueError(f"{patch.name} needs head lines '# what: …' and '# tests: …'")
    return Mutant(patch.stem, head["what"], tuple(head["tests"].split()), patch)


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


def _pytest(tests: tuple[str, ...], env: dict[str, str], log: Path) -> int:
    with log.open("wb") as out:
        command = [str(PYTHON), "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        return subprocess.run(
            command, cwd=COPY, env=env, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False
        ).returncode


def _try(mutant: Mutant, env: dict[str, str]) -> tuple[str, float]:
    """("killed" or what is wrong, seconds)."""
    begin = time.monotonic()
    apply = ["git", "apply", "--whitespace=nowarn", str(mutant.patch)]
    # the copy lies inside the checkout: without a ceiling, git would take the patch for the checkout's and skip it silently
    git = os.environ | {"GIT_CEILING_DIRECTORIES": str(COPY.parent)}
    done = subprocess.run(apply, cwd=COPY, env=git, capture_output=True, text=True, check=False)
    if done.returncode:
        return f"the patch does not apply: {done.stderr.strip()[:200]}", time.monotonic() - begin
    try:
        code = _pytest(mutant.tests, env, VAR / "mutants" / f"{mutant.name}.log")
    finally:
        subprocess.run([*apply, "--reverse"], cwd=COPY, env=git, check=True, capture_output=True)
    said = {0: "SURVIVED: its tests stay green", 1: "killed"}.get(code, f"pytest ended with code {code}: no verdict")
    return said, time.monotonic() - begin


def mutants(names: list[str]) -> int:
    """Apply each patch alone and run the tests named for it; 0 when every mutant is killed and the tests are green without it."""
    prepare()
    lacking = [reason for reason in capabilities().values() if reason]
    if lacking:
        print("; ".join(lacking), file=sys.stderr)
        return 1
    chosen = [read_mutant(p) for p in sorted((REPO / "tests" / "mutants").glob("*.patch")) if not names or p.stem in names]
    env = _environment() | {"OPENLANCE_VAR": str(VAR / "mutants" / "work"), "OPENLANCE_DB_NAME": "mutants"}
    env["PYTHONPATH"] = f"{COPY}:{COPY / 'webapp'}"
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    rows, bad = [], 0
    folder = HOME / "stores"
    try:
        env |= services.start_mariadb(folder, durable=False) | services.start_redis(folder)
        with step("Copy of the tree"):
            _copy_tree()
        every = tuple(sorted({t for m in chosen for t in m.tests}))
        with step("The named tests without a mutant"):
            if _pytest(every, env, VAR / "mutants" / "control.log"):
                print(f"they fail without a mutant; see {VAR / 'mutants' / 'control.log'}", file=sys.stderr)
                return 1
        for mutant in chosen:
            with step(f"{mutant.name}: {mutant.what}") as remark:
                verdict, seconds = _try(mutant, env)
                remark(verdict)
            rows.append((mutant.name, verdict, f"{seconds:.1f} s"))
            bad += verdict != "killed"
    finally:
        services.stop(folder)
    print("\n" + table(("mutant", "verdict", "time"), rows))
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
