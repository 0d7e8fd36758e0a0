"""Documents out of entries of the ledger: once each, numbered without gaps, with every amount taken from postings that the document names.

The platform supplies its service to the freelancer and invoices its fee. The freelancer supplies work to the client: that invoice is made in the
freelancer's name (Directive 2006/112/EC, Art. 224), in a series of their own. What a client pays in or gets back is no supply: a receipt.
A number is taken from the locked row of its series in the transaction that writes the document, so that one that fails leaves no gap. The file is
made later, out of what was frozen here, so that no lock waits for a page to be laid out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from babel.numbers import get_territory_currencies
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, Sum

from marketplace.accounts.selectors import users_by_id
from marketplace.core import clock, ports
from marketplace.core.errors import InvalidInput
from marketplace.core.money import exponent
from marketplace.core.transactions import unit_of_work

from .. import fee_tiers, fees, fx, levies, taxes
from ..models import Document, Entry, Posting, Series, TaxProfile

PLATFORM = "platform"
LANGUAGES = ("en", "de")
BATCH = 500
Kind, About = Document.Kind, Document.About
#: kind of document → the letters of its series
PREFIXES = {Kind.INVOICE: "INV", Kind.CREDIT_NOTE: "CRN", Kind.RECEIPT: "RCP"}
#: legs by which a payer parts with the gross
_GROSS = ("net", "fx_out", "fee", "tax", "withheld")
#: legs by which a payee gets the net; none where it shrank to nothing
_REACHED = ("net", "fx_in")


@dataclass(frozen=True, slots=True)
class _Draft:
    """A document before it has its number."""

    kind: str
    about: str
    issuer_id: int | None
    recipient_id: int
    lines: list[dict[str, Any]]
    tax: dict[str, Any]
    currency: str
    more: dict[str, Any]
    corrects: Document | None = None

    @property
    def issuer_key(self) -> str:
        return PLATFORM if self.issuer_id is None else f"user:{self.issuer_id}"


@unit_of_work
def documents_issue(*, entry_id: int) -> list[Document]:
    """Write the documents that the entry calls for and that are not there yet; returns the new ones. Safe to call any number of times."""
    entry = Entry.objects.get(pk=entry_id)
    make = _MAKERS.get(entry.kind)
    if make is None:
        return []
    there = set(Document.objects.filter(entry=entry).values_list("about", flat=True))
    postings = list(Posting.objects.filter(entry=entry).select_related("debit_account", "credit_account").order_by("line_no"))
    issued = []
    # the platform's series before a freelancer's, so that two workers wait for each other instead of deadlocking
    for draft in sorted((d for d in make(entry, postings) if d.about not in there), key=lambda d: d.issuer_id is not None):
        document = _write(entry, draft)
        if document is not None:
            issued.append(document)
    return issued


def documents_of_subject(*, subject_type: str, subject_id: int) -> int:
    """Issue what the entries of a milestone, bonus or payment call for; how many documents are new."""
    entries = Entry.objects.filter(subject_type=subject_type, subject_id=subject_id, kind__in=_MAKERS)
    return sum(len(documents_issue(entry_id=i)) for i in entries.order_by("id").values_list("id", flat=True))


def documents_missing(limit: int = BATCH) -> list[int]:
    """The oldest entries that call for a document and have none: what a lost event left behind. Pay that reached nobody calls for none."""
    there = Document.objects.filter(entry=OuterRef("pk"))
    reached = Posting.objects.filter(entry=OuterRef("pk"), leg__in=_REACHED)
    wanted = Entry.objects.filter(~Q(kind__in=("release", "settle", "bonus")) | Exists(reached), kind__in=_MAKERS)
    return list(wanted.filter(~Exists(there)).order_by("id").values_list("id", flat=True)[:limit])


def _write(entry: Entry, draft: _Draft) -> Document | None:
    series = _series_locked(draft.issuer_key, PREFIXES[Kind(draft.kind)])
    if Document.objects.filter(entry=entry, about=draft.about).exists():
        return None  # somebody else wrote it while we waited for the series
    series.last += 1
    series.save(update_fields=["last"])
    people = [i for i in (draft.issuer_id, draft.recipient_id) if i is not None]
    profiles = levies.profiles_of(people)
    net, tax = (sum(line[name] for line in draft.lines) for name in ("net_minor", "tax_minor"))
    language = users_by_id([draft.recipient_id])[draft.recipient_id].language.split("-")[0]
    now = clock.now()
    head = f"F{draft.issuer_id}-" if draft.issuer_id is not None else ""
    return Document.objects.create(
        kind=draft.kind,
        about=draft.about,
        issuer_key=draft.issuer_key,
        prefix=series.prefix,
        number=series.last,
        label=f"{head}{series.prefix}-{series.last:06d}",
        issuer_id=draft.issuer_id,
        recipient_id=draft.recipient_id,
        entry=entry,
        corrects=draft.corrects,
        contract_id=entry.contract_id,
        currency=draft.currency,
        net_minor=net,
        tax_minor=tax,
        total_minor=net + tax,
        tax_category=draft.tax.get("category", ""),
        tax_rate_bps=draft.tax.get("rate_bps", 0),
        language=language if language in LANGUAGES else LANGUAGES[0],
        content={
            "issuer": _seller() if draft.issuer_id is None else _person(profiles[draft.issuer_id], draft.issuer_id),
            "recipient": _person(profiles[draft.recipient_id], draft.recipient_id),
            "supplied_at": entry.occurred_at.isoformat(),
            "subject": _subject(entry),
            "entry_id": entry.pk,
            "contract_id": entry.contract_id,
            "lines": draft.lines,
            "tax": draft.tax,
            **draft.more,
        },
        issued_at=now,
    )


def _series_locked(issuer_key: str, prefix: str) -> Series:
    rows = Series.objects.select_for_update().filter(issuer_key=issuer_key, prefix=prefix)
    found = rows.first()
    if found is not None:
        return found
    try:
        with transaction.atomic():
            Series.objects.create(issuer_key=issuer_key, prefix=prefix)
    except IntegrityError:
        pass  # a rival made it first
    return rows.get()


def _seller() -> dict[str, Any]:
    return {"key": PLATFORM, **{k: settings.SELLER[k] for k in _SELLER_FIELDS}}


_SELLER_FIELDS = ("name", "street", "postcode", "city", "country", "email", "vat_id", "company_number", "registrations")


def _person(profile: TaxProfile, user_id: int) -> dict[str, Any]:
    kept = ("street", "postcode", "city", "country", "vat_id")
    return {"key": f"user-{user_id}", "name": profile.legal_name, **{name: getattr(profile, name) for name in kept}}


def _subject(entry: Entry) -> str:
    """What the money was for, in the words of the app that owns it."""
    if entry.subject_type not in ("milestone", "bonus") or entry.subject_id is None:
        return ""
    return ports.subject_titles.first(subject_type=entry.subject_type, ids=[entry.subject_id]).get(entry.subject_id, "")


def _line(what: str, postings: Sequence[Posting], net: int, tax: int = 0) -> dict[str, Any]:
    return {"what": what, "net_minor": net, "tax_minor": tax, "posting_ids": [p.pk for p in postings]}


def _in_own_currency(minor: int, currency: str, own: str, on: datetime) -> dict[str, Any]:
    """Tax stated in the currency in which it is owed (Art. 230), by the day's rate without spread; empty when it is the same or there is no rate."""
    if not minor or not own or currency == own:
        return {}
    try:
        rate = fx.rate(currency, own, on=on.date())
    except InvalidInput:
        return {}
    amount = (Decimal(minor).scaleb(exponent(own) - exponent(currency)) * rate.rate).to_integral_value(ROUND_HALF_UP)
    return {
        "minor": int(amount),
        "currency": own,
        "rate": f"{rate.rate.normalize():f}",
        "source": rate.source,
        "as_of": rate.as_of.isoformat(),
    }


