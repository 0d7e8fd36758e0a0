"""Finding a job and proposing with the keyboard alone; focus is always visible."""

from __future__ import annotations

import re
from typing import Any

import pytest

pytestmark = pytest.mark.browser

FOCUSED = """() => {
  const e = document.activeElement;
  const name = e.getAttribute("aria-label") || (e.labels && [...e.labels].map(l => l.textContent).join(" ")) || e.textContent || "";
  const style = getComputedStyle(e);
  const shown = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
  const box = e.getBoundingClientRect();
  return {name: name.trim().replace(/\\s+/g, " "), shown, seen: box.width > 0 && box.height > 0};
}"""


def tab_to(page: Any, name: str, most: int = 60) -> None:
    """Press Tab until the control of that name has the focus; every stop on the way shows that it has it."""
    stops = []
    for _ in range(most):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        stops.append(stop["name"])
        assert stop["shown"] and stop["seen"], f"the focus on {stop['name']!r} cannot be seen"
        if stop["name"].startswith(name):
            return
    raise AssertionError(f"Tab never reached {name!r}; it went over {stops}")


def test_a_proposal_needs_no_mouse(visitor: Any, alice_and_bob: Any, open_job: Any) -> None:
    from marketplace.jobs.models import Proposal

    _, bob = alice_and_bob
    page = visitor(bob).go("/jobs")

    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED)["name"] == "Skip to the content"
    page.keyboard.press("Enter")
    tab_to(page, "Words to look for")
    page.keyboard.type("orders")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs?query=orders")
    tab_to(page, "Skills")
    with page.expect_response(lambda answer: answer.url.endswith("/api/v1/skills?query=pyth")) as skills:
        page.keyboard.type("pyth")
    assert skills.value.ok, f"{skills.value.status}: {skills.value.text()}"
    assert page.evaluate("document.activeElement.value") == "pyth"
    page.get_by_role("option", name="Python").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"skills=python"))
    tab_to(page, open_job.title)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/jobs/{open_job.pk}")
    page.get_by_role("link", name="Propose", exact=True).wait_for()
    assert page.evaluate("document.activeElement.id") == "main"

    tab_to(page, "Propose")
    page.keyboard.press("Enter")
    page.get_by_label("Why you").wait_for()
    tab_to(page, "Why you")
    page.keyboard.type("I have done this before.")
    tab_to(page, "Your price (USD)")
    page.keyboard.type("1200.50")
    tab_to(page, "Which loader would you use?")
    page.keyboard.type("A tested one.")
    tab_to(page, "Send the proposal")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/proposals/\d+$"))

    assert Proposal.objects.get().amount_minor == 120_050


def test_the_phone_menu_and_filters_hold_the_focus_and_give_it_back(visitor: Any, alice_and_bob: Any, open_job: Any) -> None:
    _, bob = alice_and_bob
    page = visitor(bob, width=360).go("/jobs")

    for opener, panel in (("open-menu", "#site-menu"), ("open-filters", "#filters")):
        page.get_by_test_id(opener).focus()
        page.keyboard.press("Enter")
        page.locator(f"{panel}.show").wait_for()
        page.locator(f"{panel}:focus, {panel} :focus").wait_for()
        page.keyboard.press("Escape")
        page.locator(panel).wait_for(state="hidden")
        page.locator(f"[data-testid={opener}]:focus").wait_for()
