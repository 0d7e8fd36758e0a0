"""The stage of the dashboards, set once for all suites here, and visitors in real browsers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines import marts_reader
from pipelines.marts_reader import Published
from tests.dashboards.stage import CHROMIUM, FLAGS, Stage, Visitor, open_stage


@pytest.fixture(scope="session")
def marts(sample_house: Path) -> Published:
    """The staff publication of the sample house."""
    return marts_reader.current(sample_house / "published")


@pytest.fixture(scope="session")
def stage(sample_house: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with open_stage(sample_house, tmp_path_factory.mktemp("dashboards")) as found:
        yield found


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visitor(chromium: Any, stage: Stage) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors, signed in at the web app when a role is named; at the end none of them may have met a script error."""
    made: list[Visitor] = []

    def make(role: str | None = None, **options: Any) -> Visitor:
        made.append(Visitor(chromium, stage, **options))
        if role:
            made[-1].sign_in_at_web(role)
        return made[-1]

    yield make
    _end(made)


@pytest.fixture(scope="module")
def open_pages(chromium: Any, stage: Stage) -> Iterator[Callable[[int], Any]]:
    """The overview as an admin has it open at a width, kept for all tests of a module that only read."""
    made: dict[int, Visitor] = {}

    def at(width: int) -> Any:
        if width not in made:
            made[width] = Visitor(chromium, stage, width=width)
            made[width].sign_in_at_web("admin")
            made[width].open_dashboards()
        return made[width].page

    yield at
    _end(list(made.values()))


def _end(made: list[Visitor]) -> None:
    problems = [p for v in made for p in v.problems]
    for each in made:
        each.context.close()
    assert problems == []
