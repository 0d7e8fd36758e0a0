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
    ],
)
def test_a_typo_is_named(variables: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        load({"OPENLANCE_PLATFORM_ENV": "embedded"} | variables)
