"""The platform's settings by environment: a typo fails where it is made, not where it is missed.

`pipelines/environments/<name>.toml` holds what differs from the defaults here. An environment variable wins over the file:
OPENLANCE_PLATFORM__LOOP__INTERVAL_SECONDS=5 sets [loop] interval_seconds. OPENLANCE_PLATFORM_ENV names the environment; without it,
it is `services` where a database server is named, else `embedded`. Nothing here is secret: secrets are named, by the variable that holds them.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from .refusals import Refused

FOLDER = Path(__file__).with_name("environments")
PREFIX = "OPENLANCE_PLATFORM__"
_ENVIRONMENT = "OPENLANCE_PLATFORM_ENV"
#: Nothing else of the house has two underscores in its name.
_ALMOST = re.compile(r"OPENLANCE_PLATFORM.*|OPENLANCE_.*__.*")
#: A cron expression's fields: name, least, greatest, and words that stand for the least and those after it.
_FIELDS = (
    ("minute", 0, 59, ""),
    ("hour", 0, 23, ""),
    ("day of the month", 1, 31, ""),
    ("month", 1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"),
    ("day of the week", 0, 7, "sun mon tue wed thu fri sat"),
)
#: The store's address that means this machine's run-time folder.
LOCAL = "file"


class SettingsError(Refused):
    """A setting is unknown or has a value that it cannot have; the message names each."""


def _cron(told: str) -> str:
    """Five fields, each a list of `*`, a number or a span, with a step if need be. Raises ValueError."""
    fields = told.split(" ")
    if len(fields) != len(_FIELDS):
        raise ValueError(f"{told!r} is no cron expression: it has five fields, such as 7 * * * * for each hour's 7th minute")
    for field, (name, least, greatest, words) in zip(fields, _FIELDS, strict=True):
        if not all(_in_field(part, least, greatest, words.split()) for part in field.lower().split(",")):
            raise ValueError(f"{told!r} is no cron expression: {field!r} is no {name} ({least} to {greatest}, *, 1-5, 1,3, */5)")
    return told


def _in_field(part: str, least: int, greatest: int, words: list[str]) -> bool:
    span, slash, step = part.partition("/")
    if slash and not (re.fullmatch(r"[0-9]{1,2}", step) and 0 < int(step) <= greatest):
        return False
    if span == "*":
        return True
    first, dash, last = span.partition("-")
    numbers = [
        least + words.index(end) if end in words else int(end) if re.fullmatch(r"[0-9]{1,2}", end) else -1 for end in (first, last or first)
    ]
    # a step goes over a span
    return bool(last or not dash) and bool(dash or not slash) and least <= numbers[0] <= numbers[1] <= greatest


Cron = Annotated[str, AfterValidator(_cron)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Loop(_Strict):
    """The resident loop."""

    interval_seconds: float = Field(default=10, gt=0, description="From the beginning of a round to the beginning of the next.")
    reconcile_seconds: float = Field(default=3600, gt=0, description="From one comparison of every key block to the next.")
    prove_seconds: float = Field(default=7 * 86_400, gt=0, description="From one proof of every row to the next.")
    compact_seconds: float = Field(default=86_400, gt=0, description="From one compaction of the log to the next.")
    longest_pause_seconds: float = Field(default=300, gt=0, description="What the pause after failures grows to.")


class Marts(_Strict):
    """How often models are built that are not read all day."""

    training_seconds: float = Field(default=86_400, ge=0, description="How old the matcher's training set may be; 0: built in every round.")


class Quality(_Strict):
    """Floors of the quality checks; thresholds are measured from history and never below these."""

    least_batch: int = Field(default=20, ge=1, description="Smaller batches are not judged.")
    least_history: int = Field(default=1000, ge=1, description="Rows of history that a check of values needs.")
    least_runs: int = Field(default=20, ge=2, description="Runs of history that a check between runs needs.")
    history_rows: int = Field(default=200_000, ge=1, description="The newest rows of the log that stand for its history.")
    deleted_share: float = Field(default=0.2, gt=0, le=1, description="Deletes at once, of the living rows.")
    null_share: float = Field(
        default=0.05, gt=0, le=1, description="Empty values in a column that never had one, or more of them than usual."
    )
    rarely_empty: float = Field(default=0.1, gt=0, le=1, description="Where more values are empty, that is a state, and not odd.")
    range_factor: float = Field(default=10, gt=1, description="How far beyond the span of history a number is odd.")
    range_share: float = Field(default=0.05, gt=0, le=1, description="Numbers that far out, of those in a batch.")
    psi: float = Field(default=0.5, gt=0, description="Population stability index of a column's words.")
    most_words: int = Field(default=20, ge=2, description="Columns with more words have no spread worth comparing.")
    volume_deviations: float = Field(default=6, gt=0, description="Of the logarithm of rows a run, in robust deviations.")
    volume_fall: float = Field(
        default=3, gt=1, description="How far below the lowest of stretches before the rows an hour of the last runs fall."
    )
    least_volume: int = Field(
        default=1000, ge=1, description="Fewer rows at once are never too many, nor too few where fewer are to be expected."
    )
    silence_hours: float = Field(
        default=6, gt=0, description="A table may always be quiet that long, and no pause between runs counts for more."
    )
    recent_days: float = Field(default=28, gt=0, description="Runs of these days tell how often a table brings rows, and how many.")


class Orchestration(_Strict):
    """Dagster: what runs by itself, when, and how much at once."""

    schedules: bool = Field(default=False, description="Whether schedules and sensors run by themselves; else somebody starts them.")
    resident_loop: bool = Field(default=False, description="The loop follows the database: the schedule of every minute stays off.")
    incremental_cron: Cron = "* * * * *"
    reconcile_cron: Cron = "7 * * * *"
    prove_cron: Cron = "41 3 * * 0"
    compact_cron: Cron = "11 4 * * *"
    train_cron: Cron = "23 2 * * *"
    retries: int = Field(default=3, ge=0, le=10)
    retry_seconds: float = Field(default=10, gt=0)
    fresh_minutes: int = Field(default=15, ge=1, description="A publication older than that is told as late, twice that as too late.")
    trained_hours: int = Field(default=48, ge=1, description="The same of a champion.")
    outbox_rows: int = Field(
        default=20_000, ge=1, description="Events in one run of the extraction that are worth a round with a comparison."
    )
    failed_webhooks: int = Field(
        default=5, ge=1, description="Notifications of gateways that failed while they were worked on, in an hour, that are worth an alert."
    )
    sensor_seconds: int = Field(default=60, ge=5)


class Store(_Strict):
    """Where the raw log and the publications lie for good. Endpoint and credentials are the environment's alone (AWS_ENDPOINT_URL_S3, …)."""

    address: str = Field(
        default=LOCAL,
        pattern=rf"^({LOCAL}|s3://[a-z0-9][a-z0-9.-]{{2,62}}(/[^/\s]+)*)$",
        description="`file`: the run-time folder of this machine; s3://bucket/prefix: there, with working copies in the run-time folder.",
    )
    lease_minutes: float = Field(default=15, gt=0, description="How long a machine that fell silent keeps others from writing the log.")


