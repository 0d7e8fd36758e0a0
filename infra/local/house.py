"""`make demo`, `make up` and `make smoke`: from an empty machine to the whole house running.

Each preparation runs once (a stamp under var/<profile>/stamps says for which inputs) and leaves either its whole result or nothing.
Standard library only: the steps that need packages are commands of their own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import services
from .console import paint, step, table
from .environment import (
    FRONTEND,
    JAVA_PACKAGES,
    OLD_DBT_BELOW,
    PYTHON,
    REPO,
    VAR,
    VENV,
    Missing,
    check_python,
    digest,
    install,
    install_aside,
    java,
    npm,
    npm_install,
    profile_env,
    redis_wheel,
    run,
)
from .processes import Crashed, Supervisor, choose_port, daemons_beat

SEED = "7"
PREFERRED = {"web": 8000, "dashboards": 8501, "dagster": 3000, "mlflow": 5000}


@dataclass
class House:
    """One profile of this checkout: its folder, its environment, its servers' ports."""

    profile: str

    def __post_init__(self) -> None:
        self.home = VAR / self.profile
        self.logs = self.home / "log"
        self.env: dict[str, str] = {}
        self.ports: dict[str, int] = {}

    def url(self, name: str, path: str = "/") -> str:
        return f"http://localhost:{self.ports[name]}{path}"

    def manage(self, *arguments: str, log: str | None = None) -> None:
        where = self.logs / f"{log}.log" if log else None
        run([str(PYTHON), str(REPO / "webapp" / "manage.py"), *arguments], env=self.env, log=where)

    def module(self, *arguments: str, log: str | None = None) -> None:
        run([str(PYTHON), "-m", *arguments], env=self.env, log=self.logs / f"{log}.log" if log else None)

    # stamps ---------------------------------------------------------------------------------------------------------

    def stamp(self, name: str) -> Path:
        return self.home / "stamps" / name

    def once(self, name: str, inputs: str, what: str, work: Callable[[], str | None]) -> bool:
        """Do `work` unless it was done for the same `inputs`; the stamp is written after it succeeded. True when it ran."""
        stamp = self.stamp(name)
        if stamp.is_file() and stamp.read_text() == inputs:
            return False
        stamp.unlink(missing_ok=True)
        with step(what) as remark:
            said = work()
            if said:
                remark(said)
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(inputs)
        return True


def prepare_environment(house: House) -> None:
    """Python packages and the environment variables of the profile."""
    check_python()
    with step("Python environment (var/venv)") as remark:
        remark(install("base", "mysql") if house.profile == "services" else install("base"))
    house.env = profile_env(house.profile)
    house.home.mkdir(parents=True, exist_ok=True)


def start_stores(house: House) -> None:
    """Redis, and in the services profile MariaDB, private to this checkout."""
    stores = house.home / "stores"
    with step("Redis" if house.profile == "embedded" else "MariaDB and Redis, private to this folder") as remark:
        if services.find_redis() is None:
            remark(redis_wheel())
        if house.profile == "services":
            house.env |= services.start_mariadb(stores)
        house.env |= services.start_redis(stores)
    if house.profile == "services":
        create = "import MySQLdb,os; MySQLdb.connect(unix_socket=os.environ['OPENLANCE_DB_SOCKET'],user='root').query('CREATE DATABASE IF NOT EXISTS openlance CHARACTER SET utf8mb4')"
        subprocess.run([str(PYTHON), "-c", create], env=house.env, check=True)


def choose_ports(house: House) -> None:
    """The usual ports, each replaced by a free one when it is taken; the choice is told."""
    for name, preferred in PREFERRED.items():
        port = choose_port(preferred, set(house.ports.values()))
        if port != preferred:
            print(paint(f"  port {preferred} is taken: {name} uses {port}", "33"))
        house.ports[name] = port
    house.env |= {"OPENLANCE_BASE_URL": house.url("web", ""), "OPENLANCE_DASHBOARDS_URL": house.url("dashboards", "")}


