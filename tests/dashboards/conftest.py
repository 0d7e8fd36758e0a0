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


@pytest.fixture(scope="session")
def free(chromium: Any) -> Iterator[list[Visitor]]:
    """Browsers that nobody is using."""
    found: list[Visitor] = []
    yield found
    for each in found:
        each.context.close()


@pytest.fixture
def visitor(chromium: Any, stage: Stage, free: list[Visitor]) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors, signed in at the web app when a role is named; at the end none of them may have met a script error."""
    made: list[Visitor] = []

    def make(role: str | None = None, *, width: int = 1280) -> Visitor:
        made.append(_enter(chromium, stage, free, width))
        if role:
            made[-1].sign_in_at_web(role)
        return made[-1]

    yield make
    _leave(made, free)


@pytest.fixture(scope="module")
def open_pages(chromium: Any, stage: Stage, free: list[Visitor]) -> Iterator[Callable[[int], Any]]:
    """The overview as an admin has it open at a width, kept for all tests of a module that only read."""
    made: dict[int, Visitor] = {}

    def at(width: int) -> Any:
        if width not in made:
            made[width] = _enter(chromium, stage, free, width)
            made[width].sign_in_at_web("admin")
            made[width].open_dashboards()
        return made[width].page

    yield at
    _leave(list(made.values()), free)


def _enter(chromium: Any, stage: Stage, free: list[Visitor], width: int) -> Visitor:
    found = free.pop() if free else Visitor(chromium, stage)
    found.page.set_viewport_size({"width": width, "height": 900})
    return found


def _leave(made: list[Visitor], free: list[Visitor]) -> None:
    problems = [p for v in made for p in v.problems]
    for each in made:
        if each.bent:
            each.context.close()
        else:
            each.leave()
            free.append(each)
    assert problems == []