def _national(country: str) -> str:
    """The currency of the country; empty for none."""
    return next(iter(get_territory_currencies(country)), "") if country else ""


def _of_fee(tax: dict[str, Any]) -> str:
    """The currency in which the platform owes its tax: that of its own returns, the One-Stop-Shop among them, or of a country where it is registered too."""
    return _national(tax["country"]) if tax["reason"] == "registered_abroad" else str(settings.SELLER["currency"])


def _tax_on_fee(entry: Entry) -> dict[str, Any]:
    """The decision that the entry bore; an entry of a time without levies has its schedule's rate, or no tax."""
    if "levy" in entry.quote:
        return dict(entry.quote["levy"]["tax"])
    bps = fees.schedule(entry.quote["fee_schedule"]).tax_bps
    category, reason = ("S", "domestic") if bps else ("O", "not_registered")
    return {"table": "", "category": category, "country": settings.SELLER["country"], "rate_bps": bps, "reason": reason}


def _payee(postings: Sequence[Posting]) -> int | None:
    return next((p.credit_account.user_id for p in postings if p.leg in _REACHED), None)


def _payment(entry: Entry, postings: Sequence[Posting]) -> list[_Draft]:
    """A release, settlement or bonus: the platform's fee, and the freelancer's work."""
    payee = _payee(postings)
    legs = {p.leg: p for p in postings}
    paid = [p for p in postings if p.leg in _GROSS]
    payer = next((p.debit_account.user_id for p in paid), None)
    if payee is None or payer is None or not entry.gross_minor:
        return []
    currency = paid[0].currency
    drafts = []
    if "fee" in legs:
        of_fee = [legs[name] for name in ("fee", "tax") if name in legs]
        tax = legs["tax"].amount if "tax" in legs else 0
        fee_tax = _tax_on_fee(entry)
        more = {
            **_price_of(entry, legs["fee"].amount, currency),
            "gross_minor": entry.gross_minor,
            "seller_currency": _in_own_currency(tax, currency, _of_fee(fee_tax), entry.occurred_at),
        }
        line = _line("fee", of_fee, legs["fee"].amount, tax)
        drafts.append(_Draft(Kind.INVOICE, About.FEE, None, payee, [line], fee_tax, currency, more))
    profiles = levies.profiles_of([payee, payer])
    work_tax = _as_json(levies.on_work(profiles[payee], profiles[payer], entry.occurred_at.date()))
    tax = taxes.included(entry.gross_minor, work_tax["rate_bps"])
    what = "bonus" if entry.kind == "bonus" else "work"
    line = _line(what, paid, entry.gross_minor - tax, tax)
    more = {"seller_currency": _in_own_currency(tax, currency, _national(work_tax["country"]), entry.occurred_at)}
    drafts.append(_Draft(Kind.INVOICE, About.WORK, payee, payer, [line], work_tax, currency, more))
    return drafts


