"""Dagster's definitions: they load with no secret, no network and no manifest, and are exactly those of the committed picture.

After a wanted change: OPENLANCE_UPDATE_SNAPSHOTS=1 pytest tests/pipelines/test_orchestration.py, then review the difference.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dagster import DagsterInstance
from dagster._daemon.types import DaemonHeartbeat

from infra.local.house import PREFERRED, House, server_commands
from infra.local.processes import answers, daemons_beat
from infra.local.services import free_port
from pipelines.orchestration import dbt_graph

REPO = Path(__file__).resolve().parents[2]
PICTURE = Path(__file__).with_name("definitions.json")
_DUMP = """
import json, sys
from pipelines.orchestration import defs
graph = defs.resolve_asset_graph()
name = lambda key: key.to_user_string()
assets = {name(k): {"group": graph.get(k).group_name, "parents": sorted(map(name, graph.get(k).parent_keys))} for k in graph.get_all_asset_keys()}
checks = {f"{name(c.asset_key)}:{c.name}": graph.get(c).blocking for c in graph.asset_check_keys}
jobs = {n: sorted(map(name, defs.resolve_job_def(n).asset_layer.executable_asset_keys)) for n in ("pipeline_round", "proof", "compaction", "training")}
schedules = {s.name: [s.cron_schedule, s.job_name, s.default_status.value] for s in defs.schedules}
sensors = {s.name: [s.job_name if s.has_jobs else None, s.default_status.value, s.minimum_interval_seconds] for s in defs.sensors}
tags = {n: dict(defs.resolve_job_def(n).tags) for n in jobs}
policies = {name(k): str(graph.get(k).freshness_policy.to_string() if hasattr(graph.get(k).freshness_policy, "to_string") else type(graph.get(k).freshness_policy).__name__)
    for k in graph.get_all_asset_keys() if graph.get(k).freshness_policy}
json.dump({"assets": assets, "checks": checks, "jobs": jobs, "schedules": schedules, "sensors": sensors, "tags": tags, "freshness": policies}, sys.stdout)
"""


def test_definitions_load_without_secret_network_or_manifest_and_are_as_committed(tmp_path: Path) -> None:
    bare = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "OPENLANCE_VAR": str(tmp_path / "var"),
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    done = subprocess.run([sys.executable, "-c", _DUMP], cwd=REPO, env=bare, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)

    lenient = {name for name, blocks in found["checks"].items() if not blocks}
    assert lenient == {name for name in found["checks"] if name.startswith("raw/")}, (
        "what is built and published over bad rows blocks; one source table never stops the others"
    )
    for table in (asset for asset in found["assets"] if asset.startswith("raw/")):
        assert {f"{table}:contract", f"{table}:drift", f"{table}:batch", f"{table}:proof"} <= set(found["checks"])
    told = json.dumps(found, indent=1, sort_keys=True) + "\n"
    if os.environ.get("OPENLANCE_UPDATE_SNAPSHOTS") == "1":
        PICTURE.write_text(told)
    assert told == PICTURE.read_text(), "the definitions changed; see this module's docstring"


def test_a_manifest_that_dbt_was_killed_at_writing_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLANCE_VAR", str(tmp_path))
    nodes = dbt_graph.load()
    manifest = tmp_path / "work" / "dbt-parse" / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[: manifest.stat().st_size // 2])
    assert dbt_graph.load() == nodes


def test_dagster_starts_with_the_project_s_own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Telemetry is off; two rounds never run at once, nor do two steps that change the work file."""
    shutil.copy(REPO / "pipelines" / "orchestration" / "dagster.yaml", tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with DagsterInstance.get() as instance:
        assert not instance.telemetry_enabled and not instance.nux_enabled
        queue = instance.get_concurrency_config()
        assert queue.pool_config.default_pool_limit == 1
        assert queue.run_queue_config is not None
        assert queue.run_queue_config.tag_concurrency_limits == [
            {"key": "openlance/writes", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
        ]


def test_a_manifest_names_parents_before_what_is_made_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLANCE_VAR", str(tmp_path))
    before: set[object] = set()
    nodes = dbt_graph.load()
    keys = {node.key for node in nodes}
    for node in nodes:
        assert set(node.parents) & keys <= before, node.name
        before.add(node.key)


@pytest.mark.parametrize("profile", ["embedded", "services"])
def test_the_house_starts_a_daemon(profile: str) -> None:
    house = House(profile)
    house.ports = dict(PREFERRED)
    command, _ = server_commands(house)["dagster-daemon"]
    assert command[1:] == ["run", "-m", "pipelines.orchestration"] and Path(command[0]).name == "dagster-daemon"


def test_the_heartbeat_of_a_daemon_of_before_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(REPO / "pipelines" / "orchestration" / "dagster.yaml", tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    began, port = time.time(), free_port()
    command = [str(Path(sys.executable).with_name("dagster-webserver")), "--empty-workspace", "-h", "127.0.0.1", "-p", str(port)]
    url = f"http://127.0.0.1:{port}/"
    with (
        DagsterInstance.get() as instance,
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as server,
    ):
        try:
            while not answers(f"{url}server_info"):
                assert server.poll() is None and time.time() < began + 300, (tmp_path / "log").read_text()
                time.sleep(0.2)
            assert not daemons_beat(url, since=began), "nobody was heard yet"
            needed = instance.get_required_daemon_types()
            assert {"SCHEDULER", "SENSOR", "QUEUED_RUN_COORDINATOR", "MONITORING", "FRESHNESS_DAEMON"} <= set(needed)

            def beat(names: list[str], at: float) -> None:
                for name in names:
                    instance.add_daemon_heartbeat(DaemonHeartbeat(at, name, "one", []))

            beat(list(needed), began - 5)
            assert not daemons_beat(url, since=began), "it was heard before the house was started"
            beat(list(needed[1:]), began + 1)
            assert not daemons_beat(url, since=began), "one is missing"
            beat(list(needed[:1]), began + 1)
            assert daemons_beat(url, since=began)
        finally:
            server.terminate()
