"""`make mutants NAME=generated`: every small way to break the arithmetic of money, made by mutmut, against the tests that need no database.

Only what is pure is broken: money, fees, conversions, taxes and the machine of states (mutmut leaves tables alone: tests/webapp/payments/test_pure.py
spells out what the states of money may do). A copy of the product lies in var/mutants/generated; the
checkout is never touched. Writes var/mutants/generated.json. Standard library only.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

from .console import paint, step, table
from .environment import PYTHON, REPO, VAR, aside, install_aside

TREE = VAR / "mutants" / "generated"
RESULT = VAR / "mutants" / "generated.json"
#: at least this share of the mutants has to be noticed
TARGET = 0.85
#: module → the functions and classes of it that know no database ("" for all)
PURE = {
    "marketplace.core.money": ("",),
    "marketplace.core.states": ("xǁMachineǁ",),
    "marketplace.payments.fees": ("x_split__",),
    "marketplace.payments.fx": ("x_convert__", "x_price_of__", "x__held__", "x_rate__", "x__either_way__", "x__row__"),
    "marketplace.payments.taxes": ("",),
    "marketplace.payments.levies": ("x_wrong_in__",),
}
TESTS = ("tests/webapp/core/test_money.py", "tests/webapp/payments/test_pure.py", "tests/webapp/payments/test_taxes.py")
#: what the exit code of the tests says of a mutant; anything else is no verdict
VERDICTS = {
    1: "killed",
    3: "killed",
    -24: "timeout",
    24: "timeout",
    36: "timeout",
    152: "timeout",
    0: "survived",
    33: "no test",
    5: "no test",
}

CONFIG = """
[tool.mutmut]
source_paths = ["marketplace"]
only_mutate = [{files}]
also_copy = ["config"]
pytest_add_cli_args = ["-m", "not django_db", "-p", "no:cacheprovider"]
pytest_add_cli_args_test_selection = ["tests"]
use_git_change_detection = false
track_dependencies = false

[tool.pytest.ini_options]
DJANGO_SETTINGS_MODULE = "config.settings.test"
pythonpath = ["."]
markers = ["parity: runs on SQLite too", "mariadb: never on SQLite"]
"""


def _lay() -> None:
    """A tree in which modules lie where their names say, as mutmut wants it, with the tests of arithmetic alone."""
    shutil.rmtree(TREE, ignore_errors=True)
    for package in ("marketplace", "config"):
        shutil.copytree(REPO / "webapp" / package, TREE / package, ignore=shutil.ignore_patterns("__pycache__"))
    (TREE / "tests").mkdir()
    for test in TESTS:
        shutil.copy2(REPO / test, TREE / "tests")
    files = ", ".join(f'"{module.replace(".", "/")}.py"' for module in PURE)
    (TREE / "pyproject.toml").write_text(CONFIG.format(files=files))


def _verdicts() -> dict[str, dict[str, list[str]]]:
    """module → verdict → mutants, of what is pure."""
    found: dict[str, dict[str, list[str]]] = {module: {} for module in PURE}
    for module, parts in PURE.items():
        meta = TREE / "mutants" / Path(*module.split(".")).with_suffix(".py.meta")
        for name, code in json.loads(meta.read_text())["exit_code_by_key"].items():
            local = name.removeprefix(f"{module}.")
            if local.startswith(parts):
                found[module].setdefault(VERDICTS.get(code, "no verdict"), []).append(local)
    return found


def run_all() -> int:
    """0 when TARGET of all mutants are noticed. The table tells each module, the file each mutant that was not."""
    with step("Copy of the product for mutmut"):
        install_aside("mutation")
        _lay()
    env = os.environ | {"PYTHONPATH": str(aside("mutation")), "OPENLANCE_TEST_DB": "sqlite", "PYTHONDONTWRITEBYTECODE": "1"}
    patterns = [f"{module}.{part}*" for module, parts in PURE.items() for part in parts]
    log = TREE / "mutmut.log"
    with step("Mutants, each against the tests that reach it"), log.open("wb") as out:
        command = [str(PYTHON), "-m", "mutmut", "run", *patterns]
        subprocess.run(command, cwd=TREE, env=env, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    if not (TREE / "mutants").is_dir():
        print(re.sub(r".*\r", "", log.read_text(errors="replace"))[-2000:], file=sys.stderr)
        return 1
    found = _verdicts()
    total: Counter[str] = Counter()
    rows = []
    for module, verdicts in found.items():
        counts = Counter({verdict: len(names) for verdict, names in verdicts.items()})
        total += counts
        noticed = counts["killed"] + counts["timeout"]
        rows.append((module, str(counts.total()), str(noticed), f"{noticed / max(1, counts.total()):.1%}"))
    share = (total["killed"] + total["timeout"]) / max(1, total.total())
    RESULT.write_text(
        json.dumps({"share": round(share, 4), "counts": total, "survived": {m: v.get("survived", []) for m, v in found.items()}})
    )
    print(table(("module", "mutants", "noticed", "share"), rows))
    print(
        paint(
            f"{share:.1%} of {total.total()} noticed, at least {TARGET:.0%} wanted; the others are named in {RESULT}",
            "32" if share >= TARGET else "31",
        )
    )
    return 0 if share >= TARGET else 1
