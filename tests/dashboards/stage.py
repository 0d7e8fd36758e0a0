"""The dashboards as people meet them: web app, Streamlit and Chromium, all real, on the published marts of the sample house.

The servers are started by the house's own commands. Accounts live in a copy of the sample's database, so that tests may change them; the
marts are a link to the sample's, so that tests may take them away.
"""

from __future__ import annotations

import secrets
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from infra.local import house as commands
from infra.local.processes import Server, Supervisor
from infra.local.services import free_port
from tests.conftest import REPO, sample_house_env

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
PASSWORD = "only-for-tests-1234"
START_SECONDS = 120
PATIENCE_MS = 30_000
#: selectors of a card's figure and of a chart that is drawn
NUMBERS, DRAWN = "[data-testid=stMetricValue]", ".js-plotly-plot"


@dataclass
class Stage:
    """The running servers, their addresses, and the database and the marts they read."""

    house: commands.House
    supervisor: Supervisor
    servers: dict[str, Server] = field(default_factory=dict)

    @property
    def web(self) -> str:
        return self.house.url("web", "")

    @property
    def dashboards(self) -> str:
        return self.house.url("dashboards", "")

    @property
    def published(self) -> Path:
        return self.house.home / "published"

    def start(self, name: str) -> None:
        command, address = commands.server_commands(self.house)[name]
        folder = REPO / ("webapp" if name == "web" else "dashboards")
        self.servers[name] = self.supervisor.start(name, command, env=self.house.env, cwd=folder)
        assert address
        self.supervisor.wait_for(self.servers[name], address, seconds=START_SECONDS)

    def end(self, name: str) -> None:
        server = self.servers.pop(name)
        server.process.terminate()
        server.process.wait(timeout=30)
        self.supervisor.servers.remove(server)

    def sql(self, statement: str, *values: Any) -> int:
        """Change the accounts behind the web app's back; returns how many rows were changed."""
        with closing(sqlite3.connect(self.house.home / "db.sqlite3", timeout=30)) as db, db:
            return db.execute(statement, values).rowcount


@contextmanager
def open_stage(sample: Path, home: Path) -> Iterator[Stage]:
    """Both servers answering, with secrets of their own; ended in the end. Signal handlers are left as they were found."""
    with closing(sqlite3.connect(sample / "db.sqlite3")) as source, closing(sqlite3.connect(home / "db.sqlite3")) as copy:
        source.backup(copy)
    (home / "published").symlink_to(sample / "published")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (home / "oidc_key.pem").write_bytes(pem)
    house = commands.House("embedded")
    house.home, house.logs = home, home / "log"
    house.ports = {"web": free_port(), "dashboards": free_port(), "dagster": 0, "mlflow": 0}
    house.env = sample_house_env(sample) | {
        "OPENLANCE_VAR": str(home),
        "OPENLANCE_SQLITE": str(home / "db.sqlite3"),
        "OPENLANCE_SECRET_KEY": secrets.token_urlsafe(48),
        "OPENLANCE_OIDC_DASHBOARDS_SECRET": secrets.token_urlsafe(48),
        "OPENLANCE_STREAMLIT_COOKIE_SECRET": secrets.token_urlsafe(48),
        "OPENLANCE_OIDC_PRIVATE_KEY_FILE": str(home / "oidc_key.pem"),
        "OPENLANCE_BASE_URL": house.url("web", ""),
        "OPENLANCE_DASHBOARDS_URL": house.url("dashboards", ""),
    }
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    stage = Stage(house, Supervisor(house.logs))
    try:
        commands.write_dashboard_secrets(house)
        stage.start("web")
        stage.start("dashboards")
        yield stage
    finally:
        stage.supervisor.stop()
        for number, handler in before.items():
            signal.signal(number, handler)


class Visitor:
    """One person's browser. `problems` holds every script error it met; whoever bends its tab keeps it from the next person: `bent`."""

    def __init__(self, browser: Any, stage: Stage) -> None:
        self.stage, self.bent = stage, False
        self.context = browser.new_context(reduced_motion="reduce")
        self.context.set_default_timeout(30_000)
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    def leave(self) -> None:
        """Forgets who was here, for the next person. What the tab has compiled of Streamlit and Plotly stays: near half of what a first page takes."""
        self.page.evaluate("location.protocol.startsWith('http') && (localStorage.clear(), sessionStorage.clear())")
        self.page.goto("about:blank")
        self.context.clear_cookies()
        self.problems.clear()

    def sign_in_at_web(self, role: str) -> None:
        """What the web app's form sends: the session is this browser's from then on."""
        auth = f"{self.stage.web}/_allauth/browser/v1"
        self.context.request.get(f"{auth}/config")
        token = next(c["value"] for c in self.context.cookies(self.stage.web) if c["name"] == "csrftoken")
        answer = self.context.request.post(
            f"{auth}/auth/login",
            data={"email": f"{role}@openlance.example", "password": PASSWORD},
            headers={"X-CSRFToken": token, "Referer": self.stage.web},
        )
        assert answer.status == 200, answer.text()

    def open_dashboards(self, page: str = "/") -> Any:
        """As a signed-in person does: one click, no password."""
        self.page.goto(f"{self.stage.dashboards}{page}")
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        self.page.wait_for_url(f"{self.stage.dashboards}/**")
        return self.page


def watch_for(page: Any, wanted: dict[str, int], heading: str = "", timeout: int = PATIENCE_MS) -> None:
    """Returns on the frame in which each selector finds so many elements, below that heading if one is named. What is expected after it is met at
    once: `expect` by itself looks once a second.
    """
    page.wait_for_function(
        """([wanted, heading]) => Object.entries(wanted).every(([selector, count]) => document.querySelectorAll(selector).length === count)
             && (!heading || [...document.querySelectorAll('h1')].some(e => e.innerText.trim() === heading))""",
        arg=[wanted, heading],
        timeout=timeout,
    )


@contextmanager
def instead(stage: Stage, folder: Path | None) -> Iterator[None]:
    """The dashboards read another publication folder, or none, and the sample's again afterwards."""
    sample = stage.published.resolve()
    stage.published.unlink()
    if folder:
        stage.published.symlink_to(folder)
    try:
        yield
    finally:
        stage.published.unlink(missing_ok=True)
        stage.published.symlink_to(sample)
