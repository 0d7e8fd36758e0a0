"""Stripe: PaymentIntents, Connect transfers and payouts, disputes, signed webhooks. Card data never comes here: the browser's element
gives a token, or confirms the payment itself with the client secret.

A payout is a transfer to the payee's connected account and then a payout from there, each under a key of its own; our reference names all
three. When the payout fails the money lies on the connected account: it is fetched back by reversing the transfer before the failure is told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import stripe
import structlog
from django.utils.crypto import constant_time_compare

from marketplace.core.errors import InvalidInput, NotFound, Unavailable
from marketplace.core.money import Money

from . import stripe_reading as reading
from . import units
from .base import (
    Accepted,
    Capabilities,
    Capture,
    Card,
    Done,
    Fetched,
    FetchedDispute,
    FetchedPayee,
    FetchedRefund,
    Movement,
    Onboarding,
    Rejected,
    Result,
    Setup,
    Unknown,
    VerifiedEvent,
    codes,
    own_ref,
    readable,
)

log = structlog.get_logger(__name__)
API_VERSION = "2026-08-26.dahlia"
TIMEOUT = (5.0, 25.0)
#: Stripe keeps a key for a day at least, and then also answers with the error that the first call got
KEY_LIVES = timedelta(hours=23)

_PAYMENT_METHOD = re.compile(r"pm_[A-Za-z0-9_]{1,100}")
_ACCOUNT = re.compile(r"acct_[A-Za-z0-9]{1,60}")
#: the addresses that Stripe asks pages with its form to allow; without a publishable key there is no form
_FORM_SOURCES = {
    "script-src": ("https://js.stripe.com", "https://*.js.stripe.com"),
    "frame-src": ("https://js.stripe.com", "https://*.js.stripe.com", "https://hooks.stripe.com"),
    "connect-src": ("https://api.stripe.com",),
}
#: what we ask for when we look for events that did not arrive
_WANTED = [
    *(f"payment_intent.{what}" for what in ("succeeded", "payment_failed", "canceled", "amount_capturable_updated", "processing")),
    *(f"charge.dispute.{what}" for what in ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated")),
    *(f"refund.{what}" for what in ("created", "updated", "failed")),
    *(f"payout.{what}" for what in ("paid", "failed", "canceled")),
    *(f"setup_intent.{what}" for what in ("succeeded", "setup_failed", "canceled")),
    *(f"payment_method.{what}" for what in ("automatically_updated", "detached")),
]
# Stripe's presentment currencies that are also the house's; what an account can settle is the account's own matter
_CURRENCIES = codes(
    "AED AUD BGN BHD BRL CAD CHF CLP COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR ISK JOD JPY KES KRW KWD MAD MXN MYR NGN NOK NZD OMR PEN PHP"
    " PKR PLN QAR RON RSD SAR SEK SGD THB TND TRY TWD UAH UGX USD UYU VND ZAR"
)
_PAYEES = codes(
    "AE AT AU BE BG BR CA CH CY CZ DE DK EE ES FI FR GB GI GR HK HR HU IE IT JP LI LT LU LV MT MX MY NL NO NZ PL PT RO SE SG SI SK TH US"
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the environment gives. `webhook_secrets` are several while a secret is being replaced."""

    secret_key: str
    webhook_secrets: tuple[str, ...]
    path_token: str
    publishable_key: str = ""
    account: str = ""
    api: str = "https://api.stripe.com"
    return_url: str = ""

    @property
    def live(self) -> bool:
        return self.secret_key.startswith(("sk_live_", "rk_live_"))


def made_of(given: Mapping[str, str]) -> Stripe | None:
    """The gateway, or None unless the key, a webhook secret and the path's token are all there."""
    secrets = tuple(s for s in given.get("webhook_secrets", "").split(",") if s)
    if not (given.get("secret_key") and secrets and given.get("path_token")):
        return None
    more = {name: given[name] for name in ("publishable_key", "account", "api", "return_url") if given.get(name)}
    return Stripe(Credentials(given["secret_key"], secrets, given["path_token"], **more))


