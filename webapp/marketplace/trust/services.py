"""Writing and opening reviews: double-blind, both sides, within REVIEW_WINDOW_DAYS of the contract's end."""

from __future__ import annotations

from marketplace.accounts.models import User
from marketplace.contracts.selectors import contract_for, contract_locked
from marketplace.core import clock, events
from marketplace.core.errors import Conflict, InvalidInput, NotAllowed
from marketplace.core.transactions import unit_of_work

from .models import Review
from .selectors import window_shuts_at

MAX_TEXT = 5_000


@unit_of_work
def review_write(*, actor: User, contract_id: int, rating: int, text: str = "") -> Review:
    """One side's review of the other, stars 1 to 5. Hidden from everybody else until both are in or the window shuts.

    Raises NotFound, NotAllowed for staff, Conflict while the work lasts, after the window, or for a second review, InvalidInput.
    """
    contract_for(actor, contract_id)
    if type(rating) is not int or not 1 <= rating <= 5:
        raise InvalidInput("rating_invalid", "Give 1 to 5 stars.", {"rating": ["A whole number from 1 to 5."]})
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise InvalidInput("text_invalid", f"Write at most {MAX_TEXT} characters.", {"text": [f"At most {MAX_TEXT} characters."]})
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
        text=text.strip(),
        written_at=now,
    )
    events.record(aggregate=review, kind="review.write", actor_id=actor.pk, after={"contract_id": contract.pk})
    if Review.objects.filter(contract=contract).count() == len(Review.Side.values):
        _open(contract.pk)
        review.refresh_from_db()
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
