"""The door behind the Makefile: python3 -m infra.local COMMAND. Standard library only.

    demo | up | smoke | test [suite …] | check | pipeline | docs | loop | source-check | train | ledger-check | manage | mutants [name …] |
    fuzz [cases [seed]] | bench [name …] | openapi | locks | stop
PROFILE=services runs pipeline, train, ledger-check, manage and smoke on the services profile; the default is embedded. ARGS is passed on.
ENGINE=spark lets pipeline build the same models on Spark too, and compares.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

from . import services
from .console import paint
from .environment import PYTHON, REPO, VAR, Missing, install, npm, npm_install, run
from .processes import Crashed


def _openapi() -> int:
    """The committed OpenAPI document, and the TypeScript types made from it."""
    from .house import House, prepare_environment

    install("base", "dev")
    house = House("embedded")
    prepare_environment(house)
    house.manage("spectacular", "--validate", "--fail-on-warn", "--file", str(REPO / "webapp" / "openapi.yaml"))
    npm_install()
    npm("run", "openapi")
    return 0


def _locks() -> int:
    """requirements/*.txt from pyproject.toml, for every supported Python, without addresses."""
    install("base", "dev")
    uv = str(PYTHON.parent / "uv")
    common = [
        "pip",
        "compile",
        "pyproject.toml",
        "--universal",
        "--python-version",
        "3.11",
        "--no-header",
        "--no-annotate",
        "--no-emit-index-url",
        "--quiet",
    ]
    folder = REPO / "requirements"
    run([uv, *common, "-o", "requirements/base.txt"])
    base = set((folder / "base.txt").read_text().splitlines())
    for extra in ("dev", "dlt", "localstripe", "mutation", "mysql", "node", "redis", "s3", "spark"):
        run([uv, *common, "-c", "requirements/base.txt", "--extra", extra, "-o", f"requirements/{extra}.txt"])
        # a lock of an extra holds what it adds to base.txt
        lines = [line for line in (folder / f"{extra}.txt").read_text().splitlines() if line not in base]
        (folder / f"{extra}.txt").write_text("\n".join(lines) + "\n")
    # dbt-mysql agrees with nothing else here: compiled alone
    alone = [argument if argument != "pyproject.toml" else "requirements/dbt-mysql.in" for argument in common]
    run([uv, *alone, "-o", "requirements/dbt-mysql.txt"])
    return 0


def _stop() -> int:
    for folder in sorted(VAR.glob("*/stores")):
        print(f"{folder}: ended {', '.join(services.stop(folder)) or 'nothing'}")
    return 0


def main(arguments: list[str]) -> int:
    from . import house, measure, suites

    command, rest = (arguments[0] if arguments else "help"), arguments[1:]
    profile = os.environ.get("PROFILE") or "embedded"
    if profile not in ("embedded", "services"):
        print("PROFILE is embedded or services", file=sys.stderr)
        return 2
    extra = shlex.split(os.environ.get("ARGS", ""))
    commands = {
        "demo": lambda: house.demo("embedded"),
        "up": lambda: house.demo("services"),
        "smoke": lambda: house.smoke(profile),
        "pipeline": lambda: house.one_command(profile, lambda h: house.pipeline(h, *extra)),
        "source-check": lambda: house.one_command("services", house.source_check_or_fail),
        "manage": lambda: house.one_command(profile, lambda h: h.manage(*extra)),
        "docs": lambda: house.one_command(profile, lambda h: h.module("pipelines.docs", *extra)),
        "loop": lambda: house.one_command("services", lambda h: h.module("pipelines.loop", *extra)),
        "train": lambda: house.one_command(profile, lambda h: house.train(h, *extra)),
        "ledger-check": lambda: house.one_command(profile, lambda h: h.manage("ledger_check", *extra)),
        "test": lambda: suites.test(rest),
        "check": suites.check,
        "fuzz": lambda: suites.fuzz(rest),
        "mutants": lambda: measure.mutants(rest),
        "bench": lambda: measure.bench(rest),
        "openapi": _openapi,
        "locks": _locks,
        "stop": _stop,
    }
    if command not in commands:
        print(__doc__)
        return 2
    try:
        return commands[command]()
    except (Missing, services.ServiceError, Crashed) as e:
        print(paint(f"error: {e}", "31"), file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as e:
        print(
            paint(f"error: {shlex.join(map(str, e.cmd)) if isinstance(e.cmd, list) else e.cmd} ended with code {e.returncode}", "31"),
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
