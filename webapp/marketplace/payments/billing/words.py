"""What documents say, in each language: words, amounts, dates. Out of the frozen document only, so that it says the same for ever."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal, format_percent

from marketplace.core.checks import UNPRINTABLE
from marketplace.core.money import Money, exponent

from ..models import Document

FOLDER = Path(__file__).parent / "languages"
LANGUAGES = ("en", "de")
_LETTERS_AND_DIGITS = re.compile(r"([A-Z])(?=\d)")
_PROCESSORS = {"sandbox": "Sandbox", "stripe": "Stripe", "paypal": "PayPal", "mpesa": "M-Pesa"}


@dataclass(frozen=True, slots=True)
class Words:
    """One language: `say("total")` is its word, raising KeyError for an unknown one."""

    language: str
    texts: Mapping[str, Any]

    def __call__(self, name: str) -> str:
        return str(self.texts[name])

    def among(self, table: str, name: str) -> str:
        """The word of a table such as `kinds`; the name itself where there is none."""
        return str(self.texts[table].get(name, name.replace("_", " ")))

    def money(self, amount: Money) -> str:
        """The amount with its currency, as the language writes it, with all its decimals."""
        text = str(format_currency(amount.to_decimal(), amount.currency, locale=_LOCALES[self.language], currency_digits=True))
        # a currency without a sign of its own is written by its letters: those stand apart from the digits
        return _LETTERS_AND_DIGITS.sub("\\1\N{NO-BREAK SPACE}", text)

    def number(self, amount: Money) -> str:
        """The amount without its currency."""
        places = exponent(amount.currency)
        return str(
            format_decimal(amount.to_decimal(), format="#,##0" + ("." + "0" * places if places else ""), locale=_LOCALES[self.language])
        )

    def percent(self, bps: int) -> str:
        return str(
            format_percent(Decimal(bps).scaleb(-4), format="#,##0.##%" if self.language == "en" else "#,##0.## %", locale=self.language)
        )

    def rate(self, rate: str) -> str:
        """An exchange rate, six places at most: the exact one is in the document's data."""
        return str(format_decimal(Decimal(rate), format="#,##0.00####", locale=_LOCALES[self.language]))

    def day(self, at: datetime | date | str) -> str:
        value = datetime.fromisoformat(at) if isinstance(at, str) else at
        return str(format_date(value, format="long" if self.language == "en" else "dd.MM.yyyy", locale=_LOCALES[self.language]))

    def country(self, code: str) -> str:
        return str(Locale(self.language).territories.get(code, code))


#: a day before its month, as everywhere in Europe
_LOCALES = {"en": "en_GB", "de": "de_DE"}


@lru_cache(maxsize=8)
def of(language: str) -> Words:
    """The words of a language; of English for one that we do not have."""
    known = language if language in LANGUAGES else LANGUAGES[0]
    return Words(known, tomllib.loads((FOLDER / f"{known}.toml").read_text()))


def readable(document: Document) -> Document:
    """A copy whose texts can stand on a page and in XML: a character that neither can hold, frozen before such were refused, becomes U+FFFD."""
    made = copy(document)
    made.content = _readable(document.content)
    return made


def _readable(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _readable(v) for name, v in value.items()}
    if isinstance(value, list):
        return [_readable(v) for v in value]
    return UNPRINTABLE.sub("\ufffd", value) if isinstance(value, str) else value


def title(document: Document, say: Words) -> str:
    if document.about == Document.About.CARD_REFUND:
        return say("card_refund_receipt")
    return say(document.kind)


def line(document: Document, item: Mapping[str, Any], say: Words) -> str:
    """What a line is for."""
    content = document.content
    known: dict[str, str] = {"subject": content["subject"] or say("work_untitled").format(contract=document.contract_id)}
    if item["what"] == "fee":
        known["percent"] = say.percent(content["fee_bps"])
    if item["what"] in ("fee", "client_fee"):
        known["gross"] = say.money(Money(content["gross_minor"], document.currency))
    return say(f"line_{item['what']}").format(**known)


def tax_reason(document: Document, say: Words) -> str:
    return say(f"reason_{document.content['tax']['reason']}") if document.content["tax"] else ""


def _paid_by(content: Mapping[str, Any], say: Words) -> str:
    return say("paid_from_wallet" if "from_wallet" in content else "deducted").format(date=say.day(content["supplied_at"]))


def notes(document: Document, say: Words) -> list[str]:
    """What stands below the sums: the tax's reason, who issued it, how it was paid."""
    content, about, credit = document.content, Document.About, document.kind == Document.Kind.CREDIT_NOTE
    processor = _PROCESSORS.get(content.get("processor", ""), content.get("processor", ""))
    found = [
        tax_reason(document, say),
        say("on_behalf") if document.about == about.WORK else "",
        _paid_by(content, say) if document.about == about.FEE and not credit else "",
        say("fee_refunded_wallet" if "to_wallet" in content else "fee_refunded") if credit else "",
        say("reason").format(reason=content["reason"]) if content.get("reason") else "",
        say("work_paid") if document.about == about.WORK else "",
        say("deposit_by").format(processor=processor) if document.about == about.DEPOSIT else "",
        say("card_refund_by").format(processor=processor) if document.about == about.CARD_REFUND else "",
        say("schedule_by_contract" if "fee_terms" in content else "schedule").format(schedule=content["fee_schedule"])
        if "fee_schedule" in content
        else "",
    ]
    own = content.get("seller_currency")
    if own:
        said = {"currency": own["currency"], "amount": say.money(Money(own["minor"], own["currency"])), "base": document.currency}
        source = say.among("sources", own["source"].split(":")[0])
        found.append(say("own_currency").format(**said, rate=say.rate(own["rate"]), source=source, date=say.day(own["as_of"])))
    return [text for text in found if text]
