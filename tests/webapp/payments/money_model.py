"""Where every minor unit is, by the rules of docs/payments.md and docs/adr/0010-held-money.md: whole numbers, no database, no code of the product.

Each act says whether it is possible, and does it if so. Positions are credit balances by kind of account and currency.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

EXPONENT = {"USD": 2, "KRW": 0, "KWD": 3}
HELD = ("funded", "submitted")
ENDED = ("released", "refunded", "resolved")
FEE_BPS, TAX_BPS, SPREAD_BPS = 1_000, 1_900, 100
#: the client's side: what its schedules ask of what is funded or given, and the least
CLIENT_BPS, CLIENT_LEAST = 300, {"USD": 25, "KRW": 3}
#: a derived rate is kept to so many parts of one
RATE_DIGITS = 10**12
#: in millionths: what an installation begins with where nobody publishes a rate
PACKAGED = {("USD", "KWD"): 306_500}
CLEARING, SILENCE, ANSWER, LIMIT, ALARM, GIVE_UP, BONUS_DAYS = 5, 14, 7, 75, 60, 3, 60


def parts_of(gross: int) -> tuple[int, int, int]:
    """Fee, tax on the fee and the rest: each its whole units, what is left one by one to whoever lacks most."""
    whole = 10_000 * 10_000
    shares = [FEE_BPS * 10_000, FEE_BPS * TAX_BPS, whole - FEE_BPS * 10_000 - FEE_BPS * TAX_BPS]
    given = [gross * share // whole for share in shares]
    lacks = [gross * share - got * whole for share, got in zip(shares, given, strict=True)]
    while sum(given) < gross:
        neediest = lacks.index(max(lacks))
        given[neediest] += 1
        lacks[neediest] = -1
    return given[0], given[1], given[2]


def half_up(whole: int, part: int, of: int) -> int:
    """The share that `part` of `of` has of the whole, half a unit up."""
    units, rest = divmod(whole * part, of)
    return units + (2 * rest >= of)


def on_top(amount: int, currency: str) -> tuple[int, int]:
    """The client's fee on the amount, and the tax on that fee."""
    fee = max(half_up(amount, CLIENT_BPS, 10_000), CLIENT_LEAST[currency])
    return fee, half_up(fee, TAX_BPS, 10_000)


def changed(minor: int, base: str, quote: str, millionths: int) -> int:
    """So much of `base` in `quote`, never more than the rate gives after the spread."""
    return minor * 10 ** EXPONENT[quote] * millionths * (10_000 - SPREAD_BPS) // (10 ** EXPONENT[base] * 1_000_000 * 10_000)


@dataclass
class Ask:
    to: str
    amount: int
    by: int
    number: int


@dataclass
class Lot:
    """A filling of a hold: what went in, the client's fee and tax that came with it, and what of all three has gone back."""

    amount: int
    fee: int
    tax: int
    back: int = 0
    fee_back: int = 0
    tax_back: int = 0

    def give(self, amount: int) -> tuple[int, int]:
        """So much more goes back; the fee and tax that go with it."""
        self.back += amount
        fee = half_up(self.fee, self.back, self.amount)
        tax = half_up(self.tax, fee, self.fee) if self.fee else 0
        more = fee - self.fee_back, tax - self.tax_back
        self.fee_back, self.tax_back = fee, tax
        return more


@dataclass
class Part:
    """A milestone; with `on_top` its client bears a fee."""

    contract: int
    amount: int
    currency: str
    payee: str
    on_top: bool = False
    state: str = "planned"
    held: int = 0
    funded: int = 0
    began: int = 0
    submitted: int | None = None
    auto: int | None = None
    ask: Ask | None = None
    asked: list[int] = field(default_factory=list)
    asked_at: int = 0
    disputed: int = 0
    came_from: str = ""
    paid: int = 0
    closing: tuple[int, int] | None = None
    waiting: list[tuple[int, int]] = field(default_factory=list)
    lots: list[Lot] = field(default_factory=list)

    def charge(self, amount: int) -> tuple[int, int]:
        """Fee and tax that this client pays on top of the amount."""
        return on_top(amount, self.currency) if self.on_top else (0, 0)

    def returns(self, amount: int) -> tuple[int, int]:
        """So much leaves the hold for somewhere else than the freelancer, the oldest lot first; the fee and tax that go with it."""
        fee = tax = 0
        for lot in self.lots:
            part = min(amount, lot.amount - lot.back)
            amount -= part
            more = lot.give(part) if part else (0, 0)
            fee, tax = fee + more[0], tax + more[1]
        assert not amount
        return fee, tax


