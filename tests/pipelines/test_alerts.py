"""Who is told of what went wrong, how often, and that a webhook which cannot be reached is nobody's end."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.quality import alerts

from .conftest import REPO

SECRET = "s3cret"


@pytest.fixture(autouse=True)
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENLANCE_VAR", str(tmp_path))
    monkeypatch.delenv("OPENLANCE_ALERT_WEBHOOK", raising=False)
    monkeypatch.setattr(alerts, "_said_of_webhook", "")
    return tmp_path


def told() -> list[tuple[str, str, str, int]]:
    return [(line["event"], line["table"], line["check"], line["rows"]) for line in alerts.history()]


def test_a_notice_names_table_check_and_rows_in_the_log_and_in_the_history(caplog: pytest.LogCaptureFixture) -> None:
    alerts.notice("failed webhooks", "5 notifications of stripe failed", table="payments_webhookevent", check="answers", rows=5)
    assert told() == [("failed webhooks", "payments_webhookevent", "answers", 5)]
    assert caplog.messages == ["failed webhooks: payments_webhookevent: answers: 5 notifications of stripe failed (5 rows)"]
    alerts.notice("failed run", "one")
    assert told()[1] == ("failed run", "", "failed run", 0)
    assert caplog.messages[1] == "failed run: failed run: one (0 rows)"


def test_what_lasts_is_told_once_an_hour_by_event_table_and_check(monkeypatch: pytest.MonkeyPatch) -> None:
    item, other = alerts.fault("item", "contract", "a"), alerts.fault("other", "contract", "b")
    began = datetime.now(UTC).replace(tzinfo=None)
    for _ in range(2):
        alerts.tell("stopped", [item])
    assert len(told()) == 1
    alerts.tell("stopped", [item, other])
    alerts.tell("drift", [item])
    assert told() == [("stopped", "item", "contract", 0), ("stopped", "other", "contract", 0), ("drift", "item", "contract", 0)]
    assert alerts.unheard([item], began + timedelta(minutes=59), "stopped") == []
    assert alerts.unheard([item], began + timedelta(minutes=61), "stopped") == [item]


def test_the_log_of_many_is_short_and_the_history_whole(caplog: pytest.LogCaptureFixture) -> None:
    alerts.tell("test failed", [alerts.fault(f"model_{number}", "unique", "x") for number in range(50)])
    assert (len(caplog.messages), len(told())) == (21, 50)
    assert "30 more" in caplog.messages[-1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Can't connect to server on '10.0.0.1' (111)", "Can't connect to server on … (111)"),
        ("Could not convert string 'O'Brien' to INT32\n\n  LINE 1", "Could not convert string … to INT32 LINE 1"),
        ('date "1990-01-01" of ann@example.org, twice', "date … of …, twice"),
        ("other.note: removed from the source", "other.note: removed from the source"),
    ],
)
def test_what_databases_quote_of_their_rows_is_told_nobody(text: str, expected: str) -> None:
    assert alerts.fault("item", "build", text).message == expected


@pytest.mark.parametrize(
    "address",
    [
        f"http://hooks.example.org:port/{SECRET}",
        f"http://user:{SECRET}@hooks.example.org:port/",
        f"http://[{SECRET}/",
        f"https://hooks.example.org/{SECRET} and more",
        f"http://{'a' * 70}.example.org/{SECRET}",
        f"htps://hooks.example.org/{SECRET}",
        f"http://127.0.0.1:9/{SECRET}",
        "http://",
    ],
)
def test_a_mistyped_address_stops_nothing_and_is_told_once_without_its_secret(
    address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENLANCE_ALERT_WEBHOOK", address)
    for number in range(3):
        alerts.notice("failed run", f"run {number}")
    assert len(told()) == 3
    assert not any(SECRET in message for message in caplog.messages)
    [said] = [message for message in caplog.messages if "webhook" in message]
    assert said.startswith("the alerts' webhook in OPENLANCE_ALERT_WEBHOOK")
    if "hooks.example.org" in address and address.startswith("http://"):
        assert "(at hooks.example.org)" in said


def test_a_variable_that_is_named_and_not_set_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    alerts.notice("failed run", "nobody is named")
    assert not any("webhook" in message for message in caplog.messages)
    monkeypatch.setenv("OPENLANCE_PLATFORM__ALERTS__WEBHOOK_VARIABLE", "OPENLANCE_ALERT_WEBHOK")
    alerts.notice("failed run", "one")
    assert "no webhook is told: the settings name OPENLANCE_ALERT_WEBHOK, and no such variable is set" in caplog.messages


def test_a_history_that_cannot_be_written_stops_nothing(var: Path, caplog: pytest.LogCaptureFixture) -> None:
    (var / "quality").write_text("a file where the folder should be")
    alerts.notice("failed run", "one")
    assert [message.split(":")[0] for message in caplog.messages] == ["the alerts' history was not written", "failed run"]


def test_commands_that_are_silent_otherwise_have_alerts_on_stderr() -> None:
    code = (
        "import logging; from pipelines.quality import alerts; alerts.speak(); alerts.notice('drift', 'x', table='item', rows=3);"
        " logging.getLogger('pipelines.extract.run').error('no alert')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "WARNING drift: item: drift: x (3 rows)\n")
