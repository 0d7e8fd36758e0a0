"""How like disputes ended: base rates that name nobody. Part of `selectors`.

Like are settled disputes of the same category, opened by the same side, over an amount of the same band. A group is told of only when it is
made of disputes of at least FEWEST clients and as many freelancers; and when the like groups beside it that may not be told of are together
nothing, or such a group too: nobody is found by taking answers from one another. Otherwise the next broader group answers, and says so.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from django.conf import settings
from django.db.models import F

from marketplace.core.money import Money
from marketplace.payments.selectors import worth

from .models import Dispute

WHOLE = 10_000
#: fewer precedents than this say nothing about the case, and something about the people in them
FEWEST = 5
#: of the newest settled disputes so many are looked at
MOST = 1000
#: what the groups have in common, the narrowest first
GROUPS = (("filer", "category", "amount"), ("filer", "category"), ("filer", "amount"), ("filer",))


@dataclass(frozen=True, slots=True)
class Band:
    """Amounts above `above` up to and including `up_to`, in US cents; no `up_to`: without end."""

    above: int
    up_to: int | None

    def __str__(self) -> str:
        if self.up_to is None:
            return f"above {self.above // 100:,} USD"
        return f"above {self.above // 100:,} up to {self.up_to // 100:,} USD" if self.above else f"up to {self.up_to // 100:,} USD"


def band_of(amount: Money) -> Band | None:
    """The band that an amount falls into by the rates of today; None when no rate leads to USD."""
    there = worth(amount, "USD")
    if there is None:
        return None
    ends = sorted(settings.DISPUTE_AMOUNT_BANDS_USD_MINOR)
    above = max((end for end in ends if end < there.minor), default=0)
    return Band(above, min((end for end in ends if end >= there.minor), default=None))


@dataclass(frozen=True, slots=True)
class Settled:
    """One dispute that ended, as a group counts it: the freelancer's share in basis points, and how it was settled."""

    share: int
    how: str
    category_id: int
    band: Band | None
    client_id: int
    freelancer_id: int

    def key(self, word: str) -> Any:
        """What two disputes have in common when they are alike in this word of GROUPS."""
        return self.category_id if word == "category" else self.band


@dataclass(frozen=True, slots=True)
class Precedents:
    """A group, or the empty one. `like` are the words of GROUPS that hold for it; `note` says what it was broadened by, empty otherwise."""

    like: tuple[str, ...]
    band: Band | None
    found: tuple[Settled, ...]
    note: str

    def told(self) -> dict[str, Any]:
        """As people read it; `n` is 0 and the figures null for the empty group."""
        told: dict[str, Any] = {"n": len(self.found), "freelancer_share_quartiles_bps": None, "settled_by": None}
        if self.found:
            shares = [s.share for s in self.found]
            told["freelancer_share_quartiles_bps"] = [round(q) for q in quantiles(shares, n=4, method="inclusive")]
            told["settled_by"] = {how: round(n / len(shares), 3) for how, n in sorted(Counter(s.how for s in self.found).items())}
        band = self.band if "amount" in self.like else None
        ends = None if band is None else {"above_usd_minor": band.above, "up_to_usd_minor": band.up_to, "text": str(band)}
        return {**told, "alike_in": list(self.like), "amount_band": ends, "note": self.note}


def precedents(*, category_id: int, filer: str, amount: Money | None = None, leave_out: int | None = None) -> Precedents:
    """The narrowest group of GROUPS that may be told of. Without an amount, or one that no rate leads to USD, amounts are not looked at."""
    band = None if amount is None else band_of(amount)
    rows = _settled(filer, leave_out)
    asked = {"category": category_id, "amount": band}
    for group in (g for g in GROUPS if band is not None or "amount" not in g):
        inside = _alike(rows, group, asked)
        broader = (other for other in GROUPS if set(other) < set(group))
        if _hides(inside) and all(_rest_hides(_alike(rows, other, asked), set(group) - set(other)) for other in broader):
            return Precedents(group, band, tuple(inside), _note(group, amount, band))
    return Precedents((), band, (), f"There are fewer than {FEWEST} like disputes, which would say more of people than of the case.")


def _alike(rows: Sequence[Settled], group: tuple[str, ...], asked: dict[str, Any]) -> list[Settled]:
    return [s for s in rows if all(s.key(word) == asked[word] for word in group if word in asked)]


def _rest_hides(rows: Sequence[Settled], words: set[str]) -> bool:
    """Parted by these words: whether the parts that cannot be told of by themselves are together nothing, or enough to hide each person."""
    parts: dict[tuple[Any, ...], list[Settled]] = defaultdict(list)
    for s in rows:
        parts[tuple(s.key(word) for word in sorted(words))].append(s)
    rest = [s for part in parts.values() if not _hides(part) for s in part]
    return not rest or _hides(rest)


def _hides(group: Sequence[Settled]) -> bool:
    """Whether there are enough people on either side for nobody to stand out."""
    return all(len(set(ids)) >= FEWEST for ids in ([s.client_id for s in group], [s.freelancer_id for s in group]))


def _note(group: tuple[str, ...], amount: Money | None, band: Band | None) -> str:
    parts: list[str] = []
    if amount is not None and band is None:
        parts.append(f"No rate leads from {amount.currency} to USD: disputes over any amount are counted.")
    elif amount is not None and "amount" not in group:
        parts.append("Too few like disputes were over a like amount: those over any amount are counted.")
    if "category" not in group:
        parts.append("Too few like disputes were in this category: those of all categories are counted.")
    return " ".join(parts)


def _settled(filer: str, leave_out: int | None) -> list[Settled]:
    client, freelancer, job = (F(f"milestone__contract__{name}") for name in ("client", "freelancer", "job__category"))
    like = Dispute.objects.filter(state="settled", held_minor__gt=0).exclude(pk=leave_out or 0)
    like = like.filter(filer=client) if filer == "client" else like.exclude(filer=client)
    rows = like.order_by("-settled_at", "-id").values_list(
        "to_freelancer_minor", "held_minor", "currency", "settled_by", job, client, freelancer
    )
    return [
        Settled(round(WHOLE * (part or 0) / held), how or "staff", category, band_of(Money(held, currency)), buyer, seller)
        for part, held, currency, how, category, buyer, seller in rows[:MOST]
    ]
