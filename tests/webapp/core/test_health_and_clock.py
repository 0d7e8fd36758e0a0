"""Health is open and honest; the clock moves forward only, where it may be moved, by whom it may."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.webapp.people import Person


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
