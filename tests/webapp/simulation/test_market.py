"""What a sample market contains, what it keeps apart, and what it refuses."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection

from marketplace.accounts.models import FreelancerProfile, User
from marketplace.activity.capture import propensity
from marketplace.activity.models import Impression
from marketplace.contracts.models import Contract, Milestone
from marketplace.contracts.states import CONTRACT, MILESTONE
from marketplace.core.models import Delivery, Event
from marketplace.jobs.models import Job, Proposal
from marketplace.jobs.states import JOB, PROPOSAL
from marketplace.payments.models import Account, Payment, Payout
from marketplace.simulation.calibration import FRAUD_SHARES
from marketplace.simulation.signins import ensure_signins
from marketplace.trust.models import Review

pytestmark = pytest.mark.django_db


def states(model: Any) -> set[str]:
    return set(model.objects.values_list("state", flat=True).distinct())


def test_every_resting_state_is_there_at_the_end_of_the_history(simulated: Any) -> None:
    assert states(Job) == set(JOB.states)
    assert states(Proposal) == set(PROPOSAL.states)
    assert states(Contract) == set(CONTRACT.states)
    # "approved" never rests: the release follows in the same transaction
    assert states(Milestone) == set(MILESTONE.states) - {"approved"}
    assert {"succeeded", "failed"} <= states(Payment)
    assert {"paid", "failed"} <= states(Payout)


def test_live_states_run_on_after_the_end(simulated: Any) -> None:
    end = simulated.result.until
    assert Job.objects.filter(state="open", expires_at__gt=end, proposal_count__gt=0).count() >= 5
    running = Milestone.objects.filter(state="submitted")
    assert running.filter(auto_approve_at__gt=end).count() == running.count() > 0
    assert Milestone.objects.filter(clears_at__gt=end, cleared_at__isnull=True).exists()
    assert Review.objects.filter(opened_at__isnull=True).exists()


def test_nothing_happens_after_the_end(simulated: Any) -> None:
    end = simulated.result.until
    assert not Event.objects.filter(occurred_at__gt=end).exists()
    assert not Proposal.objects.filter(submitted_at__gt=end).exists()
    assert not Impression.objects.filter(shown_at__gt=end).exists()


def test_events_of_an_aggregate_are_numbered_from_one_without_gaps_and_nobody_waits_for_them(simulated: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM (SELECT 1 FROM core_event GROUP BY aggregate_type, aggregate_id "
            "HAVING MIN(version) <> 1 OR MAX(version) <> COUNT(*)) broken"
        )
        assert cursor.fetchone()[0] == 0
    assert not Delivery.objects.exists()


def test_several_currencies_and_their_exchange(simulated: Any) -> None:
    used = set(Account.objects.filter(kind="hold").values_list("currency", flat=True))
    assert {"USD", "EUR", "GBP", "INR"} <= used
    assert Account.objects.filter(kind="fx_clearing").exists()


def test_impressions_carry_the_products_own_propensity(simulated: Any) -> None:
    for shown in Impression.objects.filter(position__lte=14).order_by("id")[:50]:
        assert shown.propensity == pytest.approx(propensity(shown.position), abs=1e-12)
    assert 0 < Impression.objects.count() <= 60_000


def test_every_impression_has_its_truth_and_the_truth_orders_better_than_chance(simulated: Any) -> None:
    pairs = pl.read_parquet(simulated.truth / "truth_pairs.parquet")
    assert pairs.columns == ["batch", "user_id", "job_id", "p_bid", "p_hire"]
    assert len(pairs) == Impression.objects.count() == pairs.select("batch", "user_id", "job_id").n_unique()
    assert pairs["p_bid"].is_between(0, 1).all() and pairs["p_hire"].is_between(0, 1).all()
    sent = pl.DataFrame(list(Proposal.objects.values_list("freelancer_id", "job_id")), schema=["user_id", "job_id"], orient="row")
    bid_on = pairs.join(sent, on=["user_id", "job_id"], how="semi")["p_bid"].mean()
    others = pairs.join(sent, on=["user_id", "job_id"], how="anti")["p_bid"].mean()
    assert bid_on > 1.5 * others


def test_each_kind_of_fraud_is_planted_and_named_in_the_truth_only(simulated: Any) -> None:
    fraud = pl.read_parquet(simulated.truth / "truth_fraud.parquet")
    assert set(fraud["kind"]) == set(FRAUD_SHARES)
    assert fraud["kind"].value_counts().sort("kind").rows() == sorted(simulated.result.fraud.items())
    latent = {"quality", "responsive", "picky", "attraction", "p_bid", "p_hire", "appeal", "ghosting", "fraud"}
    columns = {f.column for model in apps.get_models() for f in model._meta.concrete_fields}
    assert not latent & columns
    kinds = tuple(FRAUD_SHARES)
    for texts in (Job.objects.values_list("description", flat=True), Proposal.objects.values_list("cover_letter", flat=True)):
        assert not [t for t in texts if any(kind in t for kind in kinds)]
    assert not Event.objects.filter(kind__in=kinds).exists()


def test_simulated_people_cannot_sign_in(simulated: Any) -> None:
    assert all(not u.has_usable_password() for u in User.objects.filter(email__endswith="@sim.openlance.example")[:50])


def test_a_second_market_is_refused_and_changes_nothing(simulated: Any) -> None:
    before = (Job.objects.count(), FreelancerProfile.objects.count(), Event.objects.count())
    with pytest.raises(CommandError, match="not empty: jobs_job"):
        call_command("simulate", "--scale", "tiny")
    assert (Job.objects.count(), FreelancerProfile.objects.count(), Event.objects.count()) == before


def test_ready_sign_ins_are_furnished_and_the_second_call_changes_nothing(simulated: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLANCE_DEMO_PASSWORD", "a pass phrase for the demo")
    client, freelancer, admin = ensure_signins()
    assert Contract.objects.filter(client=client.user_id, state="active").exists()
    assert Contract.objects.filter(freelancer=freelancer.user_id, state="active").exists()
    somebody = User.objects.get(email="admin@openlance.example")
    assert somebody.is_superuser and list(somebody.groups.values_list("name", flat=True)) == ["admin"]
    assert User.objects.get(pk=client.user_id).check_password("a pass phrase for the demo")
    monkeypatch.delenv("OPENLANCE_DEMO_PASSWORD")
    again = ensure_signins()
    assert [s.user_id for s in again] == [client.user_id, freelancer.user_id, admin.user_id]
    assert [s.password for s in again] == [None, None, None]
    assert User.objects.get(pk=client.user_id).check_password("a pass phrase for the demo")
