"""Daraja's stand-in. Safaricom publishes no OpenAPI document, so the shapes are judged by hand: what is sent against its guides."""

from __future__ import annotations

import base64
import re
from typing import Any

from .simulator import Request, World

SAFARICOM = "196.201.214.200"
_STK = {
    "BusinessShortCode": r"\d{5,7}",
    "Password": r".+",
    "Timestamp": r"\d{14}",
    "TransactionType": r"CustomerPayBillOnline|CustomerBuyGoodsOnline",
    "Amount": None,
    "PartyA": r"254[17]\d{8}",
    "PartyB": r"\d{5,7}",
    "PhoneNumber": r"254[17]\d{8}",
    "CallBackURL": r"https://.+",
    "AccountReference": r".{1,12}",
    "TransactionDesc": r".{1,13}",
}
_QUERY = {name: _STK[name] for name in ("BusinessShortCode", "Password", "Timestamp")} | {"CheckoutRequestID": r"ws_CO_.+"}
_B2C = {
    "OriginatorConversationID": r".{1,64}",
    "InitiatorName": r".+",
    "SecurityCredential": r".{300,}",
    "CommandID": r"BusinessPayment|SalaryPayment|PromotionPayment",
    "Amount": None,
    "PartyA": r"\d{5,7}",
    "PartyB": r"254[17]\d{8}",
    "Remarks": r".{1,100}",
    "QueueTimeOutURL": r"https://.+",
    "ResultURL": r"https://.+",
    "Occassion": r".{0,100}",
}
_STATUS = {
    name: _B2C[name] for name in ("OriginatorConversationID", "SecurityCredential", "PartyA", "Remarks", "QueueTimeOutURL", "ResultURL")
} | {
    "Initiator": r".+",
    "CommandID": r"TransactionStatusQuery",
    "IdentifierType": r"4",
    "Occasion": r".{0,100}",
}
_SHAPES = {
    "/mpesa/stkpush/v1/processrequest": _STK,
    "/mpesa/stkpushquery/v1/query": _QUERY,
    "/mpesa/b2c/v3/paymentrequest": _B2C,
    "/mpesa/transactionstatus/v1/query": _STATUS,
}


class DarajaWorld(World):
    """The simulated Daraja: pushes and payments as they came, and what became of them."""

    def __init__(self) -> None:
        super().__init__()
        self.pushes: dict[str, dict[str, Any]] = {}
        self.payments: dict[str, dict[str, Any]] = {}
        self.outcome: dict[str, int] = {}
        self.queries: list[dict[str, Any]] = []

    def judged(self, request: Request) -> bool:
        return False

    def answer(self, request: Request) -> tuple[int, Any]:
        if request.path == "/oauth/v1/generate":
            good = request.header("Authorization") == f"Basic {base64.b64encode(b'ck:cs').decode()}"
            return (200, {"access_token": "T", "expires_in": "3599"}) if good else (400, {"errorCode": "400.008.01"})
        if request.header("Authorization") != "Bearer T":
            return 401, {"errorCode": "404.001.03", "errorMessage": "Invalid Access Token"}
        shape, body = _SHAPES.get(request.path, {}), request.json()
        self._judge(request.path, shape, body)
        serial = self.serial()
        if request.path.startswith("/mpesa/stkpush/"):
            ref = f"ws_CO_{serial:020d}"
            self.pushes[ref] = body
            return 200, {
                "MerchantRequestID": f"m-{serial}",
                "CheckoutRequestID": ref,
                "ResponseCode": "0",
                "ResponseDescription": "Success",
            }
        if request.path.startswith("/mpesa/stkpushquery"):
            code = self.outcome.get(body["CheckoutRequestID"])
            if code is None:
                return 500, {"requestId": "r", "errorCode": "500.001.1001", "errorMessage": "The transaction is being processed"}
            return 200, {"ResponseCode": "0", "CheckoutRequestID": body["CheckoutRequestID"], "ResultCode": str(code), "ResultDesc": "x"}
        if request.path.startswith("/mpesa/b2c/"):
            # Daraja refuses a name that it knows, but nobody may rely on it: it is counted as a second payment
            self.payments[f"{body['OriginatorConversationID']}#{serial}"] = body
        else:
            self.queries.append(body)
        named = body["OriginatorConversationID"]
        return 200, {
            "ConversationID": f"AG_{serial}",
            "OriginatorConversationID": named,
            "ResponseCode": "0",
            "ResponseDescription": "Accepted",
        }

    def _judge(self, path: str, shape: dict[str, str | None], body: dict[str, Any]) -> None:
        for name in shape.keys() ^ body.keys():
            self.breaches.append(f"{path}: {name} is {'missing' if name in shape else 'unknown'}")
        for name, pattern in shape.items():
            value = body.get(name)
            good = type(value) is int and value > 0 if pattern is None else isinstance(value, str) and re.fullmatch(pattern, value)
            if not good:
                self.breaches.append(f"{path}: {name} is {value!r}")


def paid(ref: str, amount: object) -> dict[str, Any]:
    """The callback of a push that was paid."""
    items = [
        {"Name": "Amount", "Value": amount},
        {"Name": "MpesaReceiptNumber", "Value": "NLJ7RT61SV"},
        {"Name": "Balance"},
        {"Name": "TransactionDate", "Value": 20261129101115},
        {"Name": "PhoneNumber", "Value": 254708374149},
    ]
    told = {"MerchantRequestID": "m", "CheckoutRequestID": ref, "ResultCode": 0, "ResultDesc": "ok", "CallbackMetadata": {"Item": items}}
    return {"Body": {"stkCallback": told}}


def not_paid(ref: str, code: int = 1032) -> dict[str, Any]:
    """The callback of a push that was not."""
    return {"Body": {"stkCallback": {"MerchantRequestID": "m", "CheckoutRequestID": ref, "ResultCode": code, "ResultDesc": "no"}}}


def result(ref: str, code: int = 0, amount: object = None, **more: object) -> dict[str, Any]:
    """The result of a B2C payment, or of a status query about it."""
    values = {"TransactionAmount": amount, "TransactionReceipt": "NLJ41HAY6Q", **more} if amount is not None else more
    parameters = [{"Key": k, "Value": v} for k, v in values.items()]
    told = {
        "ResultType": 0,
        "ResultCode": code,
        "ResultDesc": "x",
        "OriginatorConversationID": ref,
        "ConversationID": "AG_1",
        "TransactionID": "N",
    }
    return {"Result": {**told, **({"ResultParameters": {"ResultParameter": parameters}} if parameters else {})}}
