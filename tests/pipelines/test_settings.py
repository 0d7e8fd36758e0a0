"""Settings by environment: what is set is what is read, and a typo ends the command."""

from __future__ import annotations

import pytest

from pipelines import settings
from pipelines.settings import SettingsError, load


@pytest.mark.parametrize("name", sorted(path.stem for path in settings.FOLDER.glob("*.toml")))
def test_every_environment_loads(name: str) -> None:
    assert load({"OPENLANCE_PLATFORM_ENV": name}).loop.interval_seconds > 0


def test_the_environment_follows_the_database_and_a_variable_wins_over_the_file() -> None:
    assert settings.name({"OPENLANCE_DB_NAME": "x"}) == "services"
    assert settings.name({"OPENLANCE_DB_NAME": "x", "OPENLANCE_SQLITE": "file"}) == settings.name({}) == "embedded"
    assert load({"OPENLANCE_DB_NAME": "x", "OPENLANCE_PLATFORM__LOOP__INTERVAL_SECONDS": "7.5"}).loop.interval_seconds == 7.5


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"OPENLANCE_PLATFORM_ENV": "produktion"}, "names 'produktion'; there are embedded"),
        ({"OPENLANCE_PLATFORM__LOOP__INTERVALL_SECONDS": "5"}, "loop.intervall_seconds: Extra inputs"),
        ({"OPENLANCE_PLATFORM__LOPP__INTERVAL_SECONDS": "5"}, "lopp: Extra inputs"),
        ({"OPENLANCE_PLATFORM__LOOP__INTERVAL_SECONDS": "soon"}, "loop.interval_seconds: Input should be a valid number"),
        ({"OPENLANCE_PLATFORM__LOOP__INTERVAL_SECONDS": "0"}, "loop.interval_seconds: Input should be greater than 0"),
        ({"OPENLANCE_PLATFORM__LOOP": "5"}, "loop: Input should be a valid dictionary"),
        ({"OPENLANCE_PLATFORM__": "5"}, "a setting is named"),
        ({"OPENLANCE_PLATFORM_LOOP__INTERVAL_SECONDS": "5"}, "OPENLANCE_PLATFORM_LOOP__INTERVAL_SECONDS is no setting"),
        ({"OPENLANCE_PLATFROM__LOOP__INTERVAL_SECONDS": "5"}, "OPENLANCE_PLATFROM__LOOP__INTERVAL_SECONDS is no setting"),
        (
            {"OPENLANCE_PLATFORM__ORCHESTRATION__PROVE_CRON": "a b c d e"},
            "prove_cron: .*'a b c d e' is no cron expression: 'a' is no minute",
        ),
    ],
)
def test_a_typo_is_named(variables: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        load({"OPENLANCE_PLATFORM_ENV": "embedded"} | variables)


@pytest.mark.parametrize(
    ("told", "valid"),
    [
        ("* * * * *", True),
        ("7,37 */2 1-15 jan-JUN,12 mon-fri/2", True),
        ("59 23 31 12 7", True),
        ("* * * *", False),
        ("* * * * * *", False),
        ("*  * * * *", False),
        ("60 * * * *", False),
        ("* 24 * * *", False),
        ("* * 0 * *", False),
        ("* * * 13 *", False),
        ("* * * * 8", False),
        ("5-3 * * * *", False),
        ("5/2 * * * *", False),
        ("*/0 * * * *", False),
        ("*/ * * * *", False),
        ("1- * * * *", False),
        ("1,,2 * * * *", False),
        ("-1 * * * *", False),
        ("mon * * * *", False),
        ("\N{ARABIC-INDIC DIGIT FIVE} * * * *", False),
    ],
)
def test_a_schedule_is_five_fields_within_their_bounds_and_dagster_takes_what_is_let_in(told: str, valid: bool) -> None:
    variables = {"OPENLANCE_PLATFORM_ENV": "embedded", "OPENLANCE_PLATFORM__ORCHESTRATION__COMPACT_CRON": told}
    if not valid:
        with pytest.raises(SettingsError, match="is no cron expression"):
            load(variables)
        return
    dagster = pytest.importorskip("dagster")
    assert load(variables).orchestration.compact_cron == told
    dagster.ScheduleDefinition(name="one", job_name="one", cron_schedule=told)
