"""Rows of the permission matrix for the routes of `payments`: see tests/webapp/test_permission_matrix.py."""

from __future__ import annotations

from .table import Row

#: bodies that get past the check of shapes, so that the door itself answers
_DIFFERENCE = "staff/reconciliation/differences/<int:difference_id>"
BODIES: dict[str, dict[str, object]] = {
    "staff/ledger-entries/<int:entry_id>/fee-refund": {"amount_minor": 1, "reason": "r"},
    "payments/<int:payment_id>/refunds": {"amount_minor": 1},
    "me/wallet-refunds": {"amount_minor": 1, "currency": "USD"},
    **{
        f"{_DIFFERENCE}/{act}": {"reason": "r"}
        for act in ("explain", "reopen", "approve", "refuse", "credit", "credit/approve", "credit/refuse")
    },
    f"{_DIFFERENCE}/book": {"account": "suspense", "reason": "r"},
    "me/payout-methods": {"provider": "sandbox", "method": {"token": "bank_ok"}},
    "me/payout-schedules/<slug:currency>": {"pace": "manual"},
    **{
        f"staff/money/{what}": {"reason": "r"}
        for what in (
            "payments/<int:payment_id>/query",
            "refunds/<int:refund_id>/query",
            "payouts/<int:payout_id>/query",
            "payouts/<int:payout_id>/allow",
            "payouts/<int:payout_id>/refuse",
            *(f"payouts/<int:payout_id>/{act}{then}" for act in ("resolve", "settle-late") for then in ("", "/approve", "/refuse")),
            "webhooks/<int:webhook_id>/replay",
        )
    },
}
_MONEY = {"finance": 200, "admin": 200, "*": 403}
_SEEN = _MONEY

