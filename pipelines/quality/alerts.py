"""Who is told: the log, the history, and a webhook where one is set.

The history is `quality/alerts.jsonl`, one JSON object a line: at, event, table, check, column, severity, value, threshold, rows, message, and
what else the event knows. What lasts is told once an hour at most. A webhook that does not answer stops nothing, nor does a full disk.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .. import paths
from ..refusals import discreet
from ..settings import Alerts, SettingsError, load
from .checks import Finding

logger = logging.getLogger("openlance.quality")
_REPEAT = timedelta(hours=1)
_KEPT = 20_000
#: Lines of one event that the log shows; the history has all.
_SHOWN = 20
#: What was last said of the webhook: a fault that stays is told once.
_said_of_webhook = ""


class Terminal(logging.Handler):
    """Lines on stderr as it is now: also above a progress bar, which puts its own in that place."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(self.format(record) + "\n")


def speak() -> None:
    """For commands that are silent otherwise: alerts are in the log, which is stderr."""
    logging.basicConfig(level=logging.CRITICAL, format="%(levelname)s %(message)s", handlers=[Terminal()])
    logger.setLevel(logging.WARNING)


def history_path() -> Path:
    """Where alerts are kept."""
    return paths.var() / "quality" / "alerts.jsonl"


def history() -> list[dict[str, Any]]:
    """All kept alerts, oldest first. A half line of a killed process is passed over."""
    try:
        lines = history_path().read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def unheard(findings: Sequence[Finding], at: datetime, event: str = "warned") -> list[Finding]:
    """Those of `findings` that nobody was told of as `event` in the hour before `at`."""
    if not findings:
        return []
    recent = {
        (told["table"], told["check"], told["column"])
        for told in history()[-2000:]
        if told["event"] == event and datetime.fromisoformat(told["at"]) > at.replace(tzinfo=None) - _REPEAT
    }
    return [finding for finding in findings if (finding.table, finding.check, finding.column) not in recent]


def record(event: str, table: str, findings: Sequence[Finding], more: dict[str, Any], *, at: datetime | None = None) -> None:
    """Tell of `event` (warned, set aside, let in, released, dropped, stopped, drift, mended, test failed, …), a line for each finding."""
    now = (at or datetime.now(UTC)).replace(tzinfo=None)
    lines = [{"at": now.isoformat(), "event": event, **asdict(finding), **more} for finding in findings]
    if not lines:
        return
    try:
        _keep(lines)
    except OSError as failure:
        logger.warning("the alerts' history was not written: %s", failure)
    for finding in findings[:_SHOWN]:
        logger.warning("%s: %s", event, _line(finding))
    if len(findings) > _SHOWN:
        logger.warning("%s: %s more in %s", event, len(findings) - _SHOWN, history_path())
    _send(event, table, lines)


def tell(event: str, findings: Sequence[Finding], more: dict[str, Any] | None = None) -> None:
    """Record those of `findings` that nobody was told of as `event` in the last hour."""
    now = datetime.now(UTC).replace(tzinfo=None)
    new = unheard(findings, now, event)
    tables = {finding.table for finding in new}
    record(event, tables.pop() if len(tables) == 1 else "", new, more or {}, at=now)


def notice(event: str, message: str, *, table: str = "", check: str = "", rows: int = 0, column: str = "") -> Finding:
    """Tell of something that is no finding of a batch, such as a sensor's; returns it."""
    finding = fault(table, check or event, message, rows=rows, column=column)
    record(event, table, [finding], {})
    return finding


def fault(table: str, check: str, message: str, *, rows: int = 0, column: str = "") -> Finding:
    """What is wrong whatever was measured before: `rows` of it, where none may be."""
    return Finding(table, check, column, "error", rows, 0, rows, discreet(message))


def _line(finding: Finding) -> str:
    if finding.severity != "error":
        return finding.line
    where = f"{finding.table}.{finding.column}" if finding.column else finding.table
    return f"{where + ': ' if where else ''}{finding.check}: {finding.message} ({finding.rows} rows)"


def _keep(lines: list[dict[str, Any]]) -> None:
    path = history_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = history()[-_KEPT:] if path.is_file() and path.stat().st_size > 20_000_000 else None
    if kept is not None:
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept[-_KEPT // 2 :]), encoding="utf-8")
        temporary.replace(path)
    with path.open("a", encoding="utf-8") as out:
        out.write("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def _send(event: str, table: str, lines: list[dict[str, Any]]) -> None:
    """POST to the address that the variable named in the settings holds; silent where there is none."""
    try:
        variable = load().alerts.webhook_variable
    except SettingsError:
        return
    address = os.environ.get(variable, "").strip()
    if not address:
        if variable != Alerts().webhook_variable:
            _say_of_webhook(f"no webhook is told: the settings name {variable}, and no such variable is set")
        return
    body = json.dumps({"event": event, "table": table, "findings": lines}, ensure_ascii=False).encode()
    try:
        if not address.startswith(("http://", "https://")):
            raise ValueError("neither http nor https")
        request = urllib.request.Request(address, data=body, headers={"Content-Type": "application/json"})  # noqa: S310 — http and https only
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310
            _say_of_webhook("")
    except (OSError, http.client.HTTPException, ValueError) as failure:
        # what is wrong with an address is told by its kind: the words quote the address, and it may hold a secret
        why = discreet(str(failure)) if isinstance(failure, OSError) else type(failure).__name__
        _say_of_webhook(f"the alerts' webhook in {variable}{_host(address)} did not take it: {why}")


def _host(address: str) -> str:
    """The part of an address that is no secret."""
    try:
        host = urlsplit(address).hostname
    except ValueError:
        return ""
    return f" (at {host})" if host and address.startswith(("http://", "https://")) else ""


def _say_of_webhook(why: str) -> None:
    global _said_of_webhook
    if why and why != _said_of_webhook:
        logger.warning("%s", why)
    _said_of_webhook = why