class Stripe:
    """See the module."""

    name = "stripe"

    def __init__(self, credentials: Credentials) -> None:
        self._own = credentials
        self._client = stripe.StripeClient(
            credentials.secret_key,
            stripe_version=API_VERSION,
            base_addresses={"api": credentials.api},
            # a second try is ours to decide, under the same key, after the operation row says that there was a first
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=TIMEOUT),
        )

    def capabilities(self) -> Capabilities:
        return Capabilities(
            pays_in=_CURRENCIES,
            pays_out=_CURRENCIES,
            payee_countries=_PAYEES,
            manual_capture=True,
            refunds=True,
            disputes=True,
            onboards=True,
            lists_events=True,
            lists_movements=True,
            saves_methods=True,
            tells_fees=True,
            payer_flow="element",
            payee_flow="onboarding",
            publishable_key=self._own.publishable_key,
            form_sources=_FORM_SOURCES if self._own.publishable_key else {},
        )

    # payments

    def create_payment(
        self, *, key: str, amount: Money, method: Mapping[str, Any], capture: Capture = "automatic", age: timedelta | None = None
    ) -> Result:
        token = method.get("payment_method")
        params: dict[str, Any] = {
            "amount": units.STRIPE.out(amount),
            "currency": amount.currency.lower(),
            "capture_method": capture,
            "transfer_group": own_ref(key),
            "metadata": {"openlance": own_ref(key), "flow": "token" if token else "element"},
            "automatic_payment_methods": {"enabled": True},
        }
        if token:
            params |= {"payment_method": token, "confirm": True}
            if method.get("customer"):
                params["customer"] = method["customer"]
            if self._own.return_url:
                params["return_url"] = self._own.return_url
            else:
                params["automatic_payment_methods"] = {"enabled": True, "allow_redirects": "never"}

        def known() -> Result | None:
            query: Any = {"query": f"metadata['openlance']:'{own_ref(key)}'"}
            found = self._client.v1.payment_intents.search(query).data
            return reading.payment_result(found[0]) if found else None

        return self._once(age, lambda: reading.payment_result(self._client.v1.payment_intents.create(params, self._options(key))), known)  # type: ignore[arg-type]

    def capture(self, *, key: str, ref: str, amount: Money) -> Result:
        params: Any = {"amount_to_capture": units.STRIPE.out(amount)}
        return self._call(lambda: reading.payment_result(self._client.v1.payment_intents.capture(ref, params, self._options(key))))

    def cancel(self, *, key: str, ref: str) -> Result:
        return self._call(lambda: Done(self._client.v1.payment_intents.cancel(ref, {}, self._options(key)).id))

    def fetch_payment(self, *, ref: str) -> Fetched | None:
        params: Any = {"expand": ["latest_charge.balance_transaction"]}
        found = self._fetch(lambda: self._client.v1.payment_intents.retrieve(ref, params))
        return None if found is None else reading.payment(found.to_dict())

    # refunds and disputes

    def refund(self, *, key: str, payment_ref: str, amount: Money, age: timedelta | None = None) -> Result:
        params: Any = {"payment_intent": payment_ref, "amount": units.STRIPE.out(amount), "metadata": {"openlance": own_ref(key)}}

        def known() -> Result | None:
            asked: Any = {"payment_intent": payment_ref, "limit": 100}
            there = self._client.v1.refunds.list(asked).auto_paging_iter()
            return next((reading.refund_result(r) for r in there if reading.own(r.to_dict()) == own_ref(key)), None)

        return self._once(age, lambda: reading.refund_result(self._client.v1.refunds.create(params, self._options(key))), known)

    def fetch_refund(self, *, ref: str) -> FetchedRefund | None:
        found = self._fetch(lambda: self._client.v1.refunds.retrieve(ref))
        return None if found is None else reading.refund(found.to_dict())

    def fetch_dispute(self, *, ref: str) -> FetchedDispute | None:
        found = self._fetch(lambda: self._client.v1.disputes.retrieve(ref))
        return None if found is None else reading.dispute(found.to_dict())

    # saved cards

    def create_customer(self, *, key: str) -> str:
        params: Any = {"metadata": {"openlance": own_ref(key)}}
        return str(self._told(lambda: self._client.v1.customers.create(params, self._options(key))).id)

    def save_method(self, *, key: str, customer: str, details: Mapping[str, Any]) -> Setup:
        params: Any = {
            "customer": customer,
            "usage": "off_session",
            "payment_method_types": ["card"],
            "metadata": {"openlance": own_ref(key)},
        }
        return self._setup(self._told(lambda: self._client.v1.setup_intents.create(params, self._options(key))))

    def fetch_setup(self, *, ref: str) -> Setup | None:
        found = self._fetch(lambda: self._client.v1.setup_intents.retrieve(ref))
        return None if found is None else self._setup(found)

    def _setup(self, intent: Any) -> Setup:
        data = intent.to_dict()
        if data["status"] == "succeeded":
            card = self.fetch_card(token=str(data["payment_method"]))
            return Setup(data["id"], "succeeded" if card else "failed", card, "" if card else "card_removed")
        if data["status"] == "canceled":
            return Setup(data["id"], "failed", None, "cancelled")
        error = data.get("last_setup_error") or {}
        failure = reading.declined(error.get("decline_code") or error.get("code")) if error else ""
        return Setup(data["id"], "pending", None, failure, {"kind": "stripe", "client_secret": str(data["client_secret"])})

    def fetch_card(self, *, token: str) -> Card | None:
        found = self._fetch(lambda: self._client.v1.payment_methods.retrieve(token))
        data = {} if found is None else found.to_dict()
        card = data.get("card") or {}
        if not data.get("customer"):
            return None
        return Card(
            data["id"], str(card.get("brand") or "")[:24], str(card.get("last4") or "")[:4], card.get("exp_month"), card.get("exp_year")
        )

    def saved_method(self, *, token: str, customer: str) -> dict[str, Any]:
        return {"payment_method": token, "customer": customer}

    def forget_method(self, *, token: str) -> None:
        try:
            self._client.v1.payment_methods.detach(token)
        except stripe.InvalidRequestError as e:
            # unknown, or detached before: fetched again, because other refusals are ours to hear of
            if self.fetch_card(token=token) is not None:
                raise _unavailable(e) from e
        except stripe.StripeError as e:
            raise _unavailable(e) from e

    # payees and payouts

    def onboard_payee(self, *, key: str, country: str, email: str, return_url: str, refresh_url: str, ref: str | None = None) -> Onboarding:
        try:
            if ref is None:
                account: Any = {
                    "country": country,
                    "email": email,
                    "metadata": {"openlance": own_ref(key)},
                    "capabilities": {"transfers": {"requested": True}},
                    "controller": {
                        "fees": {"payer": "application"},
                        "losses": {"payments": "application"},
                        "requirement_collection": "stripe",
                        "stripe_dashboard": {"type": "express"},
                    },
                    # we say when money goes to the bank, else a transfer could be swept away before our own payout
                    "settings": {"payouts": {"schedule": {"interval": "manual"}}},
                }
                ref = self._client.v1.accounts.create(account, self._options(key)).id
            asked: Any = {"account": ref, "type": "account_onboarding", "return_url": return_url, "refresh_url": refresh_url}
            link = self._client.v1.account_links.create(asked)
        except stripe.InvalidRequestError as e:
            raise InvalidInput(
                "onboarding_refused", "Stripe does not take payees with these details. Choose another way to be paid."
            ) from e
        except stripe.StripeError as e:
            raise _unavailable(e) from e
        return Onboarding(ref, link.url, datetime.fromtimestamp(link.expires_at, UTC))

    def fetch_payee(self, *, ref: str) -> FetchedPayee | None:
        try:
            found = self._fetch(lambda: self._client.v1.accounts.retrieve(ref))
        except Unavailable as e:
            if isinstance(e.__cause__, stripe.PermissionError):
                return None  # the payee took our access to the account away
            raise
        if found is None:
            return None
        data = found.to_dict()
        due = (data.get("requirements") or {}).get("currently_due") or []
        able = (data.get("capabilities") or {}).get("transfers") == "active"
        return FetchedPayee(data["id"], bool(able and data.get("payouts_enabled")), tuple(due))

    def prepare_payout(self) -> None:
        """Nothing is needed."""

    def pay_out(self, *, key: str, amount: Money, method: Mapping[str, Any], age: timedelta | None = None) -> Result:
        first = self._transfer(key, amount, str(method["account"]), age)
        if not isinstance(first, Done):
            return first
        second = self._payout(key, amount, str(method["account"]), first.ref, age)
        if not isinstance(second, Rejected):
            return second
        # refused for good, and the money is on the connected account: it comes back before anybody hears of the refusal
        return second if self._reverse(first.ref) else Unknown("transfer_not_reversed")

    def _transfer(self, key: str, amount: Money, account: str, age: timedelta | None) -> Result:
        params: Any = {
            "amount": units.STRIPE_PAYOUT.out(amount),
            "currency": amount.currency.lower(),
            "destination": account,
            "transfer_group": own_ref(key),
            "metadata": {"openlance": own_ref(key)},
        }

        def known() -> Result | None:
            asked: Any = {"transfer_group": own_ref(key), "limit": 1}
            found = self._client.v1.transfers.list(asked).data
            return Done(found[0].id) if found else None

        return self._once(age, lambda: Done(self._client.v1.transfers.create(params, self._options(f"{key}:transfer")).id), known)

    def _payout(self, key: str, amount: Money, account: str, transfer: str, age: timedelta | None) -> Result:
        params: Any = {
            "amount": units.STRIPE_PAYOUT.out(amount),
            "currency": amount.currency.lower(),
            "metadata": {"openlance": own_ref(key), "transfer": transfer},
        }
        there: Any = {"stripe_account": account}

        def known() -> Result | None:
            listed: Any = {"limit": 100}
            made = self._client.v1.payouts.list(listed, there).auto_paging_iter()
            return next((Accepted(f"{account}/{p.id}/{transfer}") for p in made if reading.own(p.to_dict()) == own_ref(key)), None)

        def create() -> Result:
            options: Any = {**self._options(f"{key}:payout"), **there}
            return Accepted(f"{account}/{self._client.v1.payouts.create(params, options).id}/{transfer}")

        return self._once(age, create, known)

    def fetch_payout(self, *, ref: str) -> Fetched | None:
        account, payout, transfer = ref.split("/")
        options: Any = {"stripe_account": account}
        found = self._fetch(lambda: self._client.v1.payouts.retrieve(payout, {}, options))
        if found is None:
            return None
        data = found.to_dict()
        amount = units.STRIPE_PAYOUT.back(data["amount"], data["currency"].upper())
        if data["status"] == "paid":
            return Fetched(ref, "paid", amount, own_ref=reading.own(data))
        if data["status"] in ("failed", "canceled"):
            back = self._reverse(transfer)
            code = str(data.get("failure_code") or data["status"])
            return Fetched(ref, "failed" if back else "sent", amount, code if back else "", own_ref=reading.own(data))
        return Fetched(ref, "sent", amount, own_ref=reading.own(data))

    def _reverse(self, transfer: str) -> bool:
        """Fetch a whole transfer back; whether it is back now."""
        result = self._call(lambda: Done(self._client.v1.transfers.reversals.create(transfer, {}, self._options(f"{transfer}:reverse")).id))
        if isinstance(result, Done):
            return True
        found = self._fetch(lambda: self._client.v1.transfers.retrieve(transfer))
        return found is not None and bool(found.reversed)

    # what comes from outside

    def check_method(self, method: Mapping[str, Any], *, purpose: Literal["payment", "payout"]) -> dict[str, Any]:
        if purpose == "payout":
            account = method.get("account")
            if isinstance(account, str) and _ACCOUNT.fullmatch(account):
                return {"account": account}
            raise InvalidInput("method_unknown", "Connect a Stripe account first.", {"method.account": ["Not a connected account."]})
        token = method.get("payment_method")
        if token is None and method.get("token") in (None, "element"):
            return {"token": "element"}
        if isinstance(token, str) and _PAYMENT_METHOD.fullmatch(token):
            return {"payment_method": token}
        raise InvalidInput(
            "method_unknown",
            "Send the payment method that Stripe's form in the browser made; never card data.",
            {"method.payment_method": ["Not a payment method of Stripe."]},
        )

    def check_amount(self, amount: Money, *, purpose: Literal["payment", "payout"]) -> None:
        if amount.currency not in _CURRENCIES:
            raise InvalidInput("currency_not_supported", f"Stripe does not move {amount.currency} here. Choose another way to pay.")
        (units.STRIPE if purpose == "payment" else units.STRIPE_PAYOUT).out(amount)

    def payable(self, amount: Money) -> Money:
        return units.STRIPE.up(amount)

    def movable(self, amount: Money, *, purpose: Literal["payment", "payout"]) -> Money:
        return (units.STRIPE if purpose == "payment" else units.STRIPE_PAYOUT).down(amount)

    def parse_webhook(self, *, raw_body: bytes, headers: Mapping[str, str], path_token: str, remote_ip: str = "") -> VerifiedEvent:
        if not constant_time_compare(path_token, self._own.path_token):
            raise NotFound("webhook")
        reading.verify(raw_body, headers.get("Stripe-Signature", ""), self._own.webhook_secrets)
        try:
            body = json.loads(raw_body)
        except (ValueError, RecursionError) as e:
            raise InvalidInput("webhook_unreadable", "The body is not JSON.") from e
        return reading.event(body, live=self._own.live, account=self._own.account)

    def missed_events(self, *, since: datetime) -> Iterator[VerifiedEvent]:
        params: Any = {"created": {"gte": int(since.timestamp())}, "limit": 100, "types": _WANTED}
        try:
            listed = (json.loads(str(found)) for found in self._client.v1.events.list(params).auto_paging_iter())
            yield from readable(self.name, listed, lambda body: reading.event(body, live=self._own.live, account=self._own.account))
        except stripe.StripeError as e:
            raise _unavailable(e) from e

    def balances(self) -> dict[str, Money]:
        try:
            found = self._client.v1.balance.retrieve().to_dict()
        except stripe.StripeError as e:
            raise _unavailable(e) from e
        sums: dict[str, int] = {}
        for part in (*found["available"], *found["pending"]):
            sums[part["currency"]] = sums.get(part["currency"], 0) + part["amount"]
        return {currency.upper(): reading.money(minor, currency) for currency, minor in sums.items()}

    def movements(self, *, since: datetime) -> Iterator[Movement]:
        # with its source a movement says which payment of ours it is about
        params: Any = {"created": {"gte": int(since.timestamp())}, "limit": 100, "expand": ["data.source"]}
        try:
            for found in self._client.v1.balance_transactions.list(params).auto_paging_iter():
                yield reading.movement(json.loads(str(found)))
        except stripe.StripeError as e:
            raise _unavailable(e) from e

    # the wire

    def _once(self, age: timedelta | None, create: Callable[[], Result], known: Callable[[], Result | None]) -> Result:
        """Create under the same key; what was created when the key may be forgotten, or answers only with an error, is looked for."""

        def seen() -> Result:
            return known() or Unknown("not_found")

        if age is not None and age > KEY_LIVES:
            found = self._call(seen)
            if found != Unknown("not_found"):
                return found
        result = self._call(create)
        if age is not None and isinstance(result, Unknown):
            found = self._call(seen)
            return result if isinstance(found, Unknown) else found
        return result

    @staticmethod
    def _options(key: str) -> Any:
        return {"idempotency_key": key}

    @staticmethod
    def _call(call: Callable[[], Result]) -> Result:
        """The call's result; what Stripe raises becomes one. Only what says that nothing happened is a refusal."""
        try:
            return call()
        except stripe.CardError as e:
            intent = getattr(e.error, "payment_intent", None)
            return Rejected(reading.declined(getattr(e.error, "decline_code", None) or e.code), getattr(intent, "id", None))
        except stripe.InvalidRequestError as e:
            log.warning("stripe_refused", code=e.code, param=e.param, request=e.request_id)
            return Rejected((e.code or "gateway_refused")[:64])
        except (stripe.StripeError, ValueError) as e:
            # no or no readable answer, a fault of theirs, a key in use, a wrong key of ours: nobody knows, or nobody has asked yet
            log.warning("stripe_unknown", kind=type(e).__name__, request=getattr(e, "request_id", None))
            return Unknown(type(e).__name__)

    @staticmethod
    def _told(call: Callable[[], Any]) -> Any:
        """What the call made, where there is nothing to go on without it."""
        try:
            return call()
        except stripe.StripeError as e:
            raise _unavailable(e) from e

    @staticmethod
    def _fetch(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except stripe.InvalidRequestError as e:
            if e.http_status == 404:
                return None
            raise _unavailable(e) from e
        except stripe.StripeError as e:
            raise _unavailable(e) from e


def _unavailable(e: stripe.StripeError) -> Unavailable:
    log.warning("stripe_unavailable", kind=type(e).__name__, request=e.request_id)
    return Unavailable("gateway_unavailable", "Stripe does not answer at the moment. Try again in a few minutes.")
