"""Taking all one's data along, and leaving: over HTTP, with every clock at its edge."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from marketplace.accounts import closing, exporting, tasks
from marketplace.accounts.models import AccountClosing, DataExport, FreelancerProfile, FreelancerSkill, ProfileEntry, User
from marketplace.accounts.services import user_suspend
from marketplace.activity.models import Search
from marketplace.contracts import services as contracts
from marketplace.contracts.models import Contract, Milestone
from marketplace.core import clock, personal, ports
from marketplace.core.models import DeletedRow, Event, StoredFile
from marketplace.core.money import Money
from marketplace.core.tasks import drain
from marketplace.disputes.models import Dispute
from marketplace.jobs import services as jobs
from marketplace.jobs.models import Job, JobMark, Proposal, SavedSearch
from marketplace.notifications.models import InboxItem, Letter
from marketplace.payments import services as payments
from marketplace.payments.models import Posting
from marketplace.trust import reputation as formula
from marketplace.trust import services as trust
from tests.webapp.people import Person

PASSWORD = "correct horse battery"
EVIL = '=HYPERLINK("http://evil.example/","Bob")'


@pytest.fixture(autouse=True)
def no_old_rate_limits() -> None:
    cache.clear()


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Exception | None], None]]:
    """broken(error) lets one app's part of the export raise; broken(None) mends it."""
    trouble: list[Exception | None] = [None]

    def rows() -> Iterator[dict[str, Any]]:
        if trouble[0] is not None:
            raise trouble[0]
        yield {"a": 1}

    def provider(*, user_id: int) -> dict[str, personal.Part]:
        return {"trouble": personal.computed(["a"], rows, of=[])}

    monkeypatch.setitem(ports.personal_data._providers, "zz", provider)
    yield lambda error: trouble.__setitem__(0, error)


def upload(person: Person, content: bytes = b"content", name: str = "=work.txt") -> int:
    sent = {"file": SimpleUploadedFile(name, content)}
    return int(person.client.post("/api/v1/files", sent, format="multipart", HTTP_IDEMPOTENCY_KEY=name).json()["id"])


def told(user: User) -> list[str]:
    drain()
    return list(InboxItem.objects.filter(user=user).order_by("id").values_list("kind", flat=True))


def archive_of(person: Person, export_id: int) -> zipfile.ZipFile:
    answer = person.get(f"me/exports/{export_id}/download")
    assert answer.status_code == 200, answer.content
    return zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))


def export_of(user: User) -> zipfile.ZipFile:
    person = Person(user)
    made = person.post("me/exports").json()
    assert exporting.export_make(export_id=made["id"])
    return archive_of(person, made["id"])


def rows(archive: zipfile.ZipFile, name: str) -> Any:
    return json.loads(archive.read(f"{name}.json"))


def at_the_edge(due: Any, seconds: int) -> None:
    """Move business time to `seconds` after the instant."""
    clock.advance(int((due - clock.now()).total_seconds()) + seconds)


# --- the export