@dataclass
class In:
    """A payment."""

    payer: int
    amount: int
    currency: str
    state: str
    at: int
    milestone: int | None = None
    ref: str = ""
    sent_back: int = 0

    @property
    def came(self) -> bool:
        return self.state in ("succeeded", "charged_back")


@dataclass
class Out:
    """A payout, or (part of) a payment on its way back."""

    amount: int
    currency: str
    state: str
    token: str = ""
    held_until: int | None = None
    payment: int = 0
    ref: str = ""
    sent: int | None = None


@dataclass
class Taken:
    """A dispute of the payer with their bank, as we know it."""

    payment: int
    amount: int
    currency: str
    state: str = "inquiry"
    owed: int = 0
    fee: int = 0


@dataclass
class Fee:
    """What one entry took of the freelancer."""

    currency: str
    fee: int
    tax: int
    reached: bool
    back: int = 0


class Books:
    """Everything. `at` holds the positions; one client, one freelancer."""

    def __init__(self, milestones: list[Part], rates: dict[tuple[str, str], int]) -> None:
        self.day = 0
        self.at: Counter[tuple[str, str]] = Counter()
        #: of what is receivable, what the freelancer owes, by currency; the rest is the client's
        self.owes: Counter[str] = Counter()
        self.parts = milestones
        self.rates = rates
        self.ended: dict[int, int] = {}
        self.ins: list[In] = []
        self.outs: list[Out] = []
        self.backs: list[Out] = []
        self.taken: dict[str, Taken] = {}
        self.fees: list[Fee] = []
        self.bonuses: list[tuple[str, int, int]] = []
        self.to_fund: list[int] = []
        self._asks = 0

    def _move(self, debit: str, credit: str, amount: int, currency: str) -> None:
        assert amount >= 0
        self.at[debit, currency] -= amount
        self.at[credit, currency] += amount
        if credit == "wallet":  # what the client owes is paid first
            debt = min(self.at["wallet", currency], self.client_owes(currency))
            self.at["wallet", currency] -= max(0, debt)
            self.at["receivable", currency] += max(0, debt)
        elif credit == "available":  # and so is what the freelancer owes
            debt = min(self.at["available", currency], self.owes[currency])
            self.at["available", currency] -= debt
            self.at["receivable", currency] += debt
            self.owes[currency] -= debt

    def client_owes(self, currency: str) -> int:
        return -self.at["receivable", currency] - self.owes[currency]

    def worth(self, minor: int, base: str, quote: str) -> int:
        """For comparing: no spread, the day's rates straight, else by way of the dollar."""
        straight = {**dict.fromkeys([(base, base), ("USD", "USD")], 10**6), **PACKAGED, **self.rates}
        if (base, quote) in straight:
            each = Fraction(straight[base, quote], 10**6)
        else:
            each = Fraction(straight["USD", quote], straight["USD", base])
            each = Fraction(round(each * RATE_DIGITS), RATE_DIGITS)
        return round(minor * each * Fraction(10) ** (EXPONENT[quote] - EXPONENT[base]))

    def covered(self, currency: str) -> bool:
        """Whether what the freelancer may pay out in a currency is worth what they owe in all of them."""
        kept = sum(max(1, self.worth(minor, base, currency)) for base, minor in self.owes.items() if minor)
        return self.at["available", currency] >= kept

    # --- money in
    def pay(self, amount: int, currency: str, token: str, milestone: int | None = None) -> In:
        state = {"now": "succeeded", "later": "pending", "lost": "created", "refused": "failed"}[token]
        payment = In(0, amount, currency, state, self.day, milestone)
        self.ins.append(payment)
        if state == "succeeded":
            self._came(payment)
        return payment

    def _came(self, payment: In) -> None:
        payment.state = "succeeded"
        self._move("clearing", "wallet", payment.amount, payment.currency)
        self._move("provider_fees", "clearing", payment.amount * 29 // 1000, payment.currency)
        if payment.milestone is not None:
            self.to_fund.append(payment.milestone)

    def hear_payment(self, i: int, theirs: str) -> None:
        payment = self.ins[i]
        if theirs == "succeeded" and not payment.came:
            self._came(payment)
        elif payment.state in ("created", "pending"):
            payment.state = theirs

    def tell(self) -> None:
        """What was paid for is funded, in the order in which the payments came."""
        for i in self.to_fund:
            self.fund(i)
        self.to_fund = []

    def fund(self, i: int) -> bool:
        p = self.parts[i]
        fee, tax = p.charge(p.amount)
        if p.contract in self.ended or p.state != "planned" or self.at["wallet", p.currency] < p.amount + fee + tax:
            return False
        self._move("wallet", "hold", p.amount, p.currency)
        self._charge(p.currency, fee, tax)
        p.lots.append(Lot(p.amount, fee, tax))
        p.state, p.held, p.funded, p.began = "funded", p.amount, self.day, self.day
        return True

    # --- work and pay
    def submit(self, i: int) -> bool:
        p = self.parts[i]
        if p.state != "funded":
            return False
        p.ask = None
        p.state, p.submitted, p.auto = "submitted", self.day, self.day + SILENCE
        return True

    def approve(self, i: int) -> bool:
        p = self.parts[i]
        if p.state != "submitted":
            return False
        p.ask, p.auto = None, None
        net = self._pay("hold", p.currency, p.payee, p.held)
        p.closing = (net, self.day + CLEARING)
        p.held, p.state = 0, "released"
        self._end(p)
        return True

    def approve_part(self, i: int, gross: int, to: str) -> bool:
        p = self.parts[i]
        if p.state != "submitted" or p.ask or not 0 < gross < p.held or (to == "next" and self._next(i) is None) or self._spent(p):
            return False
        p.waiting.append((self._pay("hold", p.currency, p.payee, gross), self.day + CLEARING))
        p.held -= gross
        p.paid += 1
        self._ask(p, p.held, to)
        return True

    def bonus(self, i: int, gross: int) -> bool:
        p = self.parts[i]
        late = p.contract in self.ended and self.day > self.ended[p.contract] + BONUS_DAYS
        fee, tax = p.charge(gross)
        if late or self.at["wallet", p.currency] < gross + fee + tax:
            return False
        net = self._pay("wallet", p.currency, p.payee, gross)
        self._charge(p.currency, fee, tax)
        self.bonuses.append((p.payee, net, self.day + CLEARING))
        return True

    def _pay(self, source: str, currency: str, payee: str, gross: int) -> int:
        fee, tax, net = parts_of(gross)
        self._move(source, "fees", fee, currency)
        self._move(source, "tax", tax, currency)
        reached = net
        if payee == currency:
            self._move(source, "pending", net, currency)
        else:
            reached = changed(net, currency, payee, self.rates[currency, payee])
            self._move(source, "fx_clearing", net, currency)
            self._move("fx_clearing", "pending", reached, payee)
        self.fees.append(Fee(currency, fee, tax, reached > 0))
        return reached

    def exchange(self, pair: tuple[str, str], buy: int) -> bool:
        """So much of the second currency for the least of the first that is worth it."""
        base, quote = pair
        worth = self.rates[pair] * (10_000 - SPREAD_BPS) * 10 ** EXPONENT[quote]
        sell = -(-buy * 10**10 * 10 ** EXPONENT[base] // worth)
        if self.at["wallet", base] < sell:
            return False
        self._move("wallet", "fx_clearing", sell, base)
        self._move("fx_clearing", "wallet", buy, quote)
        return True

    def fee_back(self, fee: Fee, amount: int) -> bool:
        if not fee.reached or not fee.fee or fee.back + amount > fee.fee:
            return False
        before, after = (half_up(fee.tax, n, fee.fee) for n in (fee.back, fee.back + amount))
        fee.back += amount
        self._move("fees", "available", amount, fee.currency)
        self._move("tax", "available", after - before, fee.currency)
        return True

    # --- back to the client
    def ask_back(self, i: int, amount: int) -> bool:
        p = self.parts[i]
        if p.state not in HELD or p.ask or not 0 < amount <= p.held or self._spent(p):
            return False
        self._ask(p, amount, "wallet")
        return True

    def accept(self, i: int) -> bool:
        p = self.parts[i]
        if not p.ask or (p.ask.to == "next" and self._next(i) is None):
            return False
        self._carry_out(i)
        return True

    def refuse(self, i: int) -> bool:
        return self._answered(self.parts[i], ANSWER)

    def give_back(self, i: int) -> bool:
        p = self.parts[i]
        if p.state not in HELD:
            return False
        self._empty(p)
        return True

    def _carry_out(self, i: int) -> None:
        p = self.parts[i]
        ask = p.ask
        assert ask is not None
        self._answered(p, 0)
        if ask.to == "next":
            target = self._next(i)
            assert target is not None
            target.lots.append(Lot(ask.amount, *p.returns(ask.amount)))
            target.held += ask.amount
            target.amount += ask.amount
            target.began = min(target.began, p.began)
            p.held, p.amount, p.state, p.auto = 0, p.amount - ask.amount, "released", None
            self._end(p)
        elif ask.amount == p.held:
            self._empty(p)
        else:
            self._back(p, ask.amount)
            p.held -= ask.amount
            p.amount -= ask.amount

    def _charge(self, currency: str, fee: int, tax: int) -> None:
        self._move("wallet", "fees", fee, currency)
        self._move("wallet", "tax", tax, currency)

    def _back(self, p: Part, amount: int) -> None:
        fee, tax = p.returns(amount)
        self._move("hold", "wallet", amount, p.currency)
        self._move("fees", "wallet", fee, p.currency)
        self._move("tax", "wallet", tax, p.currency)

    def _empty(self, p: Part) -> None:
        self._back(p, p.held)
        if p.paid:
            p.amount -= p.held
        p.state, p.held, p.auto, p.ask = ("released" if p.paid else "refunded"), 0, None, None
        self._end(p)

    # --- disputes of the two about the work
    def dispute(self, i: int) -> bool:
        p = self.parts[i]
        if p.state not in HELD:
            return False
        self._answered(p, 0)
        p.came_from, p.disputed, p.state = p.state, self.day, "disputed"
        return True

    def resume(self, i: int) -> bool:
        p = self.parts[i]
        if p.state != "disputed":
            return False
        if p.auto is not None:
            p.auto += self.day - p.disputed
        p.state = p.came_from
        return True

    def settle(self, i: int, given: int) -> bool:
        p = self.parts[i]
        if p.state != "disputed" or given > p.held:
            return False
        self._back(p, p.held - given)
        if given:
            p.closing = (self._pay("hold", p.currency, p.payee, given), self.day + CLEARING)
        p.held, p.state, p.auto = 0, "resolved", None
        self._end(p)
        return True

    # --- money out
    def pay_out(self, amount: int, currency: str, token: str) -> bool:
        if self.at["available", currency] < amount:
            return False
        self._move("available", "payout_transit", amount, currency)
        if not self.covered(currency):
            self._move("payout_transit", "available", amount, currency)
            return False
        first = not any(o.state == "paid" for o in self.outs)
        self.outs.append(Out(amount, currency, "held" if first else "requested", token, self.day + 1 if first else None))
        return True

    def send(self, i: int) -> None:
        o = self.outs[i]
        if o.state == "requested" or (o.state == "held" and o.held_until is not None and o.held_until <= self.day):
            if not self.covered(o.currency):
                self._move("payout_transit", "available", o.amount, o.currency)
                o.state = "failed"
                return
            o.state, o.sent = "sent", self.day
            theirs = {"now": "paid", "later": "sent", "lost": "sent", "refused": "failed"}[o.token]
            self.hear_payout(i, theirs)

    def hear_payout(self, i: int, theirs: str) -> None:
        o = self.outs[i]
        if o.state == "sent" and theirs == "paid":
            self._move("payout_transit", "clearing", o.amount, o.currency)
        elif o.state == "sent" and theirs == "failed":
            self._move("payout_transit", "available", o.amount, o.currency)
        elif o.state == "paid" and theirs == "failed":
            self._move("clearing", "available", o.amount, o.currency)
        else:
            return
        o.state = theirs

    def resolve_payout(self, i: int) -> bool:
        """Two people say that it was not paid."""
        o = self.outs[i]
        if o.state != "sent" or o.sent is None or self.day < o.sent + 1:
            return False
        self.hear_payout(i, "failed")
        return True

    def settle_late(self, i: int) -> bool:
        """Two people say that what failed was paid after all: what is not there any more is owed."""
        o = self.outs[i]
        if o.state != "failed" or o.sent is None:
            return False
        there = min(self.at["available", o.currency], o.amount)
        self._move("available", "clearing", there, o.currency)
        self._move("receivable", "clearing", o.amount - there, o.currency)
        self.owes[o.currency] += o.amount - there
        o.state = "paid"
        return True

    def send_back(self, i: int, amount: int) -> bool:
        payment = self.ins[i]
        begun = sum(b.amount for b in self.backs if b.payment == i and b.state != "failed")
        if payment.state != "succeeded" or begun + amount > payment.amount or self.at["wallet", payment.currency] < amount:
            return False
        self._move("wallet", "payout_transit", amount, payment.currency)
        self.backs.append(Out(amount, payment.currency, "created", payment=i))
        return True

    def hear_back(self, i: int, theirs: str) -> None:
        b = self.backs[i]
        if b.state in ("created", "pending") and theirs == "succeeded":
            self._move("payout_transit", "clearing", b.amount, b.currency)
        elif b.state in ("created", "pending") and theirs == "failed":
            self._move("payout_transit", "wallet", b.amount, b.currency)
        elif b.state == "succeeded" and theirs == "failed":
            self._move("clearing", "wallet", b.amount, b.currency)
        elif not (b.state == "created" and theirs == "pending"):
            return
        b.state = theirs

    # --- disputes with the bank
    def hear_taken(self, ref: str, i: int, amount: int, theirs: str, fee: int) -> None:
        payment = self.ins[i]
        if not payment.came:
            return
        t = self.taken.setdefault(ref, Taken(i, amount, payment.currency))
        if t.state == "inquiry" and theirs in ("open", "lost"):
            there = min(amount, self.at["wallet", t.currency])
            self._move("wallet", "clearing", there, t.currency)
            self._move("receivable", "clearing", amount - there, t.currency)
            t.state, t.owed, payment.state = "open", amount - there, "charged_back"
        if t.state in ("inquiry", "open") and theirs == "won":
            if t.state == "open":
                forgiven = min(t.owed, max(0, self.client_owes(t.currency)))
                self._move("clearing", "receivable", forgiven, t.currency)
                self._move("clearing", "wallet", amount - forgiven, t.currency)
            t.state = "won"
            if not any(o.payment == i and o.state in ("open", "lost") for o in self.taken.values()):
                payment.state = "succeeded"
        if t.state == "open" and theirs == "lost":
            t.state = "lost"
        self._move("provider_fees", "clearing", fee - t.fee, t.currency)
        t.fee = fee

    # --- time
    def sweep(self) -> None:
        """What the clocks do, in the order in which the test runs the tasks."""
        for i, p in enumerate(self.parts):
            if p.state == "submitted" and p.auto is not None and p.auto <= self.day and not p.ask:
                self.approve(i)
        due = sorted((p.ask.by, p.ask.number, i) for i, p in enumerate(self.parts) if p.ask and p.ask.by <= self.day)
        for _, _, i in due:
            ask = self.parts[i].ask
            if ask is not None and ask.to == "next" and self._next(i) is None:
                self._answered(self.parts[i], ANSWER)
            elif ask is not None:
                self._carry_out(i)
        for p in self.parts:
            if p.closing and p.closing[1] <= self.day:
                self._move("pending", "available", p.closing[0] + sum(n for n, _ in p.waiting), p.payee)
                p.closing, p.waiting = None, []
            self._move("pending", "available", sum(n for n, at in p.waiting if at <= self.day), p.payee)
            p.waiting = [(n, at) for n, at in p.waiting if at > self.day]
        for payee, net, at in self.bonuses:
            if at <= self.day:
                self._move("pending", "available", net, payee)
        self.bonuses = [b for b in self.bonuses if b[2] > self.day]
        for p in self.parts:
            if p.state in HELD and p.began + LIMIT <= self.day:
                self._empty(p)

    # --- what acts have in common
    def _next(self, i: int) -> Part | None:
        p = self.parts[i]
        later = [q for q in self.parts[i + 1 :] if q.contract == p.contract and q.state not in ENDED]
        if not later or later[0].state != "funded" or later[0].ask:
            return None
        young = later[0].began <= p.began or self.day < p.began + ALARM
        return later[0] if young else None

    def _spent(self, p: Part) -> bool:
        since = p.funded if p.submitted is None else p.submitted
        return sum(t >= since for t in p.asked) >= 3

    def _ask(self, p: Part, amount: int, to: str) -> None:
        self._asks += 1
        p.ask = Ask(to, amount, self.day + ANSWER, self._asks)
        p.asked_at = self.day
        p.asked.append(self.day)

    def _answered(self, p: Part, at_least: int) -> bool:
        if not p.ask:
            return False
        if p.auto is not None:
            p.auto = max(p.auto + self.day - p.asked_at, self.day + at_least)
        p.ask = None
        return True

    def _end(self, p: Part) -> None:
        if all(q.state in ENDED for q in self.parts if q.contract == p.contract):
            self.ended.setdefault(p.contract, self.day)