def prepare_market(house: House) -> None:
    """Database, taxonomy, sample market, sign-ins, search index."""
    migrations = digest(*sorted(REPO.glob("webapp/marketplace/*/migrations")))
    market = f"{SEED} small {digest(REPO / 'webapp/marketplace/simulation')} {migrations}"
    if house.profile == "embedded" and not house.stamp("market").is_file():
        # a market that was not finished is thrown away whole
        for name in ("db.sqlite3", "db.sqlite3-wal", "db.sqlite3-shm"):
            (house.home / name).unlink(missing_ok=True)
        for folder in ("simulation", "raw", "work", "published", "bundles", "search"):
            shutil.rmtree(house.home / folder, ignore_errors=True)
        shutil.rmtree(house.home / "stamps", ignore_errors=True)
    house.once("migrate", migrations, "Database", lambda: house.manage("migrate", "--no-input", log="migrate"))
    house.once(
        "taxonomy",
        digest(REPO / "webapp/marketplace/jobs/taxonomy"),
        "Skill taxonomy",
        lambda: house.manage("load_taxonomy", log="taxonomy"),
    )
    if not house.stamp("market").is_file():
        house.once(
            "market",
            market,
            "Sample market (simulated)",
            lambda: house.manage("simulate", "--scale", "small", "--seed", SEED, log="simulate"),
        )
    house.once("signins", house.env["OPENLANCE_DEMO_PASSWORD"], "Ready sign-ins", lambda: house.manage("ensure_signins", log="signins"))
    house.once("search", house.stamp("market").read_text(), "Search index", lambda: house.manage("rebuild_search", log="search"))


def prepare_platform(house: House) -> None:
    """Marts and models. A later `make pipeline` or `make train` goes on from here."""
    market = house.stamp("market").read_text()
    house.once("pipeline", market, "Pipeline: extract, dbt, audit, publish", lambda: house.module("pipelines.run", log="pipeline"))
    house.once("models", market, "Models: train, evaluate, gate, export", lambda: train(house, log="train"))


def train(house: House, *arguments: str, log: str | None = None) -> None:
    """Train and gate, then serve the champion."""
    house.module("ml.matching.train", *arguments, log=log)
    house.module("ml.matching.export", log=f"{log}-export" if log else None)
    house.manage("load_bundle", "matching", log=f"{log}-load" if log else None)


def pipeline(house: House, *arguments: str) -> None:
    """One round, with ENGINE=spark followed by the same models on Spark; the scores it exported are served from then on."""
    engine = os.environ.get("ENGINE") or "duckdb"
    if engine not in ("duckdb", "spark"):
        raise Missing("ENGINE is duckdb or spark")
    if engine == "spark":
        if not java():
            raise Missing(f"Spark needs Java 17 or newer. Install it with: apt-get install {' or '.join(JAVA_PACKAGES)}")
        with step("Spark (var/tools), beside the environment") as remark:
            remark(install_aside("spark"))
    # a broken contract is told first and stops its own table only: what else there is still goes through
    kept = house.profile != "services" or source_check(house)
    house.module("pipelines.scale_out" if engine == "spark" else "pipelines.run", *arguments)
    if any((house.home / "bundles" / "matching").glob("*/manifest.json")):
        house.manage("load_bundle", "matching")
    if not kept:
        raise subprocess.CalledProcessError(1, ["source contracts"])


def source_check(house: House) -> bool:
    """Source contracts and freshness inside the operational database (MariaDB); False when a contract is broken."""
    if sys.version_info >= OLD_DBT_BELOW:
        print(paint("  the source is not checked by dbt-mysql: it knows no Python 3.13", "33"))
        return True
    with step("dbt-mysql (var/tools), beside the environment") as remark:
        remark(install_aside("dbt-mysql"))
    done = subprocess.run([str(PYTHON), "-m", "pipelines.source_checks"], env=house.env, cwd=REPO, check=False)
    if done.returncode not in (0, 1):
        raise subprocess.CalledProcessError(done.returncode, done.args)
    return done.returncode == 0


def source_check_or_fail(house: House) -> None:
    """As `source_check`. Raises CalledProcessError when a contract is broken."""
    if not source_check(house):
        raise subprocess.CalledProcessError(1, ["source contracts"])


