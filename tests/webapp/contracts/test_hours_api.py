"""Weekly hours over HTTP: shapes, lists, the timeline's clocks, the file, and who is let in."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from marketplace.contracts import hours_calendar as calendar
from marketplace.contracts import services, tasks
from marketplace.contracts.models import Contract, TimeEntry, Timesheet
from marketplace.core import clock
from marketplace.core.models import Event
from tests.webapp.hours_cast import CAP, DAY, FULL, RATE, fresh, past, weeks
from tests.webapp.people import Person


def ahead(person: Person, contract: Contract) -> list[tuple[str, str, str]]:
    """(title, about, what happens if nobody acts) of the timeline's clocks, soonest first."""
    items = person.get(f"contracts/{contract.pk}/timeline").json()["items"]
    return [(i["title"], i["text"], i["if_nobody_acts"]) for i in items if i["kind"] == "clock"]


def test_a_weekly_contract_says_so(alice: Any, bob: Any, hourly: Contract) -> None:
    shown = Person(alice).get(f"contracts/{hourly.pk}").json()
    assert shown["hours"] == {"rate_minor": RATE, "weekly_cap_minutes": CAP, "stopped_at": None}
    assert [m["week_id"] for m in shown["milestones"]] == [s.pk for s in weeks(hourly)]
    assert shown["milestones"][0]["actions"] == ["fund"]
    terms = Person(bob).get(f"contracts/{hourly.pk}/hours").json()
    assert (terms["unspent"], terms["auto_fund"], terms["cap_changes"], terms["currency"]) == ("refund", False, [], "USD")


def test_a_contract_of_milestones_has_no_hours(alice: Any, contract: Contract) -> None:
    assert Person(alice).get(f"contracts/{contract.pk}").json()["hours"] is None
    assert Person(alice).get(f"contracts/{contract.pk}/hours").status_code == 404
    assert Person(alice).get(f"contracts/{contract.pk}/weeks").json() == {"results": [], "next": None}


def test_strangers_see_nothing_of_a_weekly_contract(charlie: Any, hourly: Contract, week: Timesheet, log: Callable[..., TimeEntry]) -> None:
    entry, c, events = log(week, 30), Person(charlie), Event.objects.count()
    for path in ("hours", "weeks", "timesheet.csv"):
        assert c.get(f"contracts/{hourly.pk}/{path}").status_code == 404
    assert c.get(f"weeks/{week.pk}").status_code == 404
    assert c.patch(f"time-entries/{entry.pk}", {"minutes": 1}).status_code == 404
    assert c.post(f"contracts/{hourly.pk}/hours/stop").status_code == 404
    assert Event.objects.count() == events


def test_actions_lead_each_side_through_a_week(alice: Any, bob: Any, week: Timesheet, logged: list[TimeEntry]) -> None:
    a, b = Person(alice), Person(bob)
    actions = lambda sheet_id: (a.get(f"weeks/{sheet_id}").json()["actions"], b.get(f"weeks/{sheet_id}").json()["actions"])  # noqa: E731
    assert actions(week.pk) == ([], ["entries", "submit"])
    b.post(f"weeks/{week.pk}/submit")
    assert actions(week.pk) == (["question"], [])
    asked = a.post(f"weeks/{week.pk}/question", {"questions": [{"entry_id": logged[2].pk, "reason": "Which call?"}]})
    part = asked.json()
    assert (asked.status_code, part["part"], part["week_start"]) == (201, 1, week.week_start.isoformat())
    assert (part["entries"][0]["question"], part["entries"][0]["minutes_questioned"]) == ("Which call?", 33)
    assert actions(week.pk) == ([], []) and actions(part["id"]) == ([], ["answer"])
    answered = b.post(f"weeks/{part['id']}/answer", {"answers": [{"entry_id": logged[2].pk, "minutes": 30, "text": "The first one."}]})
    assert (answered.json()["state"], answered.json()["held"]) == ("submitted", {"minor": 3_000, "currency": "USD"})


