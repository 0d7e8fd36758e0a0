"""Two weeks of an hourly contract as its sides live through them, over HTTP: agreed, funded, logged, questioned, disputed, paid and ended."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from marketplace.contracts import hours_calendar as calendar
from marketplace.contracts import tasks
from marketplace.core import clock
from marketplace.disputes import tasks as dispute_tasks
from marketplace.jobs.models import Category
from marketplace.payments.models import Entry
from tests.webapp.hours_cast import DAY, past, usd
from tests.webapp.people import Person

CARD = {"provider": "sandbox", "method": {"token": "tok_visa"}}


def made(answer: Any, status: int = 201) -> Any:
    assert answer.status_code == status, answer.content
    return answer.json()


def hire(client: Person, freelancer: Person) -> Any:
    """From the post to the accepted offer of ten hours a week at 60.00 USD."""
    Category.objects.get_or_create(slug="web-development", defaults={"name": "Web development"})
    post = {
        "title": "A web shop, by the hour", "description": "A shop with a cart and a checkout.", "category": "web-development",
        "pricing": "hourly", "currency": "USD",
    }  # fmt: skip
    job = made(client.post("jobs", post))
    made(client.post(f"jobs/{job['id']}/publish"), 200)
    bid = {"cover_letter": "I have built ten of these.", "amount_minor": 6_000, "currency": "USD"}
    proposal = made(freelancer.post(f"jobs/{job['id']}/proposals", bid))
    offer = made(client.post(f"proposals/{proposal['id']}/offer", {"weekly_cap_minutes": 600}))
    assert (offer["state"], offer["hours"]["rate_minor"], offer["total_minor"]) == ("offered", 6_000, 60_000)
    return made(freelancer.post(f"contracts/{offer['id']}/accept"), 200)


def test_two_weeks_by_the_hour(alice: Any, bob: Any, charlie: Any) -> None:
    a, b = Person(alice), Person(bob)
    monday = calendar.week_of(clock.now()) + calendar.WEEK
    past(calendar.begins(monday) + timedelta(hours=9))
    contract = hire(a, b)
    route = f"contracts/{contract['id']}"
    second, first = made(a.get(f"{route}/weeks"), 200)["results"]
    assert (first["week_start"], first["state"], first["protected"]) == (monday.isoformat(), "planned", False)

    # unprotected hours are refused, and the answer says what to do
    entry = {"day": monday.isoformat(), "minutes": 240, "what": "The cart."}
    refused = b.post(f"weeks/{first['id']}/entries", entry)
    assert (refused.status_code, refused.json()["code"]) == (409, "week_not_funded")
    made(a.post(f"milestones/{first['milestone_id']}/fund", CARD), 200)
    made(a.post(f"milestones/{second['milestone_id']}/fund", CARD), 200)
    assert usd(alice)[:2] == (0, 120_000)

    # Monday to Wednesday
    made(b.post(f"weeks/{first['id']}/entries", entry))
    past(calendar.begins(monday) + 2 * DAY + timedelta(hours=18))
    for day, minutes, what in ((1, 200, "The checkout."), (2, 61, "A call about the checkout.")):
        week = made(b.post(f"weeks/{first['id']}/entries", {"day": (monday + day * DAY).isoformat(), "minutes": minutes, "what": what}))
    assert (week["minutes"], week["state"], len(week["entries"])) == (501, "in_progress", 3)
    over = b.post(f"weeks/{first['id']}/entries", {"day": (monday + DAY).isoformat(), "minutes": 100, "what": "More."})
    assert (over.status_code, over.json()["code"]) == (400, "minutes_beyond_cap")
    wish = made(b.post(f"{route}/cap-changes", {"weekly_cap_minutes": 900, "note": "It is more work than we thought."}))
    assert made(a.post(f"cap-changes/{wish['id']}/accept"), 200)["state"] == "accepted"

    # Monday noon hands the week in: 501 minutes are 501.00, 99.00 are back
    past(calendar.begins(monday) + 7 * DAY + timedelta(hours=12))
    assert [tasks.open_weeks_due(), tasks.close_weeks_due()] == [1, 1]
    week = made(a.get(f"weeks/{first['id']}"), 200)
    assert (week["state"], week["amount_minor"], week["funded_minor"], week["actions"]) == ("submitted", 50_100, 60_000, ["question"])
    assert usd(alice)[:2] == (9_900, 110_100)
    third = made(a.get(f"{route}/weeks"), 200)["results"][0]
    assert (third["cap_minutes"], third["amount_minor"]) == (900, 90_000)

    # the client questions the call; the rest of the week goes on
    call = week["entries"][2]
    part = made(a.post(f"weeks/{week['id']}/question", {"questions": [{"entry_id": call["id"], "reason": "That call was cancelled."}]}))
    assert (part["state"], part["held"]["minor"], part["amount_minor"]) == ("changes_requested", 6_100, 6_100)
    made(
        b.post(f"weeks/{part['id']}/answer", {"answers": [{"entry_id": call["id"], "text": "It lasted an hour: see the recording."}]}), 200
    )
    past(calendar.begins(monday) + 11 * DAY + timedelta(hours=23, minutes=59))
    dispute = made(a.post(f"milestones/{part['milestone_id']}/dispute", {"claim": "There was no call."}))
    assert tasks.auto_approve_due() == 1
    assert made(a.get(f"weeks/{week['id']}"), 200)["state"] == "released" and usd(bob)[2] == 39_600

    # only the call is disputed: they meet in the middle
    made(b.post(f"disputes/{dispute['id']}/respond", {"text": "See the recording."}), 200)
    made(a.post(f"disputes/{dispute['id']}/offer", {"to_freelancer_minor": 4_000}), 200)
    assert made(b.post(f"disputes/{dispute['id']}/offer", {"to_freelancer_minor": 4_000}), 200)["state"] == "settled"
    assert dispute_tasks.advance_due() == 0
    assert usd(bob)[2] == 39_600 + 3_600 and usd(alice)[:2] == (9_900 + 2_100, 60_000)

    # the second week is not worked; the freelancer stops the weeks, and the contract ends with the last money
    stopped = made(b.post(f"{route}/hours/stop", {"reason": "A new job."}), 200)
    assert (stopped["state"], stopped["hours"]["stopped_at"] is None) == ("active", False)
    past(calendar.begins(monday) + 14 * DAY + timedelta(hours=12))
    assert [tasks.open_weeks_due(), tasks.close_weeks_due()] == [0, 1]
    ended = made(a.get(route), 200)
    assert (ended["state"], usd(alice)[:2]) == ("completed", (72_000, 0))
    past(calendar.begins(monday) + 30 * DAY)
    assert tasks.clear_due() == 2 and usd(bob)[2:] == (0, 43_200)

    # what the freelancer earned, the fees and what came back are what the client paid
    assert usd(bob)[3] + 4_800 + usd(alice)[0] == 120_000
    assert {e.rule for e in Entry.objects.filter(contract_id=contract["id"], kind="refund")} == {
        "unspent_hours",
        "hours_questioned",
        "nothing_logged",
    }
    lines = a.client.get(f"/api/v1/{route}/timesheet.csv").content.decode().split("\r\n")
    assert len(lines) == 5 and date.fromisoformat(lines[1].split(",")[0]) == monday
    assert Person(charlie).get(route).status_code == 404