def _price_of(entry: Entry, fee: int, currency: str) -> dict[str, Any]:
    """The schedule and its percent; that of this payment, with what it comes from, where the fee goes by all that the contract paid."""
    schedule = fees.schedule(entry.quote["fee_schedule"])
    terms = fee_tiers.told(schedule, currency)
    if terms is None:
        return {"fee_schedule": schedule.version, "fee_bps": schedule.freelancer_fee_bps}
    effective = taxes.part_of(fee_tiers.BPS, fee, entry.gross_minor or 1)
    return {"fee_schedule": schedule.version, "fee_bps": effective, "fee_terms": {**terms, "before_minor": entry.quote["before"]}}


def _as_json(tax: taxes.Tax) -> dict[str, Any]:
    return {name: getattr(tax, name) for name in ("table", "category", "country", "rate_bps", "reason")}


def _fee_refund(entry: Entry, postings: Sequence[Posting]) -> list[_Draft]:
    """A fee given back to a freelancer."""
    return [] if entry.subject_id is None else _credit_note(entry, entry.subject_id, postings, "fee_refund", {})


def _credit_note(entry: Entry, of: int, postings: Sequence[Posting], what: str, also: Mapping[str, Any]) -> list[_Draft]:
    """A credit note about the invoice of the entry `of` that took the fee; the invoice is written first when it is not there."""
    documents_issue(entry_id=of)
    invoice = Document.objects.get(entry=of, about=About.FEE)
    legs = {p.leg: p.amount for p in postings}
    tax = legs.get("tax", 0)
    line = _line(what, postings, legs.get("fee", 0), tax)
    more = {
        **also,
        "reason": entry.reason,
        "corrects": {"label": invoice.label, "issued_at": invoice.issued_at.isoformat()},
        "seller_currency": _corrected(invoice, entry, tax),
    }
    return [
        _Draft(Kind.CREDIT_NOTE, About.FEE, None, invoice.recipient_id, [line], invoice.content["tax"], invoice.currency, more, invoice)
    ]


