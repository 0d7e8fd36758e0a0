"""Every page at 360 and 1280 px: no sideways scrolling, one heading of the first level, and what axe checks."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import FRONTEND

pytestmark = pytest.mark.browser

SMALL_TARGETS = """() => [...document.querySelectorAll("main button, header button, .btn, .form-select, input.form-control, .nav-link")]
  .filter(e => e.offsetParent !== null && e.getBoundingClientRect().height < 43.5)
  .map(e => e.outerHTML.slice(0, 120))"""

AXE = """async () => {
  const found = await axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]});
  return found.violations.map(v => `${v.id}: ${v.nodes.map(n => n.target.join(" ") + " " + (n.failureSummary || "")).join("; ").slice(0, 400)}`);
}"""


@pytest.fixture
def pages(alice_and_bob: Any, open_job: Any, funded_contract: Any) -> dict[str, list[str]]:
    """Addresses by who looks, over a contract with work and money on it."""
    from marketplace.contracts import services as contracts
    from marketplace.core.tasks import drain
    from marketplace.disputes import services as disputes
    from marketplace.jobs import services as jobs
    from marketplace.payments.models import Payment

    alice, bob = alice_and_bob
    contract = funded_contract
    first, other = contract.milestones.order_by("position")
    contracts.milestone_submit(actor=bob, milestone_id=first.pk, note="Everything loads.")
    dispute = disputes.dispute_open(actor=alice, milestone_id=other.pk, claim="Half of it is missing.")
    second = jobs.job_create(
        actor=alice, title="Draw a logo for a bakery", description="A mark that works in one colour.", category="data", pricing="hourly",
    )  # fmt: skip
    jobs.job_publish(actor=alice, job_id=second.pk)
    drain()
    payment = Payment.objects.values_list("pk", flat=True)[0]
    shared = [
        f"/contracts/{contract.pk}",
        f"/proposals/{contract.proposal_id}",
        f"/disputes/{dispute.pk}",
        "/contracts",
        "/money",
        "/payouts",
        "/statements",
        "/documents",
        "/wallet",
        "/inbox",
    ]
    return {
        "guest": ["/", "/sign-in", "/sign-up", "/verify-email", "/jobs", "/no-such-page"],
        "freelancer": [*shared, "/jobs", f"/jobs/{second.pk}", f"/jobs/{second.pk}/propose", "/recommended", "/proposals", "/profile"],
        "client": [
            *shared,
            "/jobs/new",
            f"/jobs/{open_job.pk}",
            f"/jobs/{open_job.pk}/proposals",
            "/my-jobs",
            f"/freelancers/{bob.pk}",
            f"/payments/{payment}",
        ],
    }


@pytest.mark.parametrize("who", ["guest", "freelancer", "client"])
def test_pages_fit_a_phone_and_are_accessible(visitor: Any, alice_and_bob: Any, pages: dict[str, list[str]], who: str) -> None:
    axe = (FRONTEND / "node_modules" / "axe-core" / "axe.min.js").read_text()
    user = {"guest": None, "freelancer": alice_and_bob[1], "client": alice_and_bob[0]}[who]
    faults: list[str] = []
    browser = visitor(user)

    for path in pages[who]:
        page = browser.go(path)
        page.evaluate(axe)
        for width, scheme in ((360, "light"), (1280, "dark")):
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            at = f"{path} at {width} px, {scheme}"
            page.locator(f"html[data-bs-theme={scheme}]").wait_for()
            if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
                faults.append(f"{at}: scrolls sideways")
            if (count := page.locator("h1").count()) != 1:
                faults.append(f"{at}: {count} headings of the first level")
            faults += [f"{at}: small target {html}" for html in page.evaluate(SMALL_TARGETS)]
            faults += [f"{at}: {violation}" for violation in page.evaluate(AXE)]

    assert faults == []
