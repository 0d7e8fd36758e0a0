"""Bid credits: what a bid costs, what a month brings, when credits come back, and that no balance falls below zero."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from marketplace.core import clock
from marketplace.core.errors import Conflict
from marketplace.core.models import Event
from marketplace.jobs import credits, services, tasks
from marketplace.jobs.models import BidCreditAccount, BidCreditMovement, Proposal
from tests.webapp.people import Person
from tests.webapp.races.rendezvous import at_once, behind_the_lock

DAY = 24 * 3600


def movements(user: Any) -> list[tuple[str, int, int, str]]:
    return list(BidCreditMovement.objects.filter(account=user.pk).order_by("number").values_list("kind", "change", "balance", "rule"))


def rule(monthly: int) -> None:
    """From now on a month brings this many, and every bid costs four."""
    services.credit_rule_publish(
        version=f"test-{monthly}",
        active_from=clock.now(),
        monthly=monthly,
        bands=[{"up_to_usd_minor": None, "credits": 4}],
        hourly=4,
        unknown=4,
    )


def to(moment: datetime) -> None:
    left = (moment - clock.now()) / timedelta(seconds=1)
    clock.advance(int(left) + (left > int(left)))


def test_the_budget_decides_what_a_bid_costs(post: Any) -> None:
    standing = credits.active_rule()
    cases = {
        (10_000, 50_000): 2,
        (50_000, 50_001): 4,
        (400_000, 500_000): 4,
        (400_000, 500_001): 6,
        (600_000, None): 6,
        (None, None): 4,
    }
    for (low, high), cost in cases.items():
        job = post(budget_min_minor=low, budget_max_minor=high)
        assert credits.cost_of_bid(job, standing) == cost, (low, high)
    assert credits.cost_of_bid(post(pricing="hourly", budget_min_minor=9_000_000, budget_max_minor=9_000_000), standing) == 4
    yen = post(currency="JPY", budget_min_minor=10_000, budget_max_minor=10_000)
    assert credits.cost_of_bid(yen, standing) == 2, "10,000 yen are less than 500 dollars"
    assert credits.cost_of_bid(post(), None) == 0


def test_the_quote_says_the_cost_and_sending_takes_it_once(post: Any, bob: Any) -> None:
    job, person = post(), Person(bob)
    quote = person.post(f"jobs/{job.pk}/quote", {"amount_minor": 150_000, "currency": "USD", "delivery_days": 10}).json()
    assert {k: quote["credits"][k] for k in ("cost", "balance", "enough")} == {"cost": 4, "balance": 60, "enough": True}
    today = clock.now().date()
    assert quote["clears_on"] == (today + timedelta(days=15)).isoformat()
    assert quote["clears_on_if_silent"] == (today + timedelta(days=29)).isoformat()
    assert not BidCreditAccount.objects.exists(), "a quote stores nothing"
    bid = {"cover_letter": "I have done this.", "amount_minor": 150_000, "currency": "USD", "delivery_days": 10}
    first = person.post(f"jobs/{job.pk}/proposals", bid, key="one")
    again = person.post(f"jobs/{job.pk}/proposals", bid, key="one")
    assert (first.status_code, again.status_code, first.json()["id"]) == (201, 201, again.json()["id"])
    assert movements(bob) == [("grant", 60, 60, "standard-1"), ("spend", -4, 56, "standard-1")]
    shown = person.get("me/bid-credits").json()
    assert (shown["balance"], shown["monthly"], [m["change"] for m in shown["results"]]) == (56, 60, [-4, 60])
    assert shown["results"][0]["proposal"] == first.json()["id"] and shown["results"][0]["job_title"] == job.title
    following = credits.month_after(clock.now())
    assert shown["next_grant_at"] == following.isoformat().replace("+00:00", "Z")
    page = person.get("me/bid-credits", limit=1).json()
    assert [m["number"] for m in page["results"]] == [2]
    assert [m["number"] for m in person.get(page["next"]).json()["results"]] == [1]


def test_without_credits_there_is_no_bid_and_nothing_changes(post: Any, bid: Any, bob: Any) -> None:
    rule(6)
    bid(post())
    job, person = post(), Person(bob)
    refused = person.post(f"jobs/{job.pk}/proposals", {"cover_letter": "Me too.", "amount_minor": 1000, "currency": "USD"})
    assert (refused.status_code, refused.json()["code"]) == (409, "bid_credits_short")
    assert "costs 4 bid credits and you have 2" in refused.json()["message"]
    job.refresh_from_db()
    assert (job.proposal_count, Proposal.objects.count(), len(movements(bob))) == (0, 1, 2)
    assert person.post(f"jobs/{job.pk}/quote", {"amount_minor": 1000, "currency": "USD"}).json()["credits"]["enough"] is False


def test_a_month_fills_the_balance_at_its_first_instant_and_once(post: Any, bid: Any, bob: Any) -> None:
    bid(post())
    month = credits.month_after(clock.now())
    clock.advance(int((month - clock.now()) / timedelta(seconds=1)) - 1)
    assert (tasks.grant_due(), credits.standing_of(bob.pk).balance) == (0, 56)
    to(month)
    assert credits.standing_of(bob.pk).balance == 60, "what the clock owes counts already"
    assert (tasks.grant_due(), tasks.grant_due()) == (1, 0)
    assert movements(bob)[2:] == [("grant", 4, 60, "standard-1")]
    assert BidCreditAccount.objects.get(pk=bob.pk).next_grant_at == credits.month_after(month)


def test_a_clock_that_was_down_for_months_fills_once_and_a_full_balance_gets_nothing(post: Any, bid: Any, bob: Any) -> None:
    proposal = bid(post())
    clock.advance(100 * DAY)
    assert tasks.grant_due() == 1
    assert [m[1] for m in movements(bob)] == [60, -4, 4]
    services.credits_grant(freelancer_id=bob.pk)
    clock.advance(31 * DAY)
    assert (tasks.grant_due(), len(movements(bob))) == (1, 3), "nothing was missing"
    assert proposal.bid_credits == 4


def test_months_begin_in_utc_over_a_leap_day_and_a_turn_of_the_year() -> None:
    assert credits.month_after(datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC)) == datetime(2028, 3, 1, tzinfo=UTC)
    assert credits.month_after(datetime(2026, 12, 31, 23, 59, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)
    late_in_new_york = datetime.fromisoformat("2026-11-30T20:00:00-05:00")
    assert credits.month_after(late_in_new_york) == datetime(2027, 1, 1, tzinfo=UTC)


def test_a_job_that_ends_returns_the_credits_of_bids_that_nobody_opened(post: Any, bid: Any, alice: Any, bob: Any, charlie: Any) -> None:
    job = post()
    opened, closed = bid(job), bid(job, freelancer=charlie)
    services.proposal_see(actor=alice, proposal_id=opened.pk)
    clock.advance(8 * DAY)
    services.proposal_shortlist(actor=alice, proposal_id=opened.pk)
    clock.advance(23 * DAY)
    Proposal.objects.filter(pk=closed.pk).update(answer_due_at=None)  # silence is another rule's matter
    assert tasks.expire_due() == 1
    assert [m[0] for m in movements(bob)] == ["grant", "spend"]
    assert movements(charlie)[-1][::3] == ("return", "unopened")
    shown = Person(charlie).get(f"proposals/{closed.pk}/receipt").json()
    assert (shown["credits_spent"], shown["credits_returned"]) == (4, 4)
    assert shown["credits_returned_reason"] == credits.RETURNS["unopened"]
    assert [f["what"] for f in shown["history"]] == ["submit", "expire", "credits_return"]


def test_hiring_another_returns_unopened_bids_only(post: Any, bid: Any, alice: Any, bob: Any, charlie: Any, staff: Any) -> None:
    from marketplace.accounts.models import FreelancerProfile

    third = staff("analyst")
    FreelancerProfile.objects.create(user=third, title="A third")
    job = post()
    chosen, opened, unopened = bid(job), bid(job, freelancer=charlie), bid(job, freelancer=third)
    services.proposal_see(actor=alice, proposal_id=opened.pk)
    services.proposal_offer(actor=alice, proposal_id=chosen.pk)
    services.proposal_accept(actor=bob, proposal_id=chosen.pk)
    returned = set(BidCreditMovement.objects.filter(kind="return").values_list("proposal_id", "rule"))
    assert returned == {(unopened.pk, "unopened")}


def test_closing_without_hiring_and_removing_return_the_rest(post: Any, bid: Any, alice: Any, bob: Any, charlie: Any, sam: Any) -> None:
    job = post()
    opened, withdrawn = bid(job), bid(job, freelancer=charlie)
    services.proposal_see(actor=alice, proposal_id=opened.pk)
    services.proposal_withdraw(actor=charlie, proposal_id=withdrawn.pk)
    services.job_close(actor=alice, job_id=job.pk)
    assert movements(bob)[-1] == ("return", 4, 60, "not_hired")
    assert [m[0] for m in movements(charlie)] == ["grant", "spend"], "who takes a bid back has had it"
    fake = post(title="Another post altogether", description="Something quite different that needs no warehouse at all.")
    declined = bid(fake)
    services.proposal_decline(actor=alice, proposal_id=declined.pk, reason="No.")
    services.job_remove(actor=sam, job_id=fake.pk, reason="It is fake.")
    assert movements(bob)[-1][::3] == ("return", "removed")


def test_a_removal_that_was_wrong_leaves_the_credits_where_they_came_back_to_and_a_second_one_returns_nothing_twice(
    post: Any, bid: Any, alice: Any, bob: Any, charlie: Any, staff: Any, sam: Any
) -> None:
    from marketplace.accounts.models import FreelancerProfile

    third = staff("analyst")
    FreelancerProfile.objects.create(user=third, title="A third")
    rule(8)
    job = post()
    waiting, declined, offered = bid(job), bid(job, freelancer=charlie), bid(job, freelancer=third)
    services.proposal_decline(actor=alice, proposal_id=declined.pk, reason="No.")
    services.proposal_offer(actor=alice, proposal_id=offered.pk)
    services.job_remove(actor=sam, job_id=job.pk, reason="It looks copied.")
    everybody = (bob, charlie, third)
    assert [movements(u)[-1] for u in everybody] == [("return", 4, 8, "removed")] * 3
    for number in range(2):  # charlie has none left to take when the post comes back
        bid(post(title=f"Post {number} of another kind", description=f"{number} is a number of its own " * 9), freelancer=charlie)
    before = [movements(u) for u in everybody]

    services.job_restore(actor=sam, job_id=job.pk, reason="It was not.")
    assert [movements(u) for u in everybody] == before, "nothing is taken for a mistake of the house"
    waiting.refresh_from_db()
    offered.refresh_from_db()
    assert (waiting.state, offered.state) == ("expired", "offered")
    again = bid(job)
    assert movements(bob)[-1][:3] == ("spend", -4, 4), "a new bid costs anew"

    services.job_remove(actor=sam, job_id=job.pk, reason="It is copied after all.")
    returned = BidCreditMovement.objects.filter(kind="return").order_by("pk").values_list("proposal_id", flat=True)
    assert sorted(returned) == sorted([waiting.pk, declined.pk, offered.pk, again.pk])
    assert [BidCreditAccount.objects.get(pk=u.pk).balance for u in everybody] == [8, 0, 8]
    assert Event.objects.filter(kind="proposal.credits_return").count() == 4


def test_silence_counts_as_ghosting_at_its_instant_once_and_the_client_may_still_answer(
    post: Any, bid: Any, alice: Any, bob: Any, charlie: Any
) -> None:
    job = post()
    silent, answered = bid(job), bid(job, freelancer=charlie)
    Person(alice).get(f"proposals/{silent.pk}")
    services.proposal_shortlist(actor=alice, proposal_id=answered.pk)
    silent.refresh_from_db()
    clock.advance(14 * DAY - int((clock.now() - silent.submitted_at) / timedelta(seconds=1)) - 2)
    assert tasks.ghost_due() == 0
    to(silent.answer_due_at)
    assert (tasks.ghost_due(), tasks.ghost_due()) == (1, 0)
    silent.refresh_from_db()
    assert silent.state == "seen" and silent.ghosted_at is not None
    assert movements(bob)[-1][::3] == ("return", "ghosted")
    assert Event.objects.filter(kind="proposal.ghost").count() == 1
    services.proposal_offer(actor=alice, proposal_id=silent.pk)
    services.proposal_offer_decline(actor=bob, proposal_id=silent.pk, reason="Too late.")
    services.job_close(actor=alice, job_id=job.pk)
    assert BidCreditMovement.objects.filter(kind="return", proposal=silent).count() == 1


def test_movements_can_be_neither_changed_nor_taken_away(post: Any, bid: Any) -> None:
    bid(post())
    for act in (lambda rows: rows.update(change=99), lambda rows: rows.delete()):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            act(BidCreditMovement.objects.filter(kind="grant"))
    with pytest.raises(DatabaseError), transaction.atomic():
        BidCreditAccount.objects.update(balance=-1)


def test_only_freelancers_have_credits_and_everybody_reads_the_rule(alice: Any, bob: Any) -> None:
    assert Person(alice).get("me/bid-credits").json()["code"] == "freelancer_profile_missing"
    shown = Person().get("bid-credits/rule").json()
    assert (shown["monthly"], [b["credits"] for b in shown["bands"]], sorted(shown["returns"])) == (60, [2, 4, 6], sorted(credits.RETURNS))
    assert Person(bob).get("me/bid-credits").json()["balance"] == 60


@pytest.mark.mariadb  # SQLite has one writer at a time: no such race
def test_bids_sent_at_once_never_spend_more_than_there_is(committed_db: None, post: Any, bid: Any, bob: Any) -> None:
    rule(14)
    bid(post())  # opens the account, so that the rivals meet at its row
    jobs = [post(title=f"Post number {n} of its own kind", description=f"{n} " * 30 + "different words each time.") for n in range(5)]
    outcomes = behind_the_lock(BidCreditAccount.objects.filter(pk=bob.pk), *[lambda job=job: bid(job) for job in jobs])
    sent = [o for o in outcomes if isinstance(o, Proposal)]
    refused = [o.code for o in outcomes if isinstance(o, Conflict)]
    assert (len(sent), refused) == (2, ["bid_credits_short"] * 3), outcomes
    account = BidCreditAccount.objects.get(pk=bob.pk)
    assert (account.balance, [m[1] for m in movements(bob)], account.movements) == (2, [14, -4, -4, -4], 4)


@pytest.mark.mariadb  # SQLite has one writer at a time: no such race
def test_a_month_filled_by_two_clocks_at_once_is_filled_once(committed_db: None, post: Any, bid: Any, bob: Any) -> None:
    bid(post())
    to(credits.month_after(clock.now()))
    assert sorted(at_once(tasks.grant_due, tasks.grant_due)) == [0, 1]
    assert [m[1] for m in movements(bob)] == [60, -4, 4]