def test_one_click_brings_everything_as_json_csv_and_files(alice: User, bob: User, charlie: User, submitted: Milestone) -> None:
    me = Person(bob)
    User.objects.filter(pk=bob.pk).update(display_name=EVIL)
    kept = upload(me)
    upload(Person(charlie), b"a secret of charlie's", "secret.txt")
    me.post("me/freelancer-profile/portfolio", {"title": "A shop", "file_ids": [kept]})
    contracts.milestone_approve(actor=alice, milestone_id=submitted.pk)
    started = me.post("me/exports")
    assert (started.status_code, started.json()["state"], started.json()["percent"], started.json()["url"]) == (201, "queued", 0, None)
    pk = started.json()["id"]
    assert me.get(f"me/exports/{pk}/download").json()["code"] == "export_not_ready"
    assert tasks.sweep_exports() == 1
    ready = me.get(f"me/exports/{pk}").json()
    assert (ready["state"], ready["percent"], ready["url"]) == ("ready", 100, f"/api/v1/me/exports/{pk}/download")
    assert "export.finish" in told(bob)
    assert [e["id"] for e in me.get("me/exports").json()["results"]] == [pk]

    archive = archive_of(me, pk)
    assert archive.testzip() is None
    names = set(archive.namelist())
    lists = {n.removesuffix(".json") for n in names if n.endswith(".json")} - {"manifest"}
    assert {f"{n}.csv" for n in lists} == {n for n in names if n.endswith(".csv")}
    assert {n.split("/")[0] for n in lists} == {
        *("accounts", "activity", "jobs", "contracts", "payments", "messaging", "matching"),
        "disputes",
        "trust",
        "notifications",
    }
    manifest = json.loads(archive.read("manifest.json"))
    assert manifest["rows"] == {n: len(rows(archive, n)) for n in lists}
    for name in lists:
        sheet = list(csv.DictReader(io.StringIO(archive.read(f"{name}.csv").decode(), newline="")))
        assert len(sheet) == manifest["rows"][name], name
    assert archive.read(f"files/{kept}-=work.txt") == b"content"
    assert manifest["files"] == 1 and manifest["missing_file_ids"] == []
    assert rows(archive, "accounts/account")[0]["email"] == "bob@example.org"
    assert rows(archive, "jobs/proposals")[0]["cover_letter"] == "I have built ten of these."
    assert rows(archive, "contracts/submissions")[0]["note"] == "First version, see the preview."
    (contract,) = rows(archive, "contracts/contracts")
    assert (contract["client"], contract["freelancer"]) == ("Alice", EVIL)
    (release,) = rows(archive, "payments/ledger")
    assert (release["kind"], release["leg"], release["credit_kind"]) == ("release", "net", "pending")
    assert release["change_minor"] == release["amount_minor"] == rows(archive, "payments/balances")[0]["pending"]