def build_web(house: House) -> None:
    """The web app's files under webapp/frontend/dist, shared by both profiles."""
    sources = digest(*(p for p in sorted(FRONTEND.iterdir()) if p.name not in ("node_modules", "dist")))
    stamp = FRONTEND / "dist" / ".openlance-sources"
    if stamp.is_file() and stamp.read_text() == sources:
        return
    with step("Web app: packages and build") as remark:
        remark(npm_install())
        npm("run", "build", log=VAR / "log" / "web-build.log")
    stamp.write_text(sources)


def server_commands(house: House) -> dict[str, tuple[list[str], str | None]]:
    """name → (command, address that answers when it is up; of Dagster's daemon that of the server which knows)."""
    bin_, port = VENV / "bin", {k: str(v) for k, v in house.ports.items()}
    if house.profile == "embedded":
        web = [str(bin_ / "uvicorn"), "config.asgi:application", "--host", "127.0.0.1", "--port", port["web"], "--no-access-log"]
    else:
        web = [str(bin_ / "gunicorn"), "config.wsgi:application", "--bind", f"127.0.0.1:{port['web']}", "--workers", "2", "--threads", "4"]
    celery = [str(bin_ / "celery"), "-A", "config", "worker", "--beat", "--pool", "threads", "--concurrency", "2", "--loglevel", "WARNING"]
    streamlit = [str(bin_ / "streamlit"), "run", str(REPO / "dashboards" / "serve.py"), "--server.port", port["dashboards"], "--server.address", "127.0.0.1",
                 "--server.headless", "true", "--secrets.files", str(house.home / "streamlit_secrets.toml")]  # fmt: skip
    dagster = [str(bin_ / "dagster-webserver"), "-m", "pipelines.orchestration", "-h", "127.0.0.1", "-p", port["dagster"]]
    # runs wait in a queue until it launches them, schedules and sensors until it asks them
    daemon = [str(bin_ / "dagster-daemon"), "run", "-m", "pipelines.orchestration"]
    store = f"sqlite:///{house.home / 'mlflow' / 'mlflow.db'}"
    mlflow = [
        str(bin_ / "mlflow"), "server", "--backend-store-uri", store, "--default-artifact-root", str(house.home / "mlflow" / "artifacts"),
        "--host", "127.0.0.1", "--port", port["mlflow"], "--workers", "1",
    ]  # fmt: skip
    # where the database is a server, marts follow it all day
    loop = {"loop": ([str(PYTHON), "-m", "pipelines.loop"], None)} if house.profile == "services" else {}
    return {
        "web": (web, house.url("web", "/api/v1/health")),
        "worker": (celery, None),
        **loop,
        "dashboards": (streamlit, house.url("dashboards", "/_stcore/health")),
        "dagster": (dagster, house.url("dagster", "/server_info")),
        "dagster-daemon": (daemon, house.url("dagster")),
        "mlflow": (mlflow, house.url("mlflow", "/health")),
    }


def write_dashboard_secrets(house: House) -> None:
    """Streamlit's sign-in through the web app: the client is registered with exactly this address."""
    callback = house.url("dashboards", "/oauth2callback")
    house.manage("ensure_oidc_client", "--id", "dashboards", "--redirect-uri", callback, log="oidc")
    file = house.home / "streamlit_secrets.toml"
    file.touch(mode=0o600)
    lines = {
        "redirect_uri": callback,
        "cookie_secret": house.env["OPENLANCE_STREAMLIT_COOKIE_SECRET"],
        "client_id": "dashboards",
        "client_secret": house.env["OPENLANCE_OIDC_DASHBOARDS_SECRET"],
        "server_metadata_url": house.url("web", "/.well-known/openid-configuration"),
    }
    text = "[auth]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in lines.items())
    file.write_text(text + 'expose_tokens = ["access"]\n[auth.client_kwargs]\nscope = "openid profile email roles"\n')
    for folder in ("dagster", "mlflow"):
        (house.home / folder).mkdir(exist_ok=True)
    shutil.copy(REPO / "pipelines" / "orchestration" / "dagster.yaml", house.home / "dagster" / "dagster.yaml")


