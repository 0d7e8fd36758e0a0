"""Payment gateways behind one protocol (providers.base). One is there when settings.PAYMENT_PROVIDERS lets it in and the environment gave
its credentials (settings.PAYMENT_CREDENTIALS); without them it does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal

from django.conf import settings

from marketplace.core.errors import InvalidInput, NotFound

from . import mpesa, paypal, stripe
from .base import Gateway
from .sandbox import Challenge, Sandbox, challenge, challenge_answer

#: name → how to make it of its credentials; None when something is missing
_MAKERS: dict[str, Callable[[Mapping[str, str]], Gateway | None]] = {
    Sandbox.name: lambda _: Sandbox(),
    stripe.Stripe.name: stripe.made_of,
    paypal.PayPal.name: paypal.made_of,
    mpesa.Mpesa.name: mpesa.made_of,
}


@lru_cache(maxsize=32)
def _made(name: str, credentials: frozenset[tuple[str, str]]) -> Gateway | None:
    return _MAKERS[name](dict(credentials))


def gateways() -> dict[str, Gateway]:
    """name → gateway, of those that this installation has, by name."""
    there = {}
    for name in sorted(_MAKERS.keys() & set(settings.PAYMENT_PROVIDERS)):
        made = _made(name, frozenset(settings.PAYMENT_CREDENTIALS.get(name, {}).items()))
        if made is not None:
            there[name] = made
    return there


def gateway(name: str) -> Gateway:
    """The gateway of that name. Raises InvalidInput("provider_unknown") for one that this installation does not have."""
    here = gateways()
    if name not in here:
        known = f"Use one of: {', '.join(here)}." if here else "None is set up yet."
        raise InvalidInput("provider_unknown", f"{name!r} is not a payment provider here. {known}", {"provider": ["Unknown."]})
    return here[name]


def card_form_sources() -> dict[str, tuple[str, ...]]:
    """directive → the addresses from which the gateways' own forms load; empty where no gateway has a form in the page."""
    found: dict[str, tuple[str, ...]] = {}
    for there in gateways().values():
        for directive, sources in there.capabilities().form_sources.items():
            found[directive] = (*found.get(directive, ()), *sources)
    return found


def sandbox_challenge(*, ref: str) -> Challenge:
    """A question that the sandbox asks a payer. Raises NotFound, also where there is no sandbox."""
    if Sandbox.name not in gateways():
        raise NotFound("challenge")
    return challenge(ref)


def sandbox_answer(*, ref: str, agrees: bool) -> Challenge:
    """The payer's answer. The same again changes nothing, another one is a Conflict. Raises NotFound as sandbox_challenge."""
    sandbox_challenge(ref=ref)
    return challenge_answer(ref, agrees=agrees)


def offered(*, country: str, currency: str, purpose: Literal["payment", "payout"]) -> list[str]:
    """The gateways that somebody of that country can use for that currency, by name. An unknown country is offered only what asks for none."""
    found = []
    for name, there in gateways().items():
        able = there.capabilities()
        currencies, countries = (able.pays_in, able.payer_countries) if purpose == "payment" else (able.pays_out, able.payee_countries)
        if currency in currencies and (not countries or country in countries):
            found.append(name)
    return found
