"""PayPal's stand-in: orders, captures, refunds, payouts, disputes and the list of events, and a certificate authority of its own."""

from __future__ import annotations

import base64
import json
import zlib
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .contract import document
from .simulator import Request, World

SIGNER = "messageverificationcerts.paypal.com"
WEBHOOK_ID = "8PT597110X687430LKGECATA"
CERT_URL = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-5a29e601"
_SAID = {
    "AUTHENTICATION_FAILURE": "Authentication failed due to missing authorization header, or invalid authentication credentials.",
    "UNPROCESSABLE_ENTITY": "The requested action could not be performed, semantically incorrect, or failed business validation.",
}
_ISSUES = {
    "INVALID_RESOURCE_ID": "Specified resource ID does not exist. Please check the resource ID and try again.",
    "ORDER_ALREADY_CAPTURED": "Order already captured.If 'intent=CAPTURE' only one capture per order is allowed.",
    "ORDER_NOT_APPROVED": "Payer has not yet approved the Order for payment.",
    "REFUND_AMOUNT_EXCEEDED": "The refund amount must be less than or equal to the capture amount that has not yet been refunded.",
}
_DOCUMENTS = ("checkout_orders_v2", "payments_payment_v2", "payments_payouts_batch_v1", "notifications_webhooks_v1", "customer_disputes_v1")