def start_servers(house: House, supervisor: Supervisor) -> None:
    """Start all, then wait for each: the slow ones start side by side."""
    write_dashboard_secrets(house)
    with step("Servers: web app, worker, dashboards, Dagster, MLflow"):
        commands, began = server_commands(house), time.time()
        started = {}
        for name, (command, _) in commands.items():
            cwd = {"web": REPO / "webapp", "worker": REPO / "webapp", "dashboards": REPO / "dashboards"}.get(name, REPO)
            started[name] = supervisor.start(name, command, env=house.env, cwd=cwd)
        for name, (_, address) in commands.items():
            if name == "dagster-daemon":
                supervisor.wait_for(started[name], str(address), seconds=180, up=partial(daemons_beat, since=began))
            elif address:
                supervisor.wait_for(started[name], address)
        if supervisor.crashed():
            raise Crashed("a server ended while the others were starting; see above")


def addresses(house: House) -> list[tuple[str, str]]:
    return [
        ("Web app", house.url("web")),
        ("API docs", house.url("web", "/api/docs")),
        ("Admin", house.url("web", "/admin/")),
        ("Dashboards", house.url("dashboards")),
        ("Dagster", house.url("dagster")),
        ("MLflow", house.url("mlflow")),
    ]


def sign_ins(house: House) -> list[tuple[str, str, str]]:
    return [(role, f"{role}@openlance.example", house.env["OPENLANCE_DEMO_PASSWORD"]) for role in ("client", "freelancer", "admin")]


def bring_up(house: House, supervisor: Supervisor) -> None:
    """Everything but watching: prepared, started, answering."""
    prepare_environment(house)
    start_stores(house)
    stores = house.home / "stores"
    supervisor.stores = (stores, services.running(stores))
    choose_ports(house)
    prepare_market(house)
    prepare_platform(house)
    build_web(house)
    start_servers(house, supervisor)


def demo(profile: str) -> int:
    """Prepare and start everything, print addresses and sign-ins, run until Ctrl-C."""
    house = House(profile)
    supervisor = Supervisor(house.logs)
    try:
        bring_up(house, supervisor)
        print("\n" + table(("what", "address"), addresses(house)))
        print("\n" + table(("sign in as", "e-mail", "password"), sign_ins(house)))
        print(f"\nLogs: {house.logs}. Ctrl-C stops everything.", flush=True)
        return supervisor.watch()
    except KeyboardInterrupt:
        print("\nstopped before everything was up; what was finished is kept")
        return 130
    finally:
        stop_all(house, supervisor)


def stop_all(house: House, supervisor: Supervisor) -> None:
    """End the servers and then the stores that were started."""
    supervisor.stop()
    services.stop(house.home / "stores")
    print("All processes that were started have ended.", flush=True)


def smoke(profile: str) -> int:
    """Bring everything up, check every address and one whole journey, stop. 0 when all of it was right."""
    house = House(profile)
    supervisor = Supervisor(house.logs)
    try:
        bring_up(house, supervisor)
        places = {"addresses": dict(addresses(house)), "web": house.url("web", ""), "dashboards": house.url("dashboards", ""),
                  "mail": str(house.home / "mail"), "sign_ins": {r: [e, p] for r, e, p in sign_ins(house)}}  # fmt: skip
        file = house.home / "smoke.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(places))
        done = subprocess.run([str(PYTHON), "-m", "infra.local.smoke", str(file)], env=house.env, cwd=REPO, check=False)
        return 1 if supervisor.crashed() or supervisor.lost else done.returncode
    except KeyboardInterrupt:
        return 130
    finally:
        stop_all(house, supervisor)


def one_command(profile: str, work: Callable[[House], None]) -> int:
    """A command that needs the profile's environment and stores, but not its servers."""
    house = House(profile)
    prepare_environment(house)
    running = (house.home / "stores" / "redis.pid").is_file()
    start_stores(house)
    try:
        work(house)
    except subprocess.CalledProcessError as e:
        return e.returncode
    finally:
        if not running:
            services.stop(house.home / "stores")
    return 0