# fmt: off
ROWS: dict[tuple[str, str], Row] = {
    ("GET", "me/balances"): (401, 200, 200, 200, 200),
    ("GET", "me/transactions"): (401, 200, 200, 200, 200),
    ("GET", "me/payouts"): (401, 200, 200, 200, 200),
    ("POST", "me/payouts"): (401, 400, 400, 400, 400),
    ("GET", "payments/<int:payment_id>"): (401, 404, 200, 404, {"finance": 200, "admin": 200, "*": 404}),
    ("GET", "payment-gateways"): (401, 200, 200, 200, 200),
    ("GET", "me/payments"): (401, 200, 200, 200, 200),
    ("POST", "me/payments"): (401, 400, 400, 400, 400),
    ("POST", "payments/<int:payment_id>/refresh"): (401, 404, 200, 404, {"finance": 403, "admin": 403, "*": 404}),
    ("POST", "payments/<int:payment_id>/cancel"): (401, 404, 409, 404, {"finance": 403, "admin": 403, "*": 404}),
    ("GET", "payments/<int:payment_id>/refunds"): (401, 404, 200, 404, {"finance": 200, "admin": 200, "*": 404}),
    ("POST", "payments/<int:payment_id>/refunds"): (401, 404, 201, 404, {"finance": 403, "admin": 403, "*": 404}),
    ("POST", "me/exchange-quotes"): (401, 400, 400, 400, 400),
    ("POST", "me/exchange-quotes/<int:quote_id>/use"): (401, 404, 409, 404, 404),
    ("POST", "me/wallet-refunds"): (401, 409, 201, 409, 409),
    ("GET", "me/payment-methods"): (401, 200, 200, 200, 200),
    ("POST", "me/payment-methods"): (401, 400, 400, 400, 400),
    ("DELETE", "me/payment-methods/<int:method_id>"): (401, 404, 204, 404, 404),
    ("POST", "me/payment-methods/<int:method_id>/refresh"): (401, 404, 200, 404, 404),
    ("POST", "me/payment-methods/<int:method_id>/default"): (401, 404, 200, 404, 404),
    ("GET", "me/ledger-accounts"): (401, 200, 200, 200, 200),
    ("GET", "me/statement"): (401, 200, 200, 200, 200),
    ("GET", "me/statement.csv"): (401, 200, 200, 200, 200),
    ("GET", "ledger-accounts/<int:account_id>/statement"): (401, 404, 200, 404, {"finance": 200, "admin": 200, "*": 404}),
    ("GET", "ledger-accounts/<int:account_id>/statement.csv"): (401, 404, 200, 404, {"finance": 200, "admin": 200, "*": 404}),
    ("GET", "staff/users/<int:user_id>/statement"): (401, 403, 403, 403, {"finance": 200, "admin": 200, "*": 403}),
    ("GET", "me/statement.pdf"): (401, 200, 200, 200, 200),
    ("GET", "me/documents"): (401, 200, 200, 200, 200),
    ("GET", "me/tax-details"): (401, 200, 200, 200, 200),
    ("PUT", "me/tax-details"): (401, 200, 200, 200, 200),
    ("GET", "documents/<int:document_id>"): (401, 404, 200, 404, {"finance": 200, "admin": 200, "*": 404}),
    ("GET", "documents/<int:document_id>/pdf"): (401, 404, 200, 404, {"finance": 200, "admin": 200, "*": 404}),
    ("GET", "documents/<int:document_id>/xml"): (401, 404, 404, 404, 404),
    ("POST", "staff/ledger-entries/<int:entry_id>/fee-refund"): (401, 403, 403, 403, {"finance": 404, "admin": 404, "*": 403}),
    ("GET", "staff/reconciliation/runs"): (401, 403, 403, 403, _MONEY),
    ("GET", "staff/reconciliation/differences"): (401, 403, 403, 403, _MONEY),
    ("GET", _DIFFERENCE): (401, 403, 403, 403, _MONEY),
    ("POST", f"{_DIFFERENCE}/claim"): (401, 403, 403, 403, _MONEY),
    ("POST", f"{_DIFFERENCE}/give-back"): (401, 403, 403, 403, _MONEY),
    ("POST", f"{_DIFFERENCE}/explain"): (401, 403, 403, 403, _MONEY),
    ("POST", f"{_DIFFERENCE}/reopen"): (401, 403, 403, 403, {"finance": 409, "admin": 409, "*": 403}),
    ("POST", f"{_DIFFERENCE}/book"): (401, 403, 403, 403, _MONEY),
    ("POST", f"{_DIFFERENCE}/approve"): (401, 403, 403, 403, {"finance": 409, "admin": 409, "*": 403}),
    ("POST", f"{_DIFFERENCE}/refuse"): (401, 403, 403, 403, {"finance": 409, "admin": 409, "*": 403}),
    ("POST", f"{_DIFFERENCE}/credit"): (401, 403, 403, 403, {"finance": 409, "admin": 409, "*": 403}),
    ("POST", f"{_DIFFERENCE}/credit/approve"): (401, 403, 403, 403, {"finance": 409, "admin": 409, "*": 403}),
    ("POST", f"{_DIFFERENCE}/credit/refuse"): (401, 403, 403, 403, {"finance": 409, "admin": 409, "*": 403}),
    ("GET", "staff/reconciliation/processor-files"): (401, 403, 403, 403, _MONEY),
    ("POST", "staff/reconciliation/processor-files"): (401, 403, 403, 403, {"finance": 415, "admin": 415, "*": 403}),
    ("GET", "staff/reconciliation/processor-files/<int:file_id>"): (401, 403, 403, 403, _MONEY),
    ("GET", "staff/reconciliation/processor-files/<int:file_id>/problems"): (401, 403, 403, 403, _MONEY),
    ("GET", "transparency"): (200, 200, 200, 200, 200),
    ("GET", "me/payout-methods"): (401, 200, 200, 200, 200),
    ("POST", "me/payout-methods"): (401, 201, 201, 201, 201),
    ("DELETE", "me/payout-methods/<int:method_id>"): (401, 404, 404, 204, 404),
    ("POST", "me/payout-methods/<int:method_id>/onboarding"): (401, 404, 404, 400, 404),
    ("POST", "me/payout-methods/<int:method_id>/refresh"): (401, 404, 404, 200, 404),
    ("POST", "me/payout-methods/<int:method_id>/default"): (401, 404, 404, 200, 404),
    ("GET", "me/payout-schedules"): (401, 200, 200, 200, 200),
    ("PUT", "me/payout-schedules/<slug:currency>"): (401, 400, 400, 400, 400),
    ("GET", "me/risk-holds"): (401, 200, 200, 200, 200),
    ("GET", "staff/money/payments"): (401, 403, 403, 403, _SEEN),
    ("GET", "staff/money/refunds"): (401, 403, 403, 403, _SEEN),
    ("GET", "staff/money/payouts"): (401, 403, 403, 403, _SEEN),
    ("GET", "staff/money/chargebacks"): (401, 403, 403, 403, _SEEN),
    ("GET", "staff/money/entries"): (401, 403, 403, 403, _SEEN),
    ("GET", "staff/money/webhooks"): (401, 403, 403, 403, _SEEN),
    ("GET", "staff/money/webhook-refusals"): (401, 403, 403, 403, _SEEN),
    ("GET", "staff/money/risk-holds"): (401, 403, 403, 403, _SEEN),
    ("GET", "staff/money/risk-figures"): (401, 403, 403, 403, _SEEN),
    ("POST", "staff/money/payments/<int:payment_id>/query"): (401, 403, 403, 403, {"finance": 202, "admin": 202, "*": 403}),
    ("POST", "staff/money/refunds/<int:refund_id>/query"): (401, 403, 403, 403, {"finance": 202, "admin": 202, "*": 403}),
    ("POST", "staff/money/payouts/<int:payout_id>/query"): (401, 403, 403, 403, {"finance": 404, "admin": 404, "*": 403}),
    ("POST", "staff/money/payouts/<int:payout_id>/allow"): (401, 403, 403, 403, {"finance": 404, "admin": 404, "*": 403}),
    ("POST", "staff/money/payouts/<int:payout_id>/refuse"): (401, 403, 403, 403, {"finance": 404, "admin": 404, "*": 403}),
    ("POST", "staff/money/payouts/<int:payout_id>/resolve"): (401, 403, 403, 403, {"finance": 404, "admin": 404, "*": 403}),
    ("POST", "staff/money/payouts/<int:payout_id>/resolve/approve"): (401, 403, 403, 403, {"finance": 404, "admin": 404, "*": 403}),
    ("POST", "staff/money/payouts/<int:payout_id>/resolve/refuse"): (401, 403, 403, 403, {"finance": 404, "admin": 404, "*": 403}),
    ("POST", "staff/money/payouts/<int:payout_id>/settle-late"): (401, 403, 403, 403, {"finance": 404, "admin": 404, "*": 403}),
    ("POST", "staff/money/payouts/<int:payout_id>/settle-late/approve"): (401, 403, 403, 403, {"finance": 404, "admin": 404, "*": 403}),
    ("POST", "staff/money/payouts/<int:payout_id>/settle-late/refuse"): (401, 403, 403, 403, {"finance": 404, "admin": 404, "*": 403}),
    ("POST", "staff/money/webhooks/<int:webhook_id>/replay"): (401, 403, 403, 403, {"finance": 202, "admin": 202, "*": 403}),
    ("GET", "fee-schedule"): (200, 200, 200, 200, 200),
    ("POST", "webhooks/<slug:provider>/<slug:path_token>"): (404, 404, 404, 404, 404),
}
# fmt: on
