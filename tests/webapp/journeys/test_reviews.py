"""Reviews as the two sides live through them, over HTTP, and a reputation that anybody can compute again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marketplace.contracts import services as work
from marketplace.contracts.models import Contract, Milestone
from marketplace.core import clock
from marketplace.core.models import Event
from marketplace.core.tasks import drain
from marketplace.notifications.models import InboxItem
from marketplace.trust import services, tasks
from marketplace.trust.conduct import KINDS
from marketplace.trust.models import Review, ReviewVersion
from tests.conftest import REPO
from tests.webapp.people import Person

SCRIPT = REPO / "docs" / "reputation" / "recompute.py"


@pytest.fixture
def ended(alice: Any, contract: Contract, submitted: Milestone) -> Contract:
    """A contract that ended after its first milestone was paid."""
    work.milestone_approve(actor=alice, milestone_id=submitted.pk)
    return work.contract_cancel(actor=alice, contract_id=contract.pk)


def recomputed(told: dict[str, Any], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """The published script over an answer, in a process that knows nothing of the house."""
    answer = tmp_path / "answer.json"
    answer.write_text(json.dumps(told), encoding="utf-8")
    return subprocess.run([sys.executable, "-I", str(SCRIPT), str(answer)], capture_output=True, text=True, check=False, cwd=tmp_path)


def test_from_a_second_thought_to_an_answer(alice: Any, bob: Any, charlie: Any, ended: Contract) -> None:
    a, b, c = Person(alice), Person(bob), Person(charlie)
    written = a.post(f"contracts/{ended.pk}/review", {"rating": 2, "text": "Late."})
    assert written.status_code == 201
    review = written.json()["id"]
    assert b.get(f"reviews/{review}").status_code == 404, "still blind"
    changed = a.put(f"reviews/{review}", {"rating": 4, "text": "Late, and careful. ✓ العربية"})
    assert changed.status_code == 200
    assert [(v["rating"], v["text"]) for v in changed.json()["versions"]] == [(2, "Late.")]
    assert (
        a.put(f"reviews/{review}", {"rating": 4, "text": "Late, and careful. ✓ العربية"}).json()["edited_at"] == changed.json()["edited_at"]
    )
    assert ReviewVersion.objects.count() == 1, "the same again is no change"
    assert b.put(f"reviews/{review}", {"rating": 5}).status_code == 404
    assert b.post(f"reviews/{review}/reply", {"text": "Not so late."}).status_code == 404
    b.post(f"contracts/{ended.pk}/review", {"rating": 5, "text": "Clear."})
    opened = a.put(f"reviews/{review}", {"rating": 1, "text": "Revenge."})
    assert (opened.status_code, opened.json()["code"]) == (409, "review_opened")
    assert a.post(f"reviews/{review}/reply", {"text": "Mine."}).status_code == 403
    assert c.post(f"reviews/{review}/reply", {"text": "Me too."}).status_code == 403
    reply = b.post(f"reviews/{review}/reply", {"text": "A holiday."})
    assert (reply.status_code, reply.json()["reply"]) == (201, "A holiday.")
    again = b.post(f"reviews/{review}/reply", {"text": "And another."})
    assert (again.status_code, again.json()["code"]) == (409, "review_reply_exists")
    page = c.get(f"users/{bob.pk}/reviews").json()
    assert [(r["rating"], r["reply"]) for r in page["results"]] == [(4, "A holiday.")]
    drain()
    told = dict(InboxItem.objects.filter(user=alice, kind__startswith="review.").values_list("kind", "text"))
    assert set(told) == {"review.open", "review.reply", "review.write"}
    kinds = Event.objects.filter(aggregate_type="trust.review", aggregate_id=review).order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["review.write", "review.edit", "review.open", "review.reply"]


def test_a_review_is_changed_until_its_window_shuts_to_the_second(alice: Any, ended: Contract) -> None:
    review = services.review_write(actor=alice, contract_id=ended.pk, rating=2)
    left = ended.ended_at - clock.now()
    clock.advance(int(left.total_seconds()) + 14 * 24 * 3600 - 2)
    services.review_edit(actor=alice, review_id=review.pk, rating=3)
    clock.advance(3)
    refused = Person(alice).put(f"reviews/{review.pk}", {"rating": 1})
    assert (refused.status_code, refused.json()["code"]) == (409, "review_opened")
    assert tasks.open_due() == 1
    assert list(Review.objects.values_list("rating", flat=True)) == [3]


@pytest.mark.parametrize("body", [{}, {"rating": 0}, {"rating": "5"}, {"rating": 5, "text": "x" * 5001}, {"rating": 5, "text": "a\u0000b"}])
def test_a_wrong_change_changes_nothing(committed_db: None, alice: Any, ended: Contract, body: dict[str, Any]) -> None:
    review = services.review_write(actor=alice, contract_id=ended.pk, rating=2, text="Late.")
    assert Person(alice).put(f"reviews/{review.pk}", body).status_code == 400
    review.refresh_from_db()
    assert (review.rating, review.text, review.edited_at) == (2, "Late.", None)
    assert not ReviewVersion.objects.exists()


def test_what_is_hidden_is_read_by_its_author_alone_and_counts_for_nothing(
    alice: Any, bob: Any, charlie: Any, sam: Any, ended: Contract
) -> None:
    review = services.review_write(actor=alice, contract_id=ended.pk, rating=1)
    services.review_write(actor=bob, contract_id=ended.pk, rating=5)
    services.review_hide(actor=sam, review_id=review.pk, reason="Extorted.")
    assert [Person(p).get(f"reviews/{review.pk}").status_code for p in (alice, bob, charlie)] == [200, 404, 404]
    assert Person(charlie).get(f"users/{bob.pk}/reviews").json()["results"] == []
    assert Person(charlie).get(f"users/{bob.pk}/reputation").json()["count"] == 0
    services.review_restore(actor=sam, review_id=review.pk, reason="It was not.")
    assert Person(charlie).get(f"users/{bob.pk}/reputation").json()["count"] == 1


def test_the_published_script_computes_both_sides_exactly(
    alice: Any, bob: Any, charlie: Any, ended: Contract, days: Callable[[float], Any], tmp_path: Path
) -> None:
    services.review_write(actor=alice, contract_id=ended.pk, rating=5)
    services.review_write(actor=bob, contract_id=ended.pk, rating=3)
    days(100.123)
    for person in (alice, bob):
        told = Person(charlie).get(f"users/{person.pk}/reputation").json()
        done = recomputed(told, tmp_path)
        assert done.returncode == 0, done.stdout
        assert "WRONG" not in done.stdout and done.stdout.count("same") == (28 if told["client"] else 4)
        told["inputs"][0]["rating"] = 4
        assert recomputed(told, tmp_path).returncode == 1, "the script finds what was changed"


def test_the_same_formula_serves_clients(alice: Any, bob: Any, ended: Contract, days: Callable[[float], Any]) -> None:
    days(20)
    client = Person(bob).get(f"users/{alice.pk}/reputation").json()["client"]
    found = {p["code"]: [(i["rating"], i["value"]) for i in p["inputs"]] for p in client["parts"]}
    assert found == {"opens": [(5, 1)], "answers": [(5, 1)], "hires": [(5, 1)], "pays_on_time": [(5, 2)], "disputes": [(5, 2)]}
    assert list(found) == list(KINDS)
    assert client["count"] == 5 and client["low"] < client["mean"] < client["high"]
    assert Person(alice).get(f"users/{bob.pk}/reputation").json()["client"] is None


def test_a_client_who_lets_people_wait_is_told_of_it(alice: Any, bob: Any, proposal: Any, days: Callable[[float], Any]) -> None:
    def ratings() -> dict[str, list[int]]:
        client = Person(bob).get(f"users/{alice.pk}/reputation").json()["client"]
        return {p["code"]: [i["rating"] for i in p["inputs"]] for p in client["parts"] if p["inputs"]}

    days(6.99)
    assert ratings() == {}, "there is still time"
    days(0.02)
    assert ratings() == {"opens": [1]}
    days(7)
    assert ratings() == {"opens": [1], "answers": [1]}


def test_a_list_of_reviews_costs_the_same_for_one_and_for_many(
    alice: Any, bob: Any, charlie: Any, ended: Contract, django_assert_max_num_queries: Any
) -> None:
    for person in (alice, bob):
        services.review_write(actor=person, contract_id=ended.pk, rating=5)
    with django_assert_max_num_queries(3):
        assert len(Person(charlie).get(f"users/{bob.pk}/reviews").json()["results"]) == 1
    with django_assert_max_num_queries(12):
        Person(charlie).get(f"users/{alice.pk}/reputation")
