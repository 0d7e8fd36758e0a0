"""What the tellers of the chaos bench do: deals of one contract with one milestone each, and where each act shows in the books.

A key, "<milestone>:<step>:<side>", says all about its act, so that anybody can do it again and anybody can look for what it left behind. The number
of a milestone says its round and lane: lane 0 is everybody's, so that tellers meet on its rows; `side` is who of two rivals it is there.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.contrib.auth import get_user_model

from marketplace.accounts.models import ClientProfile, FreelancerProfile
from marketplace.contracts import services as work
from marketplace.contracts.models import Bonus, Contract, Milestone, PartRelease, RefundRequest
from marketplace.core import clock
from marketplace.core.errors import Unavailable
from marketplace.core.models import Event
from marketplace.core.money import Money
from marketplace.jobs.models import Category, Job, Proposal
from marketplace.payments import fees, services
from marketplace.payments.models import Entry, Payment, PaymentRefund, Payout, SandboxObject

CLIENTS, FREELANCERS, PURSE = 3, 3, 10**10
LANE, ROUND = 1_000, 100_000
SHARED = 0
CARDS = ("tok_visa", "tok_timeout", "tok_delayed")
PLACES = ("bank_ok", "bank_timeout", "bank_delayed", "bank_closed")


@dataclass(frozen=True)
class Deal:
    """What is agreed in a deal; `card` is empty when the wallet pays."""

    pk: int
    price: int
    card: str
    bonus: bool
    end: str
    payout: str
    back: bool

    @property
    def shared(self) -> bool:
        return self.pk % ROUND // LANE == SHARED

    @property
    def client(self) -> int:
        return 1 + self.pk % CLIENTS

    @property
    def freelancer(self) -> int:
        return 1 + CLIENTS + self.pk // CLIENTS % FREELANCERS

    def keys(self, side: int) -> list[str]:
        """The acts of the deal, in their order. Of rivals each does another thing, of which only one is possible."""
        steps = ["fund:0"]
        if self.card != "tok_delayed":  # its money comes when nobody waits for it any more
            end = ("release", "refund")[side] if self.end == "rivals" else self.end
            steps += ["bonus:0"] * self.bonus + ["submit:0", f"{end}:0"] + ["rest:0"] * (end == "part") + ["payout:0"] * bool(self.payout)
            steps += [f"back:{side if self.shared else 0}"] * self.back
        return [f"{self.pk}:{step}" for step in steps]


@lru_cache(maxsize=4096)
def deal(seed: int, pk: int) -> Deal:
    """The same for the same seed and number."""
    dice = random.Random(f"{seed}:{pk}")
    shared = pk % ROUND // LANE == SHARED
    card = dice.choices((*CARDS, ""), (5, 2, 1, 3))[0]
    if shared and card == "tok_delayed":
        card = CARDS[0]
    ends = ("rivals", "rivals", "release", "part") if shared else ("release", "release", "part", "refund")
    return Deal(
        pk=pk,
        price=dice.randint(9_000, 99_999),
        card=card,
        bonus=dice.random() < 0.35,
        end=dice.choice(ends),
        payout=dice.choices((*PLACES, ""), (4, 2, 2, 1, 9))[0],
        back=bool(card) and dice.random() < (0.9 if shared else 0.6),
    )


def prepare() -> None:
    """The people, with money in the clients' wallets and earned by the freelancers."""
    fees.lay_standard()
    for pk in range(1, CLIENTS + FREELANCERS + 1):
        user = get_user_model().objects.create(pk=pk, email=f"u{pk}@example.org", display_name=f"U{pk}")
        (ClientProfile if pk <= CLIENTS else FreelancerProfile).objects.create(user=user)
    Category.objects.get_or_create(slug="chaos", defaults={"name": "Chaos"})
    for pk in range(1, CLIENTS + 1):
        asked = {"purpose": "wallet", "purpose_id": None, "method": {"token": "tok_visa"}, "idempotency_key": f"purse-{pk}"}
        services.payment_start(actor_id=pk, amount=Money(PURSE, "USD"), **asked)
    # as many as there are pairs of a client and a freelancer
    for n in range(CLIENTS * FREELANCERS):
        lay([n + 1], price=PURSE // 20)
        made = Milestone.objects.select_related("contract__client", "contract__freelancer").get(pk=n + 1)
        client, freelancer = made.contract.client, made.contract.freelancer
        work.milestone_fund(actor=client, milestone_id=made.pk, provider="wallet", method={}, idempotency_key="w")
        work.milestone_submit(actor=freelancer, milestone_id=made.pk, note="Done.")
        work.milestone_approve(actor=client, milestone_id=made.pk)
        Milestone.objects.filter(pk=made.pk).update(clears_at=clock.now())
        assert work.milestone_clear(milestone_id=made.pk)


def lay(pks: Iterable[int], *, seed: int = 0, price: int | None = None) -> None:
    """Contracts with a planned milestone of these numbers, straight into the tables: no money is in them."""
    now, category = clock.now(), Category.objects.get(slug="chaos")
    jobs, proposals, contracts, milestones = [], [], [], []
    for d in (deal(seed, pk) for pk in pks):
        minor = d.price if price is None else price
        terms = {"amount_minor": minor, "currency": "USD"}
        agreed = {"pricing": "fixed", "title": "A job", "currency": "USD", "payee_currency": "USD", "total_minor": minor}
        jobs.append(
            Job(pk=d.pk, client_id=d.client, title="A job", description="Work.", category=category, pricing="fixed", created_at=now)
        )
        proposals.append(Proposal(pk=d.pk, job_id=d.pk, freelancer_id=d.freelancer, cover_letter="Hello.", submitted_at=now, **terms))
        contracts.append(
            Contract(
                pk=d.pk,
                job_id=d.pk,
                proposal_id=d.pk,
                client_id=d.client,
                freelancer_id=d.freelancer,
                state="active",
                fee_schedule="standard-1",
                offered_at=now,
                started_at=now,
                **agreed,
            )
        )
        milestones.append(Milestone(pk=d.pk, contract_id=d.pk, position=1, title="All of it", **terms))
    for model, rows in ((Job, jobs), (Proposal, proposals), (Contract, contracts), (Milestone, milestones)):
        model._default_manager.bulk_create(rows, batch_size=500)  # type: ignore[attr-defined]


@lru_cache(maxsize=64)
def person(pk: int) -> Any:
    return get_user_model().objects.get(pk=pk)


def act_of(seed: int, key: str) -> Callable[[], Any]:
    """What a key stands for. Raises Conflict when it is done already and shows in a state."""
    pk, step, _ = key.split(":")
    d, milestone = deal(seed, int(pk)), {"milestone_id": int(pk)}

    def fund() -> None:
        way = {"provider": "sandbox", "method": {"token": d.card}} if d.card else {"provider": "wallet", "method": {}}
        payment, _ = work.milestone_fund(actor=person(d.client), idempotency_key=key, **milestone, **way)  # type: ignore[arg-type]
        if payment is not None and payment.state in ("created", "pending") and d.card != "tok_delayed":
            raise Unavailable("sandbox", "The gateway has not answered.")

    def back() -> Any:
        paid = Payment.objects.get(purpose="milestone", purpose_id=d.pk)
        # two rivals together ask for more than was paid
        amount = Money(d.price * (6 if d.shared else 4) // 10, "USD")
        return services.payment_refund_request(actor=person(d.client), payment_id=paid.pk, amount=amount, idempotency_key=key)

    def rest() -> Any:
        request = RefundRequest.objects.get(milestone=d.pk)
        return work.refund_request_accept(actor=person(d.freelancer), request_id=request.pk)

    third = {"amount_minor": d.price // 3, "rest": "wallet", "reason": "Not all."}
    paid_out = {"amount": Money(1_500 + d.pk % 101, "USD"), "method": {"token": d.payout}, "idempotency_key": key}
    given = {"contract_id": d.pk, "amount_minor": 2_000 + d.pk % 97, "note": key, "idempotency_key": key}
    return {
        "fund": fund,
        "bonus": lambda: work.bonus_give(actor=person(d.client), **given),  # type: ignore[arg-type]
        "submit": lambda: work.milestone_submit(actor=person(d.freelancer), note="Done.", **milestone),
        "release": lambda: work.milestone_approve(actor=person(d.client), **milestone),
        "part": lambda: work.milestone_approve_part(actor=person(d.client), **milestone, **third),  # type: ignore[arg-type]
        "rest": rest,
        "refund": lambda: work.milestone_refund(actor=person(d.freelancer), **milestone),
        "payout": lambda: services.payout_request(actor=person(d.freelancer), **paid_out),  # type: ignore[arg-type]
        "back": back,
    }[step]


#: what an act has left behind: at once, and when the gateway was heard. Each number must be 1 once the act was done, and 0 when it was refused
Left = tuple[dict[str, int], dict[str, int]]


class Books:
    """What the tables say of some keys, read with one query a table."""

    def __init__(self, seed: int, keys: Iterable[str]) -> None:
        self.seed = seed
        self.keys = sorted(set(keys))
        numbers = sorted({int(k.split(":")[0]) for k in self.keys})
        self._entries: Counter[tuple[str, int, str]] = Counter()
        self._read_entries("milestone", numbers)
        rows = Event.objects.filter(aggregate_type="contracts.milestone", aggregate_id__in=numbers).values_list("aggregate_id", "kind")
        self._events = Counter(rows)
        self._payments = self._numbered(Payment.objects.filter(purpose="milestone", purpose_id__in=numbers).values_list("purpose_id", "pk"))
        self._bonuses = self._numbered(Bonus.objects.filter(contract__in=numbers).values_list("contract_id", "pk"))
        self._parts = Counter(PartRelease.objects.filter(milestone__in=numbers).values_list("milestone_id", flat=True))
        agreed = RefundRequest.objects.filter(milestone__in=numbers, state="accepted")
        self._agreed = Counter(agreed.values_list("milestone_id", flat=True))
        ours = {self._hashed(k): k for k in self.keys if k.split(":")[1] in ("payout", "back")}
        self._payouts = self._numbered((ours[k], pk) for k, pk in self._keyed(Payout, ours))
        self._refunds = self._numbered((ours[k], pk) for k, pk in self._keyed(PaymentRefund, ours))
        self._at_the_gateway: dict[tuple[str, int], int] = Counter()
        for kind, model, found in (
            ("payment", Payment, self._payments),
            ("payout", Payout, self._payouts),
            ("refund", PaymentRefund, self._refunds),
        ):
            ids = [pk for several in found.values() for pk in several]
            self._read_entries("payment_refund" if kind == "refund" else kind, ids)
            named = dict(model.objects.filter(pk__in=ids).values_list("pk", "idempotency_key"))  # type: ignore[attr-defined]
            back = {f"{kind}:{pk}:{key}": pk for pk, key in named.items()}
            there = SandboxObject.objects.filter(kind=kind, idempotency_key__in=list(back)).values_list("idempotency_key", flat=True)
            self._at_the_gateway.update(Counter((kind, back[key]) for key in there))
        self._read_entries("bonus", [pk for several in self._bonuses.values() for pk in several])

    def _hashed(self, key: str) -> str:
        d, step = deal(self.seed, int(key.split(":")[0])), key.split(":")[1]
        return f"{d.freelancer if step == 'payout' else d.client}:{hashlib.sha256(key.encode()).hexdigest()}"

    @staticmethod
    def _keyed(model: Any, ours: dict[str, str]) -> Any:
        return model.objects.filter(idempotency_key__in=list(ours)).values_list("idempotency_key", "pk")

    @staticmethod
    def _numbered(rows: Iterable[tuple[Any, int]]) -> dict[Any, list[int]]:
        found: dict[Any, list[int]] = defaultdict(list)
        for key, pk in rows:
            found[key].append(pk)
        return found

    def _read_entries(self, subject: str, numbers: list[int]) -> None:
        rows = Entry.objects.filter(subject_type=subject, subject_id__in=numbers).values_list("subject_id", "kind")
        self._entries.update((subject, n, kind) for n, kind in rows)

    def left(self, key: str) -> Left:
        """See Left."""
        pk, step = int(key.split(":")[0]), key.split(":")[1]
        d = deal(self.seed, pk)
        of = lambda kind: self._entries["milestone", pk, kind]  # noqa: E731
        told = lambda action: self._events[pk, f"milestone.{action}"]  # noqa: E731

        def ends(subject: str, rows: list[int], *kinds: str) -> int:
            return sum(self._entries[subject, n, kind] for n in rows for kind in kinds)

        if step == "fund":
            hold = {"hold": of("hold"), "told": told("fund")}
            if not d.card:
                return hold, {}
            rows = self._payments[pk]
            charged = {"deposit": ends("payment", rows, "deposit"), "charge": sum(self._at_the_gateway["payment", n] for n in rows)}
            later = {**charged, **hold}
            return ({"payment": len(rows)}, later) if d.card == "tok_delayed" else ({"payment": len(rows), **later}, {})
        if step == "bonus":
            return {"row": len(self._bonuses[pk]), "entry": ends("bonus", self._bonuses[pk], "bonus")}, {}
        if step == "part":
            return {"row": self._parts[pk], "entry": of("release"), "told": told("approve_part")}, {}
        if step == "payout":
            rows = self._payouts[key]
            later = {
                "end": ends("payout", rows, "payout_settle", "payout_fail"),
                "sent": sum(self._at_the_gateway["payout", n] for n in rows),
            }
            return {"row": len(rows), "entry": ends("payout", rows, "payout_request")}, later
        if step == "back":
            rows = self._refunds[key]
            later = {"end": ends("payment_refund", rows, "card_refund_settle", "card_refund_fail")}
            later["sent"] = sum(self._at_the_gateway["refund", n] for n in rows)
            return {"row": len(rows), "entry": ends("payment_refund", rows, "card_refund_request")}, later
        at_once = {
            "submit": {"told": told("submit")},
            "release": {"entry": of("release"), "told": told("release")},
            "rest": {"row": self._agreed[pk], "entry": of("refund")},
            "refund": {"entry": of("refund"), "told": told("refund")},
        }[step]
        return at_once, {}

    def there(self, key: str) -> bool:
        """Whether the act left anything at once."""
        return any(self.left(key)[0].values())


def rivals(seed: int, key: str) -> bool:
    """Whether the act may be refused because its rival came first."""
    d, step = deal(seed, int(key.split(":")[0])), key.split(":")[1]
    return d.shared and (step == "back" or (d.end == "rivals" and step in ("release", "refund")))


def price_fell(seed: int, key: str) -> bool:
    """Whether the act is a payment of a price of which a part may have been given back since."""
    return key.split(":")[1] == "fund" and deal(seed, int(key.split(":")[0])).end == "part"
