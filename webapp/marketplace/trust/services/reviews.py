"""Reviews: double-blind, both sides, within REVIEW_WINDOW_DAYS of the contract's end; changed until they open, answered once afterwards."""

from __future__ import annotations

from typing import Any

from marketplace.accounts.models import User
from marketplace.contracts.selectors import contract_for, contract_locked
from marketplace.core import clock, events
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict, NotAllowed
from marketplace.core.policies import require
from marketplace.core.transactions import unit_of_work

from ..models import Review, ReviewVersion
from ..selectors import review_for, window_shuts_at

MAX_TEXT = 5_000


@unit_of_work
def review_write(*, actor: User, contract_id: int, rating: int, text: str = "") -> Review:
    """One side's review of the other, stars 1 to 5. Hidden from everybody else until both are in or the window shuts.

    Raises NotFound, NotAllowed for staff, Conflict while the work lasts, after the window, or for a second review, InvalidInput.
    """
    contract_for(actor, contract_id)
    rating, text = _checked(rating, text)
    contract = contract_locked(contract_id)
    if actor.pk not in (contract.client_id, contract.freelancer_id):
        raise NotAllowed("review_not_yours", "Only the two sides of a contract review each other.")
    by_client = actor.pk == contract.client_id
    now, shuts = clock.now(), window_shuts_at(contract)
    if shuts is None:
        raise Conflict("review_too_early", "Reviews are written when the contract has ended.")
    if now >= shuts:
        raise Conflict("review_window_shut", "The window for reviews of this contract has shut.")
    if Review.objects.filter(contract=contract, author=actor).exists():
        raise Conflict("review_exists", "You have reviewed this contract already.")
    review = Review.objects.create(
        contract=contract,
        author=actor,
        subject_id=contract.freelancer_id if by_client else contract.client_id,
        author_side=Review.Side.CLIENT if by_client else Review.Side.FREELANCER,
        rating=rating,
        text=text,
        written_at=now,
    )
    events.record(aggregate=review, kind="review.write", actor_id=actor.pk, after={"contract_id": contract.pk})
    if Review.objects.filter(contract=contract).count() == len(Review.Side.values):
        _open(contract.pk)
        review.refresh_from_db()
    return review


@unit_of_work
def review_edit(*, actor: User, review_id: int, rating: int, text: str = "") -> Review:
    """Change an own review until it opens; what it said before is kept. The same content again changes nothing.

    Raises NotFound, NotAllowed for everybody but its author, Conflict once it is open or its window has shut, InvalidInput.
    """
    rating, text = _checked(rating, text)
    review, shuts = _entered(actor, review_id)
    require(review.author_id == actor.pk, "review_not_yours", "Only its author can change a review.")
    now = clock.now()
    if review.opened_at is not None or shuts is None or now >= shuts:
        raise Conflict("review_opened", "This review is open to read and stays as it is.")
    if (review.rating, review.text) == (rating, text):
        return review
    ReviewVersion.objects.create(review=review, rating=review.rating, text=review.text, replaced_at=now)
    review.rating, review.text, review.edited_at = rating, text, now
    review.save(update_fields=["rating", "text", "edited_at"])
    events.record(aggregate=review, kind="review.edit", actor_id=actor.pk, after={"contract_id": review.contract_id})
    return review


@unit_of_work
def review_reply(*, actor: User, review_id: int, text: str) -> Review:
    """The reviewed side answers an open review, once and for all.

    Raises NotFound, NotAllowed for everybody else, Conflict before it opens, while it is hidden, or for a second answer, InvalidInput.
    """
    checks = Checks()
    text = checks.text("text", text, longest=MAX_TEXT, shortest=1)
    checks.raise_if_any()
    review, _ = _entered(actor, review_id)
    require(review.subject_id == actor.pk, "review_reply_not_yours", "Only the person who was reviewed can answer.")
    if review.opened_at is None or review.hidden_at is not None:
        raise Conflict("review_reply_impossible", "There is nothing open to answer.")
    if review.reply is not None:
        raise Conflict("review_reply_exists", "You have answered this review already.")
    review.reply, review.replied_at = text, clock.now()
    review.save(update_fields=["reply", "replied_at"])
    events.record(aggregate=review, kind="review.reply", actor_id=actor.pk, after={"contract_id": review.contract_id})
    return review


@unit_of_work
def reviews_open(*, contract_id: int) -> int:
    """Open what is written once the window has shut; returns how many were opened here. Running it again opens nothing more."""
    contract = contract_locked(contract_id)
    shuts = window_shuts_at(contract)
    if shuts is None or clock.now() < shuts:
        return 0
    return _open(contract_id)


def _open(contract_id: int) -> int:
    """Open the contract's hidden reviews. The caller holds the contract's lock."""
    now = clock.now()
    hidden = list(Review.objects.filter(contract=contract_id, opened_at__isnull=True).order_by("id"))
    for review in hidden:
        review.opened_at = now
        review.save(update_fields=["opened_at"])
        events.record(
            aggregate=review, kind="review.open", actor_id=None, after={"contract_id": contract_id, "subject_id": review.subject_id}
        )
    return len(hidden)


def review_hide(*, actor: User, review_id: int, reason: str, reply: bool = False) -> Review:
    """For a moderator's decision, in its transaction: out of view, and it counts for nothing; with `reply` its answer alone.

    Raises Conflict when it is hidden already.
    """
    return _seen(actor, review_id, "hide", reason, reply)


def review_restore(*, actor: User | None, review_id: int, reason: str, reply: bool = False) -> Review:
    """For a moderator's decision or the end of a hold, in its transaction: back in view. Raises Conflict when it is not hidden."""
    return _seen(actor, review_id, "restore", reason, reply)


def _seen(actor: User | None, review_id: int, verb: str, reason: str, reply: bool) -> Review:
    contract_locked(Review.objects.values_list("contract_id", flat=True).get(pk=review_id))
    review = Review.objects.get(pk=review_id)
    field = "reply_hidden_at" if reply else "hidden_at"
    hidden = getattr(review, field) is not None
    if hidden == (verb == "hide"):
        raise Conflict(f"review_{verb}_impossible", "This is hidden already." if hidden else "This is not hidden.")
    setattr(review, field, clock.now() if verb == "hide" else None)
    review.save(update_fields=[field])
    part = "reply" if reply else "review"
    events.record(
        aggregate=review,
        kind=f"review.{verb}",
        actor_id=None if actor is None else actor.pk,
        before={"part": part, "hidden": hidden},
        after={"part": part, "hidden": not hidden, "subject_id": review.subject_id},
        reason=reason[:500],
    )
    return review


def _checked(rating: Any, text: Any) -> tuple[int, str]:
    checks = Checks()
    rating = checks.whole("rating", rating, low=1, high=5)
    text = checks.text("text", text, longest=MAX_TEXT)
    checks.raise_if_any()
    return rating, text


def _entered(actor: User, review_id: int) -> tuple[Review, Any]:
    """The review, re-read after its contract was locked, and when the window shuts. Raises NotFound."""
    contract = contract_locked(review_for(actor, review_id).contract_id)
    review = Review.objects.get(pk=review_id)
    review.contract = contract
    return review, window_shuts_at(contract)
