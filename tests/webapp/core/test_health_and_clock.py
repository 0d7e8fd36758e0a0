"""Health is open and honest; the clock moves forward only, where it may be moved, by whom it may."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from marketplace.core import clock
from tests.webapp.people import Person

WEBAPP = Path(__file__).resolve().parents[3] / "webapp"


@pytest.fixture
def sam(staff: Callable[[str], Any]) -> Any:
    """Staff who may move the clock."""
    return staff("admin")


def test_health_tells_what_answers(db: None, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = Person().get("health")
    assert (answer.status_code, answer.json()) == (503, {"status": "failing", "database": "ok", "redis": "failing"})


def test_the_clock_moves_forward_for_staff(sam: Any) -> None:
    before = datetime.fromisoformat(Person(sam).get("clock").json()["now"])
    moved = Person(sam).post("clock/advance", {"seconds": 86_400}).json()
    assert moved["movable"] is True
    assert 86_400 <= (datetime.fromisoformat(moved["now"]) - before).total_seconds() < 86_460


def test_others_move_it_only_where_the_installation_lets_everybody(alice: Any, settings: Any) -> None:
    assert Person(alice).post("clock/advance", {"seconds": 5}).status_code == 403
    settings.BUSINESS_CLOCK_FOR_EVERYBODY = True
    assert Person(alice).post("clock/advance", {"seconds": 5}).status_code == 200
    settings.BUSINESS_CLOCK_MOVABLE = False
    refused = Person(alice).post("clock/advance", {"seconds": 5})
    assert (refused.status_code, refused.json()["code"]) == (403, "clock_fixed")


@pytest.mark.parametrize("seconds", [0, -1, 10**12, "many", None, True])
def test_a_wrong_step_is_refused(sam: Any, seconds: Any) -> None:
    assert list(Person(sam).post("clock/advance", {"seconds": seconds}).json()["fields"]) == ["seconds"]


def test_many_steps_do_not_push_the_clock_past_what_dates_can_hold(sam: Any) -> None:
    clock.advance(clock.MOST_AHEAD_SECONDS - 10)
    before = clock.now()
    refused = Person(sam).post("clock/advance", {"seconds": 11})
    assert (refused.status_code, refused.json()["code"]) == (403, "clock_too_far")
    assert clock.now() - before < timedelta(seconds=10)


def test_production_has_a_fixed_clock_and_no_payments_by_test_tokens(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("key")
    names = ("STAFF_SECOND_FACTOR", "BUSINESS_CLOCK_MOVABLE", "BUSINESS_CLOCK_FOR_EVERYBODY", "DEBUG", "PAYMENT_PROVIDERS")
    code = f"import json; from config.settings import production as p; print(json.dumps([getattr(p, n) for n in {names}]))"
    secrets = {"OPENLANCE_SECRET_KEY": "secret", "OPENLANCE_OIDC_PRIVATE_KEY_FILE": str(key)}

    def start(**more: str) -> subprocess.CompletedProcess[str]:
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(WEBAPP),
            "OPENLANCE_MOVABLE_CLOCK": "1",
            "OPENLANCE_STAFF_SECOND_FACTOR": "0",
            **more,
        }
        return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False, timeout=60)

    assert json.loads(start(**secrets).stdout) == [True, False, False, False, []]
    assert json.loads(start(**secrets, OPENLANCE_PAYMENT_PROVIDERS="sandbox").stdout)[-1] == ["sandbox"]
    for missing in secrets:
        refused = start(**{name: value for name, value in secrets.items() if name != missing})
        assert refused.returncode != 0
        assert f"{missing} is not set" in refused.stderr