def _client_fee(entry: Entry, postings: Sequence[Posting]) -> list[_Draft]:
    """The platform's service to a client: what they paid on top of what they funded or gave."""
    legs = {p.leg: p for p in postings}
    if "fee" not in legs:
        return []
    posting, quote = legs["fee"], entry.quote
    tax, fee_tax = (legs["tax"].amount if "tax" in legs else 0), _tax_on_fee(entry)
    more = {
        "fee_schedule": quote["fee_schedule"],
        "gross_minor": quote["base"],
        "from_wallet": True,
        "seller_currency": _in_own_currency(tax, posting.currency, _of_fee(fee_tax), entry.occurred_at),
    }
    line = _line("client_fee", postings, posting.amount, tax)
    return [_Draft(Kind.INVOICE, About.FEE, None, int(posting.debit_account.user_id or 0), [line], fee_tax, posting.currency, more)]


def _client_fee_refund(entry: Entry, postings: Sequence[Posting]) -> list[_Draft]:
    """The share of a client's fee that went back with its money: a credit note, as of a freelancer's fee."""
    return _credit_note(entry, int(entry.quote["of"]), postings, "client_fee_refund", {"to_wallet": True})


def _corrected(invoice: Document, entry: Entry, tax: int) -> dict[str, Any]:
    """A credit note's tax in the currency in which the invoice's is owed: at the invoice's rate, and its parts sum to what the invoice told."""
    own = invoice.content.get("seller_currency")
    if not own or not tax:
        return {}
    same = Posting.objects.filter(entry__kind=entry.kind, entry__subject_type=entry.subject_type, entry__subject_id=entry.subject_id)
    earlier = same.filter(entry__lt=entry.pk, leg="tax")
    if entry.kind == "client_fee_refund":  # its subject is the milestone, of which several fees may have been taken
        earlier = earlier.filter(
            entry__in=[e.pk for e in Entry.objects.filter(pk__in=earlier.values("entry_id")) if e.quote["of"] == entry.quote["of"]]
        )
    done = int(earlier.aggregate(n=Sum("amount"))["n"] or 0)
    before, after = (taxes.part_of(own["minor"], n, invoice.tax_minor) for n in (done, done + tax))
    return {**own, "minor": after - before}


def _deposit(entry: Entry, postings: Sequence[Posting]) -> list[_Draft]:
    """Money that is in a wallet now: paid in, found to be the payer's, or sent back by the bank that should have had it."""
    (posting,) = postings
    payer = posting.credit_account.user_id
    line = _line("came_back" if entry.kind == "card_refund_return" else "deposit", postings, posting.amount)
    more = {"processor": posting.debit_account.processor}
    return [_Draft(Kind.RECEIPT, About.DEPOSIT, None, payer, [line], {}, posting.currency, more)] if payer is not None else []


def _card_refund(entry: Entry, postings: Sequence[Posting]) -> list[_Draft]:
    (posting,) = postings
    payer = posting.debit_account.user_id
    line = _line("card_refund", postings, posting.amount)
    more = {"processor": posting.credit_account.processor}
    return [_Draft(Kind.RECEIPT, About.CARD_REFUND, None, payer, [line], {}, posting.currency, more)] if payer is not None else []


_MAKERS: dict[str, Callable[[Entry, Sequence[Posting]], list[_Draft]]] = {
    **dict.fromkeys(("release", "settle", "bonus"), _payment),
    "fee_refund": _fee_refund,
    "client_fee": _client_fee,
    "client_fee_refund": _client_fee_refund,
    **dict.fromkeys(("deposit", "difference_credit", "card_refund_return"), _deposit),
    "card_refund_settle": _card_refund,
}
