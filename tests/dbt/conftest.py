"""dbt as it runs in production: a subprocess that builds one warehouse file. Each market is built once a session, then only read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

REPO = Path(__file__).resolve().parents[2]
PROJECT = REPO / "dbt_project"


@dataclass(frozen=True)
class Built:
    """A warehouse that `dbt build` has finished with, and the run's artifacts."""

    warehouse: Path
    target: Path

    def rows(self, relation: str, *, order: str = "all") -> list[dict[str, Any]]:
        with duckdb.connect(str(self.warehouse), read_only=True) as db:
            found = db.execute(f"select * from {relation} order by {order}")
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def results(self) -> list[dict[str, Any]]:
        return json.loads((self.target / "run_results.json").read_text())["results"]

    def manifest(self) -> dict[str, Any]:
        return json.loads((self.target / "manifest.json").read_text())


def dbt(warehouse: Path, target: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run dbt on the project; state and logs go to `target`."""
    command = [str(Path(sys.executable).with_name("dbt")), "--no-version-check", "--no-use-colors", *arguments]
    places = [
        "--project-dir",
        str(PROJECT),
        "--profiles-dir",
        str(PROJECT),
        "--target-path",
        str(target),
        "--log-path",
        str(target / "logs"),
    ]
    environment = os.environ | {"OPENLANCE_WAREHOUSE": str(warehouse), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1"}
    return subprocess.run([*command, *places], capture_output=True, text=True, env=environment, timeout=1200, check=False)


@pytest.fixture(scope="session")
def raw_fixture() -> Iterator[Any]:
    """The module that lays the raw schema (folders of tests are no packages)."""
    sys.path.insert(0, str(Path(__file__).parent))
    import raw_fixture as module

    yield module
    sys.path.remove(str(Path(__file__).parent))


class Workshop:
    """One warehouse path and one target folder for all builds, because dbt parses the project anew when the path changes."""

    def __init__(self, root: Path, raw_fixture: Any) -> None:
        self.root, self.raw_fixture = root, raw_fixture
        self.warehouse, self.target = root / "warehouse.duckdb", root / "target"

    def build(self, name: str, rows: Any, *arguments: str) -> Built:
        """Lay `rows` as the raw schema of a new file, build, and keep a copy of file and artifacts under `name`."""
        self.warehouse.unlink(missing_ok=True)
        self.raw_fixture.create_raw(self.warehouse, rows)
        return self.rebuild(name, *arguments)

    def dbt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run dbt on what the last build left, whatever comes of it."""
        return dbt(self.warehouse, self.target, *arguments)

    def rebuild(self, name: str, *arguments: str) -> Built:
        """Build again over what the last build left."""
        run = self.dbt("build", *arguments)
        assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
        kept = self.root / name
        kept.mkdir()
        for file in (self.warehouse, self.target / "manifest.json", self.target / "run_results.json"):
            shutil.copy(file, kept / file.name)
        return Built(kept / self.warehouse.name, kept)


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory, raw_fixture: Any) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("dbt"), raw_fixture)


@pytest.fixture(scope="session")
def empty(workshop: Workshop) -> Built:
    """The first run on a market where nothing has happened; dbt's own unit tests run here, once."""
    return workshop.build("empty", {})


@pytest.fixture(scope="session")
def market(workshop: Workshop, empty: Built) -> Built:
    """The small market of raw_fixture.MARKET."""
    return workshop.build("market", workshop.raw_fixture.MARKET, "--exclude-resource-type", "unit_test")


@pytest.fixture(scope="session")
def market_again(workshop: Workshop, market: Built) -> Built:
    """The same raw log built a second time over the first build."""
    return workshop.rebuild("again", "--exclude-resource-type", "unit_test")