def test_a_spreadsheet_runs_nothing_of_it(bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(display_name=EVIL)
    FreelancerProfile.objects.filter(user=bob).update(title="\t=1+1", overview="@SUM(1)", languages=["=2"])
    archive = export_of(bob)
    account = next(csv.DictReader(io.StringIO(archive.read("accounts/account.csv").decode())))
    profile = next(csv.DictReader(io.StringIO(archive.read("accounts/freelancer_profile.csv").decode())))
    assert account["display_name"] == "'" + EVIL
    assert (profile["title"], profile["overview"]) == ("'\t=1+1", "'@SUM(1)")
    assert rows(archive, "accounts/account")[0]["display_name"] == EVIL, "JSON says what is there"


def test_nothing_private_of_others_is_in_it(alice: User, bob: User, charlie: User, dispute: Dispute) -> None:
    drain()
    mine, hers = export_of(bob), export_of(alice)
    for archive, private in (
        (mine, ["alice@example.org", "charlie", "The pages are empty."]),
        (hers, ["bob@example.org", "charlie", "I have built ten of these.", "First version"]),
    ):
        everything = "\n".join(archive.read(n).decode() for n in archive.namelist())
        assert [text for text in private if text in everything] == []
    assert "The pages are empty." in hers.read("disputes/dispute_claims.json").decode()
    assert rows(export_of(charlie), "contracts/contracts") == []


def test_the_export_is_for_its_owner_and_ends_after_seven_days(bob: User, alice: User, sam: User) -> None:
    me = Person(bob)
    pk = me.post("me/exports").json()["id"]
    tasks.make_export(pk)
    for other in (alice, sam):
        assert Person(other).get(f"me/exports/{pk}").status_code == 404
        assert Person(other).get(f"me/exports/{pk}/download").status_code == 404
    assert Person().get(f"me/exports/{pk}/download").status_code == 401
    export = DataExport.objects.get()
    assert export.expires_at is not None and export.ready_at is not None
    assert export.expires_at - export.ready_at == timedelta(days=7)
    name = export.stored_as
    at_the_edge(export.expires_at, -2)
    assert tasks.sweep_exports() == 0 and exporting.export_expire(export_id=pk) is False
    assert me.get(f"me/exports/{pk}/download").status_code == 200
    at_the_edge(export.expires_at, 1)
    gone = me.get(f"me/exports/{pk}/download")
    assert (gone.status_code, gone.json()["code"]) == (409, "export_expired"), "also before the sweep came"
    assert [tasks.sweep_exports(), tasks.sweep_exports()] == [1, 0]
    assert not default_storage.exists(name)
    assert me.get(f"me/exports/{pk}").json()["state"] == "expired"


def test_one_at_a_time_and_three_a_day(bob: User, settings: Any) -> None:
    me = Person(bob)
    first = me.post("me/exports").json()["id"]
    assert me.post("me/exports").json()["code"] == "export_running"
    for _ in range(settings.DATA_EXPORTS_PER_DAY - 1):
        tasks.sweep_exports()
        assert me.post("me/exports").status_code == 201
    tasks.sweep_exports()
    assert me.post("me/exports").json()["code"] == "export_too_often"
    DataExport.objects.filter(pk=first).update(state="failed")
    assert me.post("me/exports").status_code == 201, "a failed one does not count"
    tasks.sweep_exports()
    clock.advance(24 * 3600)
    assert me.post("me/exports").status_code == 201


def test_the_same_request_twice_is_one_export(bob: User) -> None:
    answers = [Person(bob).post("me/exports", key="once").json() for _ in range(2)]
    assert answers[0]["id"] == answers[1]["id"] and DataExport.objects.count() == 1


def test_a_worker_that_dies_leaves_it_to_the_sweep(bob: User) -> None:
    pk = exporting.export_start(actor=bob).pk
    assert exporting._take(export_id=pk) == 1  # and never comes back
    default_storage.save(exporting._name(pk, 1), SimpleUploadedFile("half", b"half of it"))
    export = DataExport.objects.get()
    at_the_edge(export.due_at, -2)
    assert tasks.sweep_exports() == 0, "its lease lasts"
    at_the_edge(export.due_at, 1)
    assert tasks.sweep_exports() == 1
    export.refresh_from_db()
    assert (export.state, export.attempts) == ("ready", 2)
    assert not default_storage.exists(exporting._name(pk, 1)), "what the first one left is gone"


def test_whoever_was_taken_over_from_stops_and_hands_over_nothing(bob: User) -> None:
    pk = exporting.export_start(actor=bob).pk
    first = exporting._take(export_id=pk)
    assert first == 1 and exporting._take(export_id=pk) is None, "two workers with the same task: one works"
    clock.advance(601)
    assert exporting._take(export_id=pk) == 2
    with pytest.raises(exporting.SupersededError):
        exporting._progress(pk, first, 50, "jobs/proposals")
    late = default_storage.save("exports/late.zip", SimpleUploadedFile("late", b"late"))
    assert exporting._finish(export_id=pk, attempt=first, stored_as=late, size=4, sha256="0" * 64) is False
    assert not default_storage.exists(late)
    exporting._progress(pk, 2, 50, "jobs/proposals")
    shown = Person(bob).get(f"me/exports/{pk}").json()
    assert (shown["state"], shown["percent"], shown["step"]) == ("running", 50, "jobs/proposals")


def test_a_fault_is_tried_again_later_and_in_the_end_told(bob: User, broken: Any) -> None:
    pk = exporting.export_start(actor=bob).pk
    broken(RuntimeError("bob@example.org"))
    for attempt in range(1, exporting.MAX_ATTEMPTS + 1):
        assert tasks.sweep_exports() == 0
        export = DataExport.objects.get()
        assert (export.attempts, export.last_error) == (attempt, "RuntimeError"), "the error's class only"
        if attempt < exporting.MAX_ATTEMPTS:
            assert export.state == "queued"
            assert tasks.sweep_exports() == 0 and DataExport.objects.get().attempts == attempt, "not before its time"
            at_the_edge(export.due_at, 1)
    assert (export.state, export.live_key) == ("failed", None)
    assert "export.fail" in told(bob)
    broken(None)
    assert exporting.export_make(export_id=pk) is False, "what has failed stays failed"
    assert exporting.export_make(export_id=exporting.export_start(actor=bob).pk) is True


def test_a_lost_file_is_named_and_the_rest_is_there(bob: User) -> None:
    me = Person(bob)
    lost, kept = upload(me, b"1", "lost.txt"), upload(me, b"2", "kept.txt")
    default_storage.delete(StoredFile.objects.get(pk=lost).stored_as)
    archive = export_of(bob)
    manifest = json.loads(archive.read("manifest.json"))
    assert (manifest["files"], manifest["missing_file_ids"]) == (1, [lost])
    assert archive.read(f"files/{kept}-kept.txt") == b"2"


def test_a_large_table_is_read_in_slices(bob: User, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any) -> None:
    monkeypatch.setattr(personal, "SLICE", 10)
    now = clock.now()
    Search.objects.bulk_create([Search(user_id=bob.pk, surface="jobs", query=f"q{i}", hits=i, searched_at=now) for i in range(30)])
    part = personal.rows_of(Search.objects.filter(user_id=bob.pk), "query")
    with django_assert_num_queries(4):
        assert [r["query"] for r in part.rows()] == [f"q{i}" for i in range(30)]


def test_reputation_can_be_recomputed_from_the_export(alice: User, bob: User, contract: Contract, days: Callable[[float], Any]) -> None:
    contracts.contract_cancel(actor=alice, contract_id=contract.pk)
    trust.review_write(actor=alice, contract_id=contract.pk, rating=5, text="Good.")
    assert rows(export_of(bob), "trust/reviews_received") == [], "a review is hidden until it opens"
    trust.review_write(actor=bob, contract_id=contract.pk, rating=4)
    days(100)
    archive = export_of(bob)
    (found,) = rows(archive, "trust/reputation")
    (taken,) = rows(archive, "trust/reputation_inputs")
    weight = taken["value_class"] * 0.5 ** (taken["age_days"] / found["half_life_days"])
    mean = (found["prior_weight"] * found["prior_mean"] + weight * taken["rating"]) / (found["prior_weight"] + weight)
    assert (found["mean"], found["formula"]) == (pytest.approx(mean), formula.FORMULA)
    assert taken["age_days"] == pytest.approx(100, abs=0.1)
    (review,) = rows(archive, "trust/reviews_received")
    assert (review["text"], review["author_name"]) == ("Good.", "Alice")


# --- leaving


def ask(user: User, **body: Any) -> Any:
    return Person(user).post("me/close", {"password": PASSWORD, "reason": "I found a job.", **body})


def close(user: User) -> AccountClosing:
    assert ask(user).status_code == 201
    found = AccountClosing.objects.get(user=user, state="pending")
    at_the_edge(found.closes_at, 1)
    assert tasks.close_due() == 2
    drain()
    found.refresh_from_db()
    return found


def codes(answer: Any) -> set[str]:
    return set(answer.json()["fields"])


def test_only_the_person_can_ask(bob: User) -> None:
    me = Person(bob)
    assert ask(bob, password="wrong").json()["code"] == "password_wrong"
    assert me.post("me/close", {"reason": "x"}).json()["code"] == "reauthentication_required"
    assert AccountClosing.objects.count() == 0
    assert ask(bob, reason="x" * 501).status_code == 400
    tries = [ask(bob, password=f"wrong {n}").status_code for n in range(12)]
    assert tries[-1] == 429 and 403 in tries, "guessing is slowed down"


def test_a_fresh_reauthentication_stands_for_the_password(bob: User) -> None:
    EmailAddress.objects.create(user=bob, email=bob.email, verified=True, primary=True)
    client = Client(raise_request_exception=False)
    sent = {"content_type": "application/json"}
    signed = client.post("/_allauth/app/v1/auth/login", {"email": bob.email, "password": PASSWORD}, **sent).json()
    headers = {"HTTP_X_SESSION_TOKEN": signed["meta"]["session_token"]}
    before = client.post("/api/v1/me/close", {}, HTTP_IDEMPOTENCY_KEY="1", **sent, **headers)
    assert before.json()["code"] == "reauthentication_required", before.content
    again = client.post("/_allauth/app/v1/auth/reauthenticate", {"password": PASSWORD}, **sent, **headers)
    assert again.status_code == 200, again.content
    assert client.post("/api/v1/me/close", {}, HTTP_IDEMPOTENCY_KEY="2", **sent, **headers).status_code == 201


def test_held_money_and_live_contracts_keep_both_sides(alice: User, bob: User, funded: Milestone) -> None:
    assert codes(ask(alice)) == {"contracts_live", "money_held"}
    assert codes(ask(bob)) == {"contracts_live"}
    shown = Person(alice).get("me/close").json()
    assert {o["code"] for o in shown["obstacles"]} == {"contracts_live", "money_held"} and shown["closing"] is None
    assert "400.00 USD is held on milestones" in ask(alice).json()["message"]
    assert AccountClosing.objects.count() == 0


def test_an_open_dispute_keeps_both_sides(alice: User, bob: User, dispute: Dispute) -> None:
    for side in (alice, bob):
        assert "disputes_open" in codes(ask(side))


def test_an_offer_counts_as_live(alice: User, bob: User, offer: Contract) -> None:
    assert codes(ask(alice)) == codes(ask(bob)) == {"contracts_live"}


def test_money_on_its_way_keeps_the_freelancer_until_it_has_arrived(
    alice: User, bob: User, submitted: Milestone, days: Callable[[float], Any]
) -> None:
    contracts.milestone_approve(actor=alice, milestone_id=submitted.pk)
    contracts.contract_cancel(actor=alice, contract_id=submitted.contract_id)
    assert codes(ask(bob)) == {"money_pending"}
    days(5.01)
    contracts.milestone_clear(milestone_id=submitted.pk)
    assert codes(ask(bob)) == {"money_available"}
    net = Posting.objects.get(leg="net").amount
    payments.payout_request(actor=bob, amount=Money(net, "USD"), method={"token": "bank_ok"}, idempotency_key="p1")
    assert codes(ask(bob)) == {"money_in_transit", "payouts_open"}


def test_staff_are_taken_out_of_the_staff_first(sam: User) -> None:
    assert codes(ask(sam)) == {"staff_account"}


def test_a_suspended_account_is_not_closed_by_the_clock(bob: User, staff: Any) -> None:
    assert ask(bob).status_code == 201
    user_suspend(actor=staff("admin"), user_id=bob.pk, reason="Under review.")
    pending = AccountClosing.objects.get()
    at_the_edge(pending.closes_at, 1)
    assert tasks.close_due() == 0
    assert "account.suspend" in told(bob), "suspended is not gone"


def test_it_can_be_taken_back_until_the_last_second(bob: User) -> None:
    me = Person(bob)
    first = ask(bob).json()
    assert (first["state"], first["reason"]) == ("pending", "I found a job.")
    assert ask(bob).json()["code"] == "closing_requested"
    assert "closing.request" in told(bob), "also whoever asked is told: it may have been somebody else"
    pending = AccountClosing.objects.get()
    assert pending.closes_at - pending.requested_at == timedelta(days=14)
    at_the_edge(pending.closes_at, -2)
    assert tasks.close_due() == 0 and closing.closing_advance(closing_id=pending.pk) == 0
    assert me.get("me").status_code == 200
    assert me.post("me/close/cancel").json()["state"] == "cancelled"
    assert me.post("me/close/cancel").json()["code"] == "closing_none"
    clock.advance(10)
    assert tasks.close_due() == 0
    bob.refresh_from_db()
    assert bob.is_active and me.get("me/close").json()["closing"] is None
    assert ask(bob).status_code == 201, "and asked for anew"


def test_what_comes_in_the_way_puts_it_off_and_is_told_once(alice: User, bob: User, proposal: Proposal) -> None:
    assert ask(bob).status_code == 201
    contracts.offer_make(actor=alice, proposal_id=proposal.pk)
    pending = AccountClosing.objects.get()
    for _ in range(3):
        pending.refresh_from_db()
        at_the_edge(pending.closes_at, 1)
        assert tasks.close_due() == 0
    assert told(bob).count("closing.put_off") == 1
    bob.refresh_from_db()
    assert bob.is_active
    contracts.offer_decline(actor=bob, contract_id=Contract.objects.get().pk, reason="I am leaving.")
    pending.refresh_from_db()
    at_the_edge(pending.closes_at, 1)
    assert tasks.close_due() == 2


def test_the_freelancer_leaves_and_the_contract_stays_under_a_pseudonym(
    alice: User, bob: User, contract: Contract, days: Callable[[float], Any], django_capture_on_commit_callbacks: Any
) -> None:
    me = Person(bob)
    contracts.contract_cancel(actor=alice, contract_id=contract.pk)
    trust.review_write(actor=alice, contract_id=contract.pk, rating=5, text="Good.")
    trust.review_write(actor=bob, contract_id=contract.pk, rating=4, text="Paid at once.")
    EmailAddress.objects.create(user=bob, email=bob.email, verified=True, primary=True)
    Authenticator.objects.create(user=bob, type="totp", data={"secret": "x"})
    skill = FreelancerSkill.objects.create(freelancer=bob.freelancer_profile, skill_id=1)
    shown, free = upload(me, b"1", "shown.png"), upload(me, b"2", "free.png")
    me.post("me/freelancer-profile/portfolio", {"title": "Bob's shop", "file_ids": [shown]})
    Search.objects.create(user_id=bob.pk, surface="jobs", query="near Nairobi", hits=1, searched_at=clock.now())
    SavedSearch.objects.create(user=bob, name="Mine", parameters={}, created_at=clock.now(), looked_at=clock.now())
    JobMark.objects.create(user=bob, job=contract.job, kind="saved", created_at=clock.now())
    me.post("me/exports")
    tasks.sweep_exports()
    stored = [*StoredFile.objects.values_list("stored_as", flat=True), DataExport.objects.get().stored_as]
    other = jobs.job_create(
        actor=alice, title="Another", description="A second shop to be built.", category="web-development", pricing="fixed"
    )
    jobs.job_publish(actor=alice, job_id=other.pk)
    live = jobs.proposal_submit(actor=bob, job_id=other.pk, cover_letter="Me again.", amount_minor=10_000, currency="USD")
    drain()
    pk, email = bob.pk, bob.email
    with django_capture_on_commit_callbacks(execute=True):
        left = close(bob)
    assert (left.state, left.reason) == ("erased", "")
    assert tasks.close_due() == 0 and closing.closing_advance(closing_id=left.pk) == 0, "run again, nothing is left to do"

    bob = User.objects.get(pk=pk)
    assert (bob.is_active, bob.display_name, bob.country, bob.time_zone) == (False, f"Former member {pk}", "", "UTC")
    assert bob.email.endswith("@closed.invalid") and not bob.has_usable_password() and bob.last_login is None
    profile = FreelancerProfile.objects.get(user=bob)
    assert (profile.title, profile.overview, profile.hourly_rate_minor) == ("Closed account", "", None)
    assert not ProfileEntry.objects.exists() and not FreelancerSkill.objects.exists()
    assert DeletedRow.objects.filter(table_name="accounts_freelancerskill", row_id=skill.pk).count() == 1
    assert not [n for n in stored if default_storage.exists(n)] and not StoredFile.objects.filter(pk__in=[shown, free]).exists()
    assert DataExport.objects.get().state == "expired"
    for rows_left in (EmailAddress, Authenticator, UserSession, SavedSearch, JobMark):
        assert not rows_left.objects.filter(user=pk).exists(), rows_left
    assert not InboxItem.objects.filter(user=pk).exists() and not Letter.objects.filter(user=pk).exists()
    assert Search.objects.get().query == ""
    live.refresh_from_db()
    assert (live.state, live.live_key, live.outcome_reason) == ("withdrawn", None, "The freelancer has closed their account.")

    hers = Person(alice)
    assert hers.get(f"freelancers/{pk}").status_code == 404
    page = hers.get(f"contracts/{contract.pk}")
    assert page.status_code == 200 and f"Former member {pk}" in page.content.decode() and "Bob" not in page.content.decode()
    reviews = hers.get(f"contracts/{contract.pk}/reviews")
    assert "Paid at once." in reviews.content.decode(), "the review stays"
    assert email not in str(list(Event.objects.values_list("before", "after", "reason"))), "nor does the log keep the address"


def test_the_client_leaves_and_open_posts_are_closed(alice: User, bob: User, proposal: Proposal) -> None:
    draft = jobs.job_create(
        actor=alice, title="Draft", description="A second shop to be built.", category="web-development", pricing="fixed"
    )
    close(alice)
    assert set(Job.objects.values_list("state", flat=True)) == {"closed"} and Job.objects.filter(pk=draft.pk).exists()
    proposal.refresh_from_db()
    assert (proposal.state, proposal.outcome_reason) == ("archived", "The client has closed their account.")
    assert "proposal.archive" in told(bob)
    alice.refresh_from_db()
    assert alice.client_profile.company_name == ""
    assert Person(bob).get(f"clients/{alice.pk}").status_code == 404


def test_an_offer_that_slips_in_is_declined_and_then_the_bid_is_withdrawn(alice: User, bob: User, proposal: Proposal) -> None:
    assert ask(bob).status_code == 201
    pending = AccountClosing.objects.get()
    at_the_edge(pending.closes_at, 1)
    assert closing.closing_advance(closing_id=pending.pk) == 2
    offered = contracts.offer_make(actor=alice, proposal_id=proposal.pk)  # before the events were delivered
    drain()
    clock.advance(600)
    drain()
    offered.refresh_from_db()
    proposal.refresh_from_db()
    assert (offered.state, proposal.state) == ("cancelled", "declined")


def test_nobody_signs_in_to_a_closed_account(bob: User) -> None:
    EmailAddress.objects.create(user=bob, email=bob.email, verified=True, primary=True)
    email = bob.email
    client = Client(raise_request_exception=False)
    sent = {"content_type": "application/json"}
    signed = client.post("/_allauth/app/v1/auth/login", {"email": email, "password": PASSWORD}, **sent).json()
    headers = {"HTTP_X_SESSION_TOKEN": signed["meta"]["session_token"]}
    assert client.get("/api/v1/me", **headers).status_code == 200
    bob.refresh_from_db()
    assert ask(bob).status_code == 201
    found = AccountClosing.objects.get()
    at_the_edge(found.closes_at, 1)
    assert closing._shut(closing_id=found.pk) is True
    assert client.get("/api/v1/me", **headers).status_code in (401, 403), "signed out everywhere at once, also before the erasing"
    fresh = Client(raise_request_exception=False)
    assert fresh.post("/_allauth/app/v1/auth/login", {"email": email, "password": PASSWORD}, **sent).status_code in (400, 401)
    assert [closing._shut(closing_id=found.pk), closing._erase(closing_id=found.pk), closing._erase(closing_id=found.pk)] == [
        False,
        True,
        False,
    ]
    assert fresh.post("/_allauth/app/v1/auth/login", {"email": email, "password": PASSWORD}, **sent).status_code == 400
    signed_up = fresh.post("/_allauth/app/v1/auth/signup", {"email": email, "password": "another long one 1"}, **sent)
    assert signed_up.status_code == 401 and User.objects.filter(email=email).count() == 1, "the address is free for a new account"
