"""The currency in which money in USD is read: chosen on a page, kept in session and address, so the same on the next page and for whom it is sent to.

Belongs here: the choice, and how an amount is written in it. Does not: rates and rounding (pipelines.marts_reader.currencies).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Context, Decimal

import streamlit as st
from babel.numbers import get_currency_symbol

from dashboards.queries import currencies
from pipelines.marts_reader import Published
from pipelines.marts_reader.currencies import Currency, convert

#: its name in the address: ?currency=EUR
KEY = "currency"
#: in the session: what was chosen last, and the choice on the page
KEPT, CHOICE = "currency", "currency-choice"

#: from that power of ten on an estimate is told in so many
LARGE = ((12, "T"), (9, "B"), (6, "M"))


@dataclass(frozen=True, slots=True)
class Reading:
    """How money in USD is told: in `currency`, at `rate`, its minor units for one US cent, the newest one known, which holds from `since` on.

    `days_old` is set when the marketplace would not move money at it any more.
    """

    currency: Currency
    rate: Decimal
    since: date
    days_old: int | None = None

    @property
    def is_estimate(self) -> bool:
        """Whether figures are converted at all."""
        return self.currency.code != "USD"

    @property
    def terms(self) -> str:
        """ "1 USD = 0.9213 EUR, the newest rate (27 Nov 2026)", and that it is old when it is; five digits of the rate."""
        a_dollar = (self.rate * 100).scaleb(-self.currency.exponent)
        shown = Context(prec=5).create_decimal(a_dollar).normalize()
        old = "" if self.days_old is None else f", **an old one, of {self.days_old:,} days ago**"
        return f"1 USD = {shown:,f} {self.currency.code}, the newest rate ({self.since:%d %b %Y}){old}"

    @property
    def sign(self) -> str:
        """What stands before an amount: "$", "€", "KWD "."""
        sign = str(get_currency_symbol(self.currency.code, locale="en"))
        return f"{sign} " if sign[-1].isalpha() else sign

    @property
    def told(self) -> str:
        """For the line that says what money is told in: "US dollars", or "≈ estimated in EUR at 1 USD = …"."""
        return f"≈ estimated in {self.currency.code} at {self.terms}" if self.is_estimate else "US dollars"

    def text(self, usd_minor: float, *, exact: bool = False) -> str:
        """ "$12,345" for US cents. Converted it is "≈ €11,374", or "≈ ¥21.62M" from a million on, so that it fits a phone's card.

        Whole units; with `exact` all decimals that the currency has.
        """
        minor = convert(int(usd_minor), self.rate) or 0
        units = abs(Decimal(minor).scaleb(-self.currency.exponent))
        written = f"{units:,.{self.currency.exponent if exact else 0}f}"
        if self.is_estimate and not exact:
            power, name = next(((power, name) for power, name in LARGE if units >= Decimal(10) ** power), (0, ""))
            written = f"{Context(prec=4).create_decimal(units.scaleb(-power)).normalize():,f}{name}" if power else written
        return f"{'≈ ' if self.is_estimate else ''}{'−' if minor < 0 else ''}{self.sign}{written}"

    def units(self, usd: float) -> float:
        """Dollars in units of the currency, for an axis."""
        return float(Decimal(convert(round(usd * 100), self.rate) or 0).scaleb(-self.currency.exponent))


US_DOLLARS = Reading(Currency("USD", "US Dollar", 2), Decimal(1), date.min)


def titled(marts: Published, title: str) -> Reading:
    """The title of a page with money, and beside it the choice among the publication's own rates. Without a rate money stays in US dollars, and
    the page says so.
    """
    by_code = {currency.code: currency for currency in currencies.known(marts)} or {"USD": US_DOLLARS.currency}
    # going to another page empties the address
    asked = str(st.query_params.get(KEY) or st.session_state.get(KEPT, "USD")).upper()
    st.session_state[CHOICE] = asked if asked in by_code else "USD"
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        st.title(title, anchor=False, width="content")
        code = st.selectbox(
            "Money in",
            list(by_code),
            key=CHOICE,
            on_change=_chosen,
            filter_mode="contains",
            format_func=lambda code: f"{code} · {by_code[code].name}",
            width=260,
        )
    if asked not in by_code:
        name = asked if asked.isalpha() and len(asked) == 3 else "what the address names"
        st.warning(f"No rate is known for {name}: money is in US dollars.", icon=":material/currency_exchange:")
    else:
        _keep(code)
    if len(by_code) == 1:
        st.caption("This publication has no rate to another currency.")
    return reading(marts, by_code[code])


def _chosen() -> None:
    _keep(st.session_state[CHOICE])


def _keep(code: str) -> None:
    """In the session for its next page, and in the address for a reload and for others; US dollars need no word there."""
    st.session_state[KEPT] = code
    if code != "USD":
        st.query_params[KEY] = code
    elif KEY in st.query_params:
        del st.query_params[KEY]


def reading(marts: Published, currency: Currency) -> Reading:
    """At the newest rate of the publication."""
    if currency.code == "USD":
        return US_DOLLARS
    since, _, rate = currencies.rates(marts, currency.code).spans[-1]
    return Reading(currency, rate, since, days_old(since, currencies.good_until(marts, currency.code), datetime.now(UTC).date()))


def days_old(since: date, good_until: date | None, today: date) -> int | None:
    """The age of a rate whose last day is over; None while it is not, or not known."""
    return (today - since).days if good_until and today > good_until else None