def test_the_timeline_says_what_happens_if_nobody_acts(alice: Any, bob: Any, hourly: Contract, week: Timesheet) -> None:
    a = Person(alice)
    title = f"Week of {week.week_start}"
    first, *_ = ahead(a, hourly)
    assert first[0] == "Week open" and "needs the client's money" in first[2]
    closes = {about: then for kind, about, then in ahead(a, hourly) if kind == "Timesheet close"}
    assert closes[title] == f"Nothing is logged for “{title}”: the 600.00 USD held for it returns to the client."
    assert "no hours can be logged: they would be unprotected" in closes[f"Week of {week.week_start + 7 * DAY}"]
    past(calendar.begins(week.week_start) + 2 * DAY)
    entry = services.entry_log(actor=bob, timesheet_id=week.pk, day=week.week_start, minutes=90, what="The cart.")
    closes = {about: then for kind, about, then in ahead(a, hourly) if kind == "Timesheet close"}
    assert closes[title] == f"The 1 h 30 min logged for “{title}” are submitted for 90.00 USD; 510.00 USD returns to the client."
    services.week_submit(actor=bob, timesheet_id=week.pk)
    assert (title, f"“{title}” is approved and 90.00 USD is released to the freelancer.") in [row[1:] for row in ahead(a, hourly)]
    services.week_question(actor=alice, timesheet_id=week.pk, questions=[{"entry_id": entry.pk, "reason": "Why?"}])
    asked = {kind: then for kind, _, then in ahead(a, hourly)}
    assert asked["Question answer"] == "The questions count as granted and 90.00 USD returns to the client."
    happened = [i["title"] for i in a.get(f"contracts/{hourly.pk}/timeline").json()["items"] if i["kind"] == "event"]
    assert {"Hours of the week fixed", "Questioned hours held apart", "Hours questioned"} <= set(happened)
    assert "timesheet.log" in set(Event.objects.values_list("kind", flat=True))


def test_clocks_that_stand_still_are_not_promised(staff: Any, alice: Any, hourly: Contract, week: Timesheet) -> None:
    services.contract_pause(actor=staff("support"), contract_id=hourly.pk, reason="Holidays.")
    assert [kind for kind, *_ in ahead(Person(alice), hourly) if kind in ("Timesheet close", "Week open")] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"day": "yesterday", "minutes": 30, "what": "x"}, "day"),
        ({"day": "2026-11-30", "minutes": "30", "what": "x"}, "minutes"),
        ({"day": "2026-11-30", "minutes": 1.5, "what": "x"}, "minutes"),
        ({"day": "2026-11-30", "minutes": 10**30, "what": "x"}, "minutes"),
        ({"day": "2026-11-30", "minutes": 30, "what": ""}, "what"),
        ({"day": "2026-11-30", "minutes": 30, "what": "a\x00b"}, None),
        ({"day": "0001-01-01", "minutes": 30, "what": "x"}, "day"),
        ({"day": "9999-12-31", "minutes": 30, "what": "x"}, "day"),
    ],
    ids=["day", "text", "part", "huge", "nothing", "nul", "first", "last"],
)
def test_bad_entries_are_refused_with_the_field(bob: Any, week: Timesheet, body: dict[str, Any], field: str | None) -> None:
    answer = Person(bob).post(f"weeks/{week.pk}/entries", body)
    assert answer.status_code == 400 and (field is None or field in answer.json()["fields"])


def test_an_entry_is_logged_once_for_one_key(bob: Any, week: Timesheet) -> None:
    body = {"day": week.week_start.isoformat(), "minutes": 30, "what": "The cart."}
    answers = [Person(bob).post(f"weeks/{week.pk}/entries", body, key="once") for _ in range(2)]
    assert [a.status_code for a in answers] == [201, 201] and TimeEntry.objects.count() == 1
    entry = TimeEntry.objects.get()
    changed = Person(bob).patch(f"time-entries/{entry.pk}", {"what": "The cart's tests."})
    assert changed.json()["entries"][0]["what"] == "The cart's tests." and changed.json()["minutes"] == 30
    gone = Person(bob).client.delete(f"/api/v1/time-entries/{entry.pk}")
    assert (gone.status_code, gone.json()["entries"], gone.json()["minutes"]) == (200, [], 0)


def test_weeks_are_listed_by_keyset_with_constant_queries(
    alice: Any, hourly: Contract, week: Timesheet, django_assert_max_num_queries: Any
) -> None:
    for _ in range(6):
        past(calendar.begins(weeks(hourly)[-1].week_start))
        assert tasks.open_weeks_due() == 1
    a, seen, path = Person(alice), [], f"/api/v1/contracts/{hourly.pk}/weeks?limit=3"
    while path:
        with django_assert_max_num_queries(5):
            page = a.get(path).json()
        seen += [w["week_start"] for w in page["results"]]
        path = page["next"]
    assert seen == sorted(seen, reverse=True) and len(seen) == len(set(seen)) == 8
    assert a.get(f"contracts/{hourly.pk}/weeks", cursor="nonsense").status_code == 400
    with django_assert_max_num_queries(25):
        a.get(f"contracts/{hourly.pk}")


