"""Who is told: the log, the history that the data-quality mart shows, and a webhook where one is set.

The history is `quality/alerts.jsonl`, one JSON object a line: at, event, table, check, column, severity, value, threshold, rows, message, and
what else the event knows. The same warning is told once an hour at most. A webhook that does not answer stops nothing.
"""

from __future__ import annotations

import json
import logging
import os
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import paths
from ..settings import SettingsError, load

if TYPE_CHECKING:
    from .checks import Finding

logger = logging.getLogger("openlance.quality")
_REPEAT = timedelta(hours=1)
_KEPT = 20_000


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


def unheard(findings: Sequence[Finding], at: datetime) -> list[Finding]:
    """Those of `findings` that nobody was warned of in the hour before `at`."""
    if not findings:
        return []
    recent = {
        (told["table"], told["check"], told["column"])
        for told in history()[-500:]
        if told["event"] == "warned" and datetime.fromisoformat(told["at"]) > at.replace(tzinfo=None) - _REPEAT
    }
    return [finding for finding in findings if (finding.table, finding.check, finding.column) not in recent]


def record(event: str, table: str, findings: Sequence[Finding], more: dict[str, Any], *, at: datetime | None = None) -> None:
    """Tell of `event` (warned, set aside, let in, released, dropped), a line for each finding."""
    now = (at or datetime.now(UTC).replace(tzinfo=None)).replace(tzinfo=None)
    lines = [{"at": now.isoformat(), "event": event, **asdict(finding), **more} for finding in findings]
    if not lines:
        return
    path = history_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = history()[-_KEPT:] if path.is_file() and path.stat().st_size > 20_000_000 else None
    if kept is not None:
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept[-_KEPT // 2 :]), encoding="utf-8")
        temporary.replace(path)
    with path.open("a", encoding="utf-8") as out:
        out.write("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    for finding in findings:
        logger.warning("%s: %s", event, finding.line)
    _send(event, table, lines)


def notice(event: str, message: str) -> None:
    """Tell of something that is no finding of a batch: in the log and to the webhook."""
    logger.warning("%s: %s", event, message)
    _send(event, "", [{"at": datetime.now(UTC).isoformat(), "event": event, "message": message}])


def _send(event: str, table: str, lines: list[dict[str, Any]]) -> None:
    """POST to the address that the variable named in the settings holds; silent where there is none."""
    try:
        variable = load().alerts.webhook_variable
    except SettingsError:
        return
    address = os.environ.get(variable, "")
    if not address.startswith(("http://", "https://")):
        return
    body = json.dumps({"event": event, "table": table, "findings": lines}, ensure_ascii=False).encode()
    request = urllib.request.Request(address, data=body, headers={"Content-Type": "application/json"})  # noqa: S310 — http and https only
    try:
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310
            pass
    except OSError as failure:
        logger.warning("the alert's webhook did not take it: %s", failure)
