"""What an offer says, checked: the milestones of a contract before it exists. No database here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings

from marketplace.core.errors import InvalidInput
from marketplace.core.money import exponent

MAX_MILESTONES = 50
MAX_ACCEPTANCE_ITEMS = 50
MAX_ITEM_LENGTH = 500
MAX_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Term:
    """One milestone as offered; `amount_minor` in the contract's currency, `due_in_days` from the contract's start."""

    title: str
    amount_minor: int
    due_in_days: int | None
    acceptance: tuple[str, ...]

    def stored(self) -> dict[str, object]:
        """As JSON, which `read` reads again."""
        return {
            "title": self.title,
            "amount_minor": self.amount_minor,
            "due_in_days": self.due_in_days,
            "acceptance": list(self.acceptance),
        }


def _whole(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _term(raw: object, at: str, faults: dict[str, list[str]]) -> Term | None:
    if not isinstance(raw, Mapping):
        faults[at] = ["Each milestone is an object with title, amount_minor, due_in_days and acceptance."]
        return None
    known = len(faults)
    title = raw.get("title")
    if not isinstance(title, str) or not 1 <= len(title.strip()) <= 200:
        faults[f"{at}.title"] = ["Give it a title of 1 to 200 characters."]
    amount = raw.get("amount_minor")
    if not _whole(amount, 1, settings.MAX_AMOUNT_MINOR):
        faults[f"{at}.amount_minor"] = [f"A whole number of minor units from 1 to {settings.MAX_AMOUNT_MINOR}."]
    days = raw.get("due_in_days")
    if days is not None and not _whole(days, 1, MAX_DAYS):
        faults[f"{at}.due_in_days"] = [f"A whole number of days from 1 to {MAX_DAYS}, or leave it out."]
    items = raw.get("acceptance") or []
    if (
        not isinstance(items, list)
        or len(items) > MAX_ACCEPTANCE_ITEMS
        or not all(isinstance(i, str) and 1 <= len(i.strip()) <= MAX_ITEM_LENGTH for i in items)
    ):
        faults[f"{at}.acceptance"] = [f"At most {MAX_ACCEPTANCE_ITEMS} texts of 1 to {MAX_ITEM_LENGTH} characters."]
    if len(faults) > known:
        return None
    return Term(str(title).strip(), int(amount or 0), days, tuple(i.strip() for i in items))


def read(milestones: Sequence[object] | None, *, currency: str, total_minor: int | None) -> list[Term]:
    """The checked terms. With `total_minor` the amounts must sum to exactly that.

    Raises InvalidInput (`currency_unknown`, `milestones_invalid`, `milestones_sum`) naming each field at fault.
    """
    exponent(currency)
    if not isinstance(milestones, Sequence) or isinstance(milestones, str) or not 1 <= len(milestones) <= MAX_MILESTONES:
        message = f"A contract has 1 to {MAX_MILESTONES} milestones."
        raise InvalidInput("milestones_invalid", message, {"milestones": [message]})
    faults: dict[str, list[str]] = {}
    terms = [t for i, raw in enumerate(milestones) if (t := _term(raw, f"milestones.{i}", faults)) is not None]
    if faults:
        raise InvalidInput("milestones_invalid", "Please correct the marked milestones and send the offer again.", faults)
    total = sum(t.amount_minor for t in terms)
    if total_minor is not None and total != total_minor:
        message = f"The milestones sum to {total} but the agreed price is {total_minor} (minor units of {currency})."
        raise InvalidInput("milestones_sum", message, {"milestones": [message]})
    if total > settings.MAX_AMOUNT_MINOR:
        message = f"A contract is worth at most {settings.MAX_AMOUNT_MINOR} minor units."
        raise InvalidInput("milestones_sum", message, {"milestones": [message]})
    return terms