def test_the_list_and_the_sweeps_read_indexes(hourly: Contract) -> None:
    from marketplace.contracts import hours_selectors

    statements = [
        hours_selectors.sheets_of(hourly).order_by("-week_start", "-id")[:26],
        Timesheet.objects.filter(closed_at__isnull=True, closes_at__lte=clock.now()).order_by("closes_at", "id")[:500],
        Timesheet.objects.filter(answer_by__lte=clock.now()).order_by("answer_by", "id")[:500],
    ]
    for rows in statements:
        with connection.cursor() as cursor:
            sql, given = rows.query.sql_with_params()
            cursor.execute(f"EXPLAIN {sql}", given)
            keys = dict(zip((c[0] for c in cursor.description), zip(*cursor.fetchall(), strict=True), strict=True))
        assert "timesheet" in str(keys["possible_keys"]), sql


def test_the_file_holds_every_entry_and_runs_nowhere(
    alice: Any, bob: Any, hourly: Contract, week: Timesheet, log: Callable[..., TimeEntry]
) -> None:
    past(calendar.begins(week.week_start) + 3 * DAY)
    for text in ('=HYPERLINK("https://example.org")', "+49 call", "@home", "-1 bug", '  "=1+1"', "العربية, with a comma\nand a line"):
        log(week, 20, 1, text)
    asked = TimeEntry.objects.order_by("id").first()
    services.week_submit(actor=bob, timesheet_id=week.pk)
    services.week_question(actor=alice, timesheet_id=week.pk, questions=[{"entry_id": asked.pk, "reason": "=cmd|' /C calc'!A0"}])
    answer = Person(alice).client.get(f"/api/v1/contracts/{hourly.pk}/timesheet.csv", HTTP_ACCEPT="text/csv")
    assert answer.status_code == 200 and answer["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))
    assert len(rows) == 6 and {r["day"] for r in rows} == {(week.week_start + DAY).isoformat()}
    assert not [
        r for r in rows for v in (r["what"], r["question"]) if v.lstrip(" \"'").startswith(("=", "+", "@", "-")) and not v.startswith("'")
    ]
    assert rows[5]["what"] == "العربية, with a comma\nand a line"
    assert (rows[0]["amount"], rows[0]["hours"], rows[0]["week_state"], rows[0]["currency"]) == (
        "20.00",
        "0.33",
        "changes_requested",
        "USD",
    )


def test_an_offer_by_the_week_over_http(alice: Any, bob: Any, hourly: Contract) -> None:
    from marketplace.jobs import services as jobs

    job = jobs.job_create(
        actor=alice, title="Another shop", description="A shop with a cart and a checkout.", category="web-development", pricing="hourly"
    )
    jobs.job_publish(actor=alice, job_id=job.pk)
    bid = jobs.proposal_submit(
        actor=bob, job_id=job.pk, cover_letter="I have built ten of these.", amount_minor=RATE, currency="USD", delivery_days=None,
        milestones=[], answers=[],
    )  # fmt: skip
    a = Person(alice)
    made = a.post(f"proposals/{bid.pk}/offer", {"weekly_cap_minutes": 600})
    assert (made.status_code, made.json()["hours"]["weekly_cap_minutes"], made.json()["milestones"]) == (201, 600, [])
    assert made.json()["total_minor"] == FULL


def test_settings_and_caps_over_http(alice: Any, bob: Any, hourly: Contract) -> None:
    a, b = Person(alice), Person(bob)
    assert a.post(f"contracts/{hourly.pk}/hours", {"unspent": "roll", "auto_fund": True}).json()["unspent"] == "roll"
    assert a.post(f"contracts/{hourly.pk}/hours", {"unspent": "keep"}).status_code == 400
    assert b.post(f"contracts/{hourly.pk}/hours", {"auto_fund": False}).status_code == 403
    assert "is funded from the client's wallet" in ahead(b, hourly)[0][2]
    wish = b.post(f"contracts/{hourly.pk}/cap-changes", {"weekly_cap_minutes": 900, "note": "The launch."})
    assert (wish.status_code, wish.json()["mine"]) == (201, True)
    assert a.get(f"contracts/{hourly.pk}/hours").json()["cap_changes"][0]["mine"] is False
    assert a.post(f"cap-changes/{wish.json()['id']}/accept").json()["state"] == "accepted"
    assert a.get(f"contracts/{hourly.pk}/hours").json()["weekly_cap_minutes"] == 900
    assert fresh(weeks(hourly)[0]).milestone.amount_minor == 90_000
    assert timedelta(0) < weeks(hourly)[0].closes_at - clock.now()
