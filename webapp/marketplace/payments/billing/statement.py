"""A statement as PDF, in the style of the invoices: for each currency the balances at both ends and every line between."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from marketplace.core.errors import InvalidInput
from marketplace.core.money import Money

from .. import levies, statements
from ..models import Account
from ..statements import StatementLine, Wanted
from . import pdf, words
from .words import Words

#: more lines than a person reads; the CSV file has no such end
MOST_LINES = 1_000


def pdf_of(*, user_id: int, accounts: Sequence[Account], wanted: Wanted, language: str, now: datetime) -> bytes:
    """The statement over these accounts as PDF/A-3b. Raises InvalidInput("statement_too_long") beyond MOST_LINES, Unavailable without Pango."""
    page = _page(user_id, accounts, wanted, language, now)
    return pdf.render("payments/statement.html", page, key=f"statement:{user_id}:{wanted}:{now.isoformat()}").body


def _page(user_id: int, accounts: Sequence[Account], wanted: Wanted, language: str, now: datetime) -> dict[str, Any]:
    lines = statements.lines_before(accounts, wanted, before=None, limit=MOST_LINES + 1)
    if len(lines) > MOST_LINES:
        advice = f"A statement in PDF holds {MOST_LINES} lines: choose a shorter period, or take the CSV file."
        raise InvalidInput("statement_too_long", advice, {"from": [advice]})
    lines.reverse()
    say = words.of(language)
    until = min(wanted.until, now) if wanted.until is not None else now
    opening = statements.totals_at(accounts, wanted.since, strictly_before=True) if wanted.since is not None else {}
    closing = statements.totals_at(accounts, until, strictly_before=wanted.until is not None and wanted.until <= now)
    shown = sorted({line.account.currency for line in lines} | {c for c, m in closing.items() if m and wanted.currency in (None, c)})
    profile = levies.profiles_of([user_id])[user_id]
    who = {name: getattr(profile, name) for name in ("street", "postcode", "city", "country", "vat_id")}
    last = until - timedelta(microseconds=1) if wanted.until is not None and wanted.until <= now else until
    return {
        "language": say.language,
        "say": say.texts,
        "title": say("statement"),
        "period": f"{say.day(wanted.since)} – {say.day(last)}" if wanted.since else say("until_now").format(until=say.day(last)),
        "name": profile.legal_name,
        "address": [*pdf.address(who, say), *pdf.numbers(who, say)],
        "issued": say.day(now),
        "filtered": bool(wanted.kind or wanted.contract_id or wanted.account),
        "currencies": [_currency(c, [x for x in lines if x.account.currency == c], opening, closing, say) for c in shown],
        "foot": "Openlance",
    }


def _what(line: StatementLine, say: Words) -> str:
    """The kind of the entry; of a payment that went several ways also which part this is."""
    kind, leg = say.among("kinds", line.entry.kind), line.posting.leg
    return f"{kind}: {say.among('legs', leg)}" if leg in say.texts["legs"] and line.entry.kind != "provider_fee" else kind


def _currency(
    currency: str, lines: list[StatementLine], opening: dict[str, Money], closing: dict[str, Money], say: Words
) -> dict[str, Any]:
    nothing = Money(0, currency)
    came, went = (sum(x.change.minor for x in lines if (x.change.minor > 0) is positive) for positive in (True, False))
    return {
        "currency": currency,
        "title": say("all_accounts").format(currency=currency),
        "opening": say.money(opening.get(currency, nothing)),
        "closing": say.money(closing.get(currency, nothing)),
        "came": say.money(Money(came, currency)),
        "went": say.money(Money(went, currency)),
        "lines": [
            {
                "day": say.day(x.entry.occurred_at) if say.language == "de" else x.entry.occurred_at.strftime("%-d %b %Y"),
                "what": _what(x, say),
                "reason": x.entry.reason,
                "account": say.among("accounts", x.account.kind),
                "contract": f"{say('contract')} {x.entry.contract_id}" if x.entry.contract_id else "",
                "posting": x.posting.pk,
                "change": say.number(x.change),
                "balance": say.number(x.balance),
                "total": say.number(x.total),
            }
            for x in lines
        ],
    }
