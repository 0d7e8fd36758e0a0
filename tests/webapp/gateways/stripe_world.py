"""Stripe's stand-in: PaymentIntents, refunds, Connect, disputes and events, as far as our adapter uses them.

Unlike localstripe it keeps idempotency keys as Stripe does (with the error that the first call got), refuses over-refunds, and knows Connect.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from copy import deepcopy
from typing import Any
from urllib.parse import parse_qs

from .contract import _nested, document, folder
from .simulator import Request, World

SECRET_KEY = "sk_test_simulator"
WEBHOOK_SECRET = "whsec_simulator"
_DECLINES = {"pm_card_declined": "generic_decline", "pm_card_insufficient": "insufficient_funds", "pm_card_expired": "expired_card"}


class StripeWorld(World):
    """The simulated Stripe: `objects` by id, `balance` of the platform and of each connected account by currency."""

    def __init__(self) -> None:
        super().__init__([document("stripe/spec3-2026-08-26.dahlia.json.gz")])
        self.objects: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.keys: dict[str, tuple[str, int, Any]] = {}
        self.accounts_of: dict[str, str] = {}
        self.payout_refused = False
        self.refund_status = "succeeded"
        self._fixtures = json.loads((folder() / "stripe" / "fixtures3.json").read_text())["resources"]

    def new(self, kind: str, prefix: str, **values: Any) -> dict[str, Any]:
        made = deepcopy(self._fixtures[kind]) | {"id": f"{prefix}_{self.serial():06d}", "created": int(time.time()), **values}
        if "metadata" in made:
            made["metadata"] = values.get("metadata") or {}
        self.objects[made["id"]] = made
        return made

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [o for o in self.objects.values() if o["object"] == kind]

    # answers

    def answer(self, request: Request) -> tuple[int, Any]:
        if request.header("Authorization") != f"Bearer {SECRET_KEY}":
            return _error(401, "invalid_request_error", "", "Invalid API key")
        if request.header("Stripe-Version") != "2026-08-26.dahlia":
            self.breaches.append("the Stripe-Version is not that of the document")
        key = request.header("Idempotency-Key")
        account = request.header("Stripe-Account")
        scope = f"{account}:{key}"
        if key and scope in self.keys:
            before, status, answer = self.keys[scope]
            if before != f"{request.path}?{request.body.decode()}":
                return _error(400, "idempotency_error", "", "Keys can only be used with the same parameters")
            return status, deepcopy(answer)
        params = _nested(request.body.decode()) if request.method == "POST" else {k: v[0] for k, v in parse_qs(request.query).items()}
        try:
            status, answer = self._route(request.method, request.path.split("/")[2:], params, account)
        except KeyError:
            return _error(404, "invalid_request_error", "resource_missing", "No such object")
        if key:
            self.keys[scope] = (f"{request.path}?{request.body.decode()}", status, deepcopy(answer))
        return status, answer

    def _route(self, method: str, path: list[str], params: dict[str, Any], account: str) -> tuple[int, Any]:  # noqa: C901 (a table of routes)
        match (method, *path):
            case ("POST", "payment_intents"):
                return self._create_payment(params)
            case ("GET", "payment_intents", "search"):
                wanted = params["query"].split("'")[3]
                found = [o for o in self.of("payment_intent") if o["metadata"].get("openlance") == wanted]
                return 200, {"object": "search_result", "data": found, "has_more": False, "url": "/v1/payment_intents/search"}
            case ("GET", "payment_intents", ref):
                return 200, self._expanded(self.objects[ref])
            case ("POST", "payment_intents", ref, "capture"):
                return self._capture(self.objects[ref], int(params["amount_to_capture"]))
            case ("POST", "payment_intents", ref, "cancel"):
                return self._cancel(self.objects[ref])
            case ("POST", "refunds"):
                return self._refund(params)
            case ("GET", "refunds"):
                return 200, _list([r for r in self.of("refund") if r["payment_intent"] == params["payment_intent"]], "/v1/refunds")
            case ("POST", "customers"):
                return 200, deepcopy(self.new("customer", "cus", metadata=params.get("metadata")))
            case ("POST", "setup_intents"):
                return 200, self._setup(params)
            case ("POST", "payment_methods", ref, "detach"):
                return self._detach(self.objects[ref])
            case ("POST", "accounts"):
                return 200, self._account(params)
            case ("POST", "account_links"):
                link = deepcopy(self._fixtures["account_link"]) | {"expires_at": int(time.time()) + 300, "url": "https://connect.example/x"}
                return (200, link) if params["account"] in self.objects else _error(400, "invalid_request_error", "resource_missing", "no")
            case ("POST", "transfers"):
                return self._transfer(params)
            case ("GET", "transfers"):
                return 200, _list([t for t in self.of("transfer") if t["transfer_group"] == params["transfer_group"]], "/v1/transfers")
            case ("POST", "transfers", ref, "reversals"):
                return self._reverse(self.objects[ref])
            case ("POST", "payouts"):
                return self._payout(params, account)
            case ("GET", "payouts"):
                return 200, _list([p for p in self.of("payout") if self.accounts_of[p["id"]] == account], "/v1/payouts")
            case ("GET", "payouts", ref) if self.accounts_of[ref] != account:
                raise KeyError(ref)
            case ("GET", "balance"):
                return 200, self._balance()
            case ("GET", "balance_transactions"):
                since = int(params["created[gte]"])
                return 200, _list(
                    [self._sourced(m) for m in reversed(self.of("balance_transaction")) if m["created"] >= since],
                    "/v1/balance_transactions",
                )
            case ("GET", "events"):
                since = int(params["created[gte]"])
                return 200, _list([e for e in reversed(self.events) if e["created"] >= since], "/v1/events")
            case ("GET", _, ref):
                return 200, deepcopy(self.objects[ref])
        raise KeyError(path)

    def _create_payment(self, params: dict[str, Any]) -> tuple[int, Any]:
        made = self.new(
            "payment_intent",
            "pi",
            amount=int(params["amount"]),
            currency=params["currency"],
            capture_method=params.get("capture_method", "automatic"),
            metadata=params.get("metadata"),
            transfer_group=params.get("transfer_group"),
            canceled_at=None,
            last_payment_error=None,
            next_action=None,
            processing=None,
            shipping=None,
            transfer_data=None,
            amount_details={},
            managed_payments=None,
        )
        made["client_secret"] = f"{made['id']}_secret_x"
        token = params.get("payment_method")
        if params.get("confirm") == "true" and token:
            return self._confirm(made, token, params.get("customer"))
        return 200, deepcopy(made)

    def _confirm(self, intent: dict[str, Any], token: str, customer: str | None) -> tuple[int, Any]:
        saved = self.objects.get(token)
        if saved is not None and saved["customer"] != customer:
            return _error(400, "invalid_request_error", "payment_method_customer_mismatch", "The payment method is of another customer")
        if token in _DECLINES:
            error = {"type": "card_error", "code": "card_declined", "decline_code": _DECLINES[token], "message": "declined"}
            intent["last_payment_error"] = error
            self.event("payment_intent.payment_failed", intent)
            return 402, {"error": {**error, "payment_intent": deepcopy(intent)}}
        if token == "pm_card_3ds":
            intent |= {"status": "requires_action", "next_action": {"type": "use_stripe_sdk", "use_stripe_sdk": {}}}
            return 200, deepcopy(intent)
        self.pay(intent["id"])
        return 200, deepcopy(intent)

    def pay(self, ref: str) -> None:
        """The payer confirmed: the amount is taken, or reserved."""
        intent = self.objects[ref]
        intent |= {"next_action": None, "last_payment_error": None}
        if intent["capture_method"] == "manual":
            intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
            self.event("payment_intent.amount_capturable_updated", intent)
        else:
            self._take(intent, intent["amount"])

    def moved(self, kind: str, amount: int, currency: str, source: str | None, fee: int = 0) -> dict[str, Any]:
        """A movement of the platform's balance."""
        values = {"currency": currency, "fee": fee, "net": amount - fee, "type": kind, "source": source}
        return self.new("balance_transaction", "txn", amount=amount, **values)

    def _sourced(self, moved: dict[str, Any]) -> dict[str, Any]:
        return moved | {"source": self.objects.get(moved["source"] or "", moved["source"])}

    def _balance(self) -> dict[str, Any]:
        sums: dict[str, int] = {}
        for m in self.of("balance_transaction"):
            sums[m["currency"]] = sums.get(m["currency"], 0) + m["net"]
        answer = deepcopy(self._fixtures["balance"])
        answer["available"] = [{"amount": n, "currency": c} for c, n in sums.items()]
        answer["pending"] = [{"amount": 0, "currency": c} for c in sums]
        return answer

    def _take(self, intent: dict[str, Any], amount: int) -> None:
        fee = amount * 29 // 1000 + 30
        moved = self.moved("charge", amount, intent["currency"], None, fee)
        charge = self.new(
            "charge",
            "ch",
            amount=intent["amount"],
            amount_captured=amount,
            amount_refunded=0,
            currency=intent["currency"],
            payment_intent=intent["id"],
            balance_transaction=moved["id"],
            status="succeeded",
            paid=True,
            captured=True,
            refunded=False,
            disputed=False,
        )
        moved["source"], charge["metadata"] = charge["id"], dict(intent["metadata"])
        intent |= {"status": "succeeded", "amount_received": amount, "amount_capturable": 0, "latest_charge": charge["id"]}
        self.event("payment_intent.succeeded", intent)

    def _expanded(self, intent: dict[str, Any]) -> dict[str, Any]:
        out = deepcopy(intent)
        if out["latest_charge"]:
            charge = deepcopy(self.objects[out["latest_charge"]])
            charge["balance_transaction"] = deepcopy(self.objects[charge["balance_transaction"]])
            out["latest_charge"] = charge
        return out

    def _capture(self, intent: dict[str, Any], amount: int) -> tuple[int, Any]:
        if intent["status"] != "requires_capture" or amount > intent["amount_capturable"]:
            return _error(400, "invalid_request_error", "payment_intent_unexpected_state", "cannot be captured")
        self._take(intent, amount)
        return 200, deepcopy(intent)

    def _cancel(self, intent: dict[str, Any]) -> tuple[int, Any]:
        if intent["status"] in ("succeeded", "canceled"):
            return _error(400, "invalid_request_error", "payment_intent_unexpected_state", "cannot be canceled")
        intent |= {"status": "canceled", "canceled_at": int(time.time()), "next_action": None}
        self.event("payment_intent.canceled", intent)
        return 200, deepcopy(intent)

    def _setup(self, params: dict[str, Any]) -> dict[str, Any]:
        made = self.new(
            "setup_intent",
            "seti",
            customer=params["customer"],
            usage=params["usage"],
            metadata=params.get("metadata"),
            status="requires_payment_method",
            payment_method=None,
            last_setup_error=None,
            next_action=None,
        )
        made["client_secret"] = f"{made['id']}_secret_x"
        return deepcopy(made)

    def card_given(self, setup_ref: str, brand: str = "visa", last4: str = "4242") -> str:
        """The payer's browser gave a card, which the bank proved: it is attached to the customer."""
        setup = self.objects[setup_ref]
        made = self.new("payment_method", "pm", customer=setup["customer"], type="card")
        made["card"] |= {"brand": brand, "last4": last4, "exp_month": 8, "exp_year": 2031}
        setup |= {"status": "succeeded", "payment_method": made["id"]}
        self.event("setup_intent.succeeded", setup)
        return str(made["id"])

    def setup_fails(self, setup_ref: str) -> None:
        """The payer gave up."""
        self.objects[setup_ref]["status"] = "canceled"
        self.event("setup_intent.canceled", self.objects[setup_ref])

    def _detach(self, card: dict[str, Any]) -> tuple[int, Any]:
        if card["customer"] is None:
            return _error(400, "invalid_request_error", "payment_method_unexpected_state", "The payment method is not attached")
        card["customer"] = None
        self.event("payment_method.detached", card)
        return 200, deepcopy(card)

    def expire(self, ref: str) -> None:
        """A reserved amount was not captured in time."""
        self.objects[ref] |= {"status": "canceled", "cancellation_reason": "automatic", "canceled_at": int(time.time())}
        self.event("payment_intent.canceled", self.objects[ref])

    def _refund(self, params: dict[str, Any]) -> tuple[int, Any]:
        intent = self.objects[params["payment_intent"]]
        charge = self.objects[intent["latest_charge"] or ""]
        amount = int(params["amount"])
        if charge["amount_refunded"] + amount > charge["amount_captured"]:
            return _error(400, "invalid_request_error", "charge_already_refunded", "Refund amount is greater than unrefunded amount")
        charge["amount_refunded"] += amount
        made = self.new(
            "refund",
            "re",
            amount=amount,
            currency=intent["currency"],
            charge=charge["id"],
            payment_intent=intent["id"],
            status=self.refund_status,
            metadata=params.get("metadata"),
        )
        self.moved("refund", -amount, intent["currency"], made["id"])
        self.event("refund.created", made)
        return 200, deepcopy(made)

    def refund_fails(self, ref: str) -> None:
        """The payer's bank sends a refund back, also after it had succeeded."""
        refund = self.objects[ref]
        refund |= {"status": "failed", "failure_reason": "lost_or_stolen_card"}
        self.objects[refund["charge"]]["amount_refunded"] -= refund["amount"]
        self.moved("refund_failure", refund["amount"], refund["currency"], ref)
        self.event("refund.failed", refund)

    def dispute(self, payment_ref: str, amount: int | None = None) -> dict[str, Any]:
        """The payer's bank takes the money back, with a fee."""
        intent = self.objects[payment_ref]
        taken = amount or intent["amount_received"]
        moved = self.moved("adjustment", -taken, intent["currency"], None, 1500)
        made = self.new(
            "dispute",
            "dp",
            amount=taken,
            currency=intent["currency"],
            charge=intent["latest_charge"],
            payment_intent=payment_ref,
            status="needs_response",
            reason="fraudulent",
            balance_transactions=[],
        )
        moved["source"] = made["id"]
        made["balance_transactions"] = [deepcopy(moved)]
        self.event("charge.dispute.created", made)
        return made

    def decide(self, ref: str, status: str) -> None:
        """The bank decides a dispute: won gives the amount back, not the fee."""
        found = self.objects[ref]
        found["status"] = status
        if status == "won":
            back = self.moved("adjustment", found["amount"], found["currency"], ref)
            found["balance_transactions"] = [*found["balance_transactions"], deepcopy(back)]
        self.event("charge.dispute.closed", found)

    def _account(self, params: dict[str, Any]) -> dict[str, Any]:
        made = {
            "id": f"acct_{self.serial():06d}",
            "object": "account",
            "country": params["country"],
            "email": params.get("email"),
            "payouts_enabled": False,
            "requirements": {"currently_due": ["external_account", "individual.dob.day"]},
            "capabilities": {"transfers": "inactive"},
            "metadata": params.get("metadata") or {},
        }
        self.objects[made["id"]] = made
        return deepcopy(made)

    def onboarded(self, ref: str) -> None:
        """The payee gave Stripe everything it asks for."""
        done = {"requirements": {"currently_due": []}, "capabilities": {"transfers": "active"}}
        self.objects[ref] |= {"payouts_enabled": True, **done}
        self.event("account.updated", self.objects[ref], account=ref)

    def asks_for_more(self, ref: str, what: str = "individual.verification.document") -> None:
        """Stripe stops paying out until the payee has given it."""
        self.objects[ref] |= {"payouts_enabled": False, "requirements": {"currently_due": [what]}}
        self.event("account.updated", self.objects[ref], account=ref)

    def _transfer(self, params: dict[str, Any]) -> tuple[int, Any]:
        if params["destination"] not in self.objects:
            return _error(400, "invalid_request_error", "resource_missing", "No such destination")
        values = {k: params.get(k) for k in ("destination", "transfer_group", "metadata")}
        made = self.new("transfer", "tr", amount=int(params["amount"]), currency=params["currency"], **values)
        self.moved("transfer", -made["amount"], made["currency"], made["id"])
        return 200, deepcopy(made)

    def _reverse(self, transfer: dict[str, Any]) -> tuple[int, Any]:
        if transfer["reversed"]:
            return _error(400, "invalid_request_error", "transfer_already_reversed", "already reversed")
        transfer |= {"reversed": True, "amount_reversed": transfer["amount"]}
        made = self.new("transfer_reversal", "trr", amount=transfer["amount"], currency=transfer["currency"], transfer=transfer["id"])
        self.moved("transfer_refund", made["amount"], made["currency"], made["id"])
        return 200, deepcopy(made)

    def _payout(self, params: dict[str, Any], account: str) -> tuple[int, Any]:
        if self.payout_refused or not account:
            return _error(400, "invalid_request_error", "balance_insufficient", "You have insufficient funds")
        made = self.new(
            "payout", "po", amount=int(params["amount"]), currency=params["currency"], metadata=params.get("metadata"), automatic=False
        )
        made |= {"reconciliation_status": "not_applicable", "status": "in_transit"}
        self.accounts_of[made["id"]] = account
        return 200, deepcopy(made)

    def arrive(self, ref: str, status: str = "paid") -> None:
        """The payee's bank took a payout, or sent it back."""
        made = self.objects[ref]
        made |= {"status": status, "failure_code": "account_closed" if status == "failed" else None}
        self.event(f"payout.{status}", made, account=self.accounts_of[ref])

    # events

    def event(self, kind: str, about: dict[str, Any], account: str | None = None, **values: Any) -> dict[str, Any]:
        made = {
            "id": f"evt_{self.serial():06d}",
            "object": "event",
            "api_version": "2026-08-26.dahlia",
            "created": int(time.time()),
            "data": {"object": deepcopy(about)},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
            **({"account": account} if account else {}),
            **values,
        }
        self.events.append(made)
        return made


def signed(body: bytes, secret: str = WEBHOOK_SECRET, at: int | None = None) -> dict[str, str]:
    """The header that Stripe's documentation describes."""
    stamp = int(time.time()) if at is None else at
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={stamp},v1={mac}"}


def _list(data: list[dict[str, Any]], url: str) -> dict[str, Any]:
    return {"object": "list", "data": deepcopy(data), "has_more": False, "url": url}


def _error(status: int, kind: str, code: str, message: str) -> tuple[int, Any]:
    return status, {"error": {"type": kind, "message": message, **({"code": code} if code else {})}}