class Alerts(_Strict):
    """Who is told. An address may hold a secret: it is the value of the variable named here."""

    webhook_variable: str = Field(default="OPENLANCE_ALERT_WEBHOOK", pattern=r"^[A-Z][A-Z0-9_]*$")


class Settings(_Strict):
    """All of one environment."""

    loop: Loop = Loop()
    marts: Marts = Marts()
    quality: Quality = Quality()
    orchestration: Orchestration = Orchestration()
    store: Store = Store()
    alerts: Alerts = Alerts()


def name(environment: Mapping[str, str] = os.environ) -> str:
    """The environment's name."""
    server = environment.get("OPENLANCE_DB_NAME") or environment.get("OPENLANCE_DB_SOCKET")
    lite = environment.get("OPENLANCE_SQLITE")
    return environment.get(_ENVIRONMENT) or ("services" if server and not lite else "embedded")


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings in force. Raises SettingsError."""
    path = FOLDER / f"{name(environment)}.toml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.toml")))
        raise SettingsError(f"{_ENVIRONMENT} names {path.stem!r}; there are {known}")
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    for variable, value in environment.items():
        if variable.startswith(PREFIX):
            _put(content, variable, value)
        elif _ALMOST.fullmatch(variable) and variable != _ENVIRONMENT:
            raise SettingsError(f"{variable} is no setting: they are named {PREFIX}SECTION__NAME, and {_ENVIRONMENT} names the environment")
    try:
        return Settings.model_validate(content)
    except ValidationError as wrong:
        told = "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in wrong.errors())
        raise SettingsError(f"{path.name} with the variables {PREFIX}…: {told}") from wrong


def _put(content: dict[str, Any], variable: str, value: str) -> None:
    *sections, last = variable.removeprefix(PREFIX).lower().split("__")
    if not last or not all(sections):
        raise SettingsError(f"{variable}: a setting is named {PREFIX}SECTION__NAME")
    place = content
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise SettingsError(f"{variable}: {section} is no section")
    place[last] = value