class PayPalWorld(World):
    """The simulated PayPal."""

    def __init__(self) -> None:
        super().__init__([document(f"paypal/{name}.json") for name in _DOCUMENTS])
        self.objects: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, tuple[int, Any]] = {}
        self.batches: dict[str, str] = {}
        self.events: list[dict[str, Any]] = []
        self.pages: dict[str, Any] | None = None  # answered in place of the list of events
        self.tokens = 0
        self.token_refused = False
        self.payout_refused = False
        self.capture_status = "COMPLETED"
        self.refund_status = "COMPLETED"

    def judged(self, request: Request) -> bool:
        return request.path != "/v1/oauth2/token"  # in none of the documents

    def answer(self, request: Request) -> tuple[int, Any]:
        if request.path == "/v1/oauth2/token":
            if self.token_refused or request.header("Authorization") != f"Basic {base64.b64encode(b'id:secret').decode()}":
                return 401, {"error": "invalid_client"}
            self.tokens += 1
            return 200, {"access_token": f"A{self.tokens}", "token_type": "Bearer", "expires_in": 32400}
        if request.header("Authorization") != f"Bearer A{self.tokens}":
            return 401, {"name": "AUTHENTICATION_FAILURE", "message": _SAID["AUTHENTICATION_FAILURE"], "debug_id": "d"}
        key = f"{request.path}:{request.header('PayPal-Request-Id')}"
        if request.header("PayPal-Request-Id") and key in self.keys:
            return self.keys[key]
        try:
            made = self._route(request, request.path.split("/")[1:])
        except KeyError:
            # each document words it in its own way
            orders = request.path.startswith("/v2/checkout")
            said = (
                "The specified resource does not exist."
                if orders
                else "Specified resource ID does not exist. Please check the resource ID and try again."
            )
            return _error(404, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID", said)
        if request.header("PayPal-Request-Id") and made[0] < 300:
            self.keys[key] = deepcopy(made)
        return deepcopy(made)

    def _route(self, request: Request, path: list[str]) -> tuple[int, Any]:
        match (request.method, *path):
            case ("POST", "v2", "checkout", "orders"):
                return 201, self._order(request.json())
            case ("GET", "v2", "checkout", "orders", ref):
                return 200, self.objects[ref]
            case ("POST", "v2", "checkout", "orders", ref, "capture"):
                return self._capture(self.objects[ref])
            case ("POST", "v2", "payments", "captures", ref, "refund"):
                return self._refund(self.objects[ref], request.json())
            case ("POST", "v1", "payments", "payouts"):
                return self._payout(request.json())
            case ("GET", "v1", "payments", "payouts", ref):
                return 200, self.objects[ref]
            case ("GET", "v1", "notifications", "webhooks-events"):
                return 200, self.pages or {"events": self.events, "count": len(self.events), "links": []}
            case ("GET", "v2" | "v1", _, _, ref):
                return 200, self.objects[ref]
        raise KeyError(path)

    def _order(self, body: dict[str, Any]) -> dict[str, Any]:
        ref = f"ORDER{self.serial():06d}"
        unit = {"reference_id": "default", **body["purchase_units"][0]}
        links = [{"href": f"https://www.paypal.com/checkoutnow?token={ref}", "rel": "payer-action", "method": "GET"}]
        self.objects[ref] = {
            "id": ref,
            "intent": body["intent"],
            "status": "PAYER_ACTION_REQUIRED",
            "purchase_units": [unit],
            "links": links,
        }
        return self.objects[ref]

    def approve(self, ref: str) -> None:
        """The payer says yes at PayPal."""
        self.objects[ref]["status"] = "APPROVED"
        self.event("CHECKOUT.ORDER.APPROVED", self.objects[ref])

    def _capture(self, order: dict[str, Any]) -> tuple[int, Any]:
        if order["status"] == "COMPLETED":
            return _error(422, "UNPROCESSABLE_ENTITY", "ORDER_ALREADY_CAPTURED")
        if order["status"] != "APPROVED":
            return _error(422, "UNPROCESSABLE_ENTITY", "ORDER_NOT_APPROVED")
        unit = order["purchase_units"][0]
        fee = {"currency_code": unit["amount"]["currency_code"], "value": "0.79"}
        made = {
            "id": f"CAP{self.serial():06d}",
            "status": self.capture_status,
            "amount": unit["amount"],
            "custom_id": unit["custom_id"],
            "final_capture": True,
            "seller_receivable_breakdown": {"gross_amount": unit["amount"], "paypal_fee": fee},
        }
        self.objects[made["id"]] = {**made, "supplementary_data": {"related_ids": {"order_id": order["id"]}}}
        order |= {"status": "COMPLETED"}
        unit["payments"] = {"captures": [made]}
        self.event("PAYMENT.CAPTURE.COMPLETED", self.objects[made["id"]])
        return 201, order

    def settle(self, order_ref: str, status: str) -> None:
        """A capture that was pending is decided."""
        (capture,) = self.objects[order_ref]["purchase_units"][0]["payments"]["captures"]
        capture["status"] = status
        self.objects[capture["id"]]["status"] = status

    def _refund(self, capture: dict[str, Any], body: dict[str, Any]) -> tuple[int, Any]:
        gone = sum(float(o["amount"]["value"]) for o in self.objects.values() if o.get("of") == capture["id"])
        if gone + float(body["amount"]["value"]) > float(capture["amount"]["value"]) + 0.001:
            return _error(422, "UNPROCESSABLE_ENTITY", "REFUND_AMOUNT_EXCEEDED")
        made = {"id": f"REF{self.serial():06d}", "status": self.refund_status, "amount": body["amount"], "custom_id": body["custom_id"]}
        self.objects[made["id"]] = {**made, "of": capture["id"]}
        self.event("PAYMENT.CAPTURE.REFUNDED", made)
        return 201, made

    def _payout(self, body: dict[str, Any]) -> tuple[int, Any]:
        batch = body["sender_batch_header"]["sender_batch_id"]
        if batch in self.batches:
            link = {"href": f"https://api-m.paypal.com/v1/payments/payouts/{self.batches[batch]}", "rel": "self", "method": "GET"}
            return 400, {"name": "USER_BUSINESS_ERROR", "message": "User business error.", "debug_id": "d", "links": [link]}
        if self.payout_refused:
            return 422, {"name": "INSUFFICIENT_FUNDS", "message": "Sender does not have sufficient funds.", "debug_id": "d", "links": []}
        ref = self.batches[batch] = f"BATCH{self.serial():06d}"
        link = {"href": f"https://api-m.paypal.com/v1/payments/payouts/{ref}", "rel": "self", "method": "GET"}
        header = {"payout_batch_id": ref, "batch_status": "PENDING", "sender_batch_header": body["sender_batch_header"]}
        item = {
            "payout_item_id": f"ITEM{self.serial()}",
            "payout_batch_id": ref,
            "transaction_status": "PENDING",
            "payout_item": body["items"][0],
        }
        self.objects[ref] = {"batch_header": header, "items": [item], "links": [link]}
        return 201, {"batch_header": header, "links": [link]}

    def arrive(self, ref: str, status: str = "SUCCESS") -> None:
        """What becomes of a payout."""
        (item,) = self.objects[ref]["items"]
        item["transaction_status"] = status
        self.event(f"PAYMENT.PAYOUTS-ITEM.{'SUCCEEDED' if status == 'SUCCESS' else status}", item)

    def dispute(self, order_ref: str, value: str, stage: str = "CHARGEBACK") -> dict[str, Any]:
        order = self.objects[order_ref]
        capture = order["purchase_units"][0]["payments"]["captures"][0]
        currency = capture["amount"]["currency_code"]
        made = {
            "dispute_id": f"PP-D-{self.serial()}",
            "status": "WAITING_FOR_SELLER_RESPONSE",
            "reason": "UNAUTHORISED",
            "dispute_life_cycle_stage": stage,
            "dispute_amount": {"currency_code": currency, "value": value},
            "disputed_transactions": [{"seller_transaction_id": capture["id"]}],
            "money_movements": [
                {
                    "affected_party": "SELLER",
                    "amount": {"currency_code": currency, "value": "20.00"},
                    "type": "DEBIT",
                    "reason": "CHARGEBACK_FEE",
                }
            ],
        }
        self.objects[made["dispute_id"]] = made
        self.event("CUSTOMER.DISPUTE.CREATED", made)
        return made

    def event(self, kind: str, resource: dict[str, Any]) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        made = {"id": f"WH-{self.serial()}", "create_time": now, "event_type": kind, "resource": deepcopy(resource), "links": []}
        self.events.append(made)
        return made


def _error(status: int, name: str, issue: str, said: str = "") -> tuple[int, Any]:
    return status, {
        "name": name,
        "message": said or _SAID[name],
        "debug_id": "d",
        "details": [{"issue": issue, "description": _ISSUES[issue]}],
        "links": [],
    }


class Authority:
    """Roots and signing certificates as PayPal's are: a leaf by a root, for a host and a time."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test root")])
        now = datetime.now(UTC)
        self.root = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(self.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=4000))
            .not_valid_after(now + timedelta(days=4000))
            .add_extension(x509.BasicConstraints(True, None), True)
            .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
            .sign(self.key, hashes.SHA256())
        )

    def pem(self) -> bytes:
        return self.root.public_bytes(serialization.Encoding.PEM)

    def leaf(self, host: str = SIGNER, since: int = -10, until: int = 90) -> tuple[rsa.RSAPrivateKey, bytes]:
        """A key and its certificate, valid between days from now."""
        key, now = rsa.generate_private_key(65537, 2048), datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]))
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=since))
            .not_valid_after(now + timedelta(days=until))
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False)
            .sign(self.key, hashes.SHA256())
        )
        return key, made.public_bytes(serialization.Encoding.PEM)


def signed(
    body: bytes, key: rsa.RSAPrivateKey, *, url: str = CERT_URL, webhook_id: str = WEBHOOK_ID, at: datetime | None = None
) -> dict[str, str]:
    """The headers that PayPal's documentation describes."""
    stamp = (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    message = f"transmission-1|{stamp}|{webhook_id}|{zlib.crc32(body)}".encode()
    return {
        "Paypal-Transmission-Id": "transmission-1",
        "Paypal-Transmission-Time": stamp,
        "Paypal-Transmission-Sig": base64.b64encode(key.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode(),
        "Paypal-Cert-Url": url,
        "Paypal-Auth-Algo": "SHA256withRSA",
    }


def raw(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()
