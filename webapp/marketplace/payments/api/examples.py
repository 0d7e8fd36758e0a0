"""What the API document shows of money; requests by operation, answers by operation or else by the shape they have."""

from __future__ import annotations

from typing import Any

from marketplace.core.api.examples import PAYMENT, page, usd

_DIFFERENCE = {
    "id": 3,
    "provider": "stripe",
    "item": "line:txn_1PgaxN",
    "kind": "missing_with_us",
    "state": "open",
    "effect": usd(-1250),
    "theirs_minor": -1250,
    "ours_minor": None,
    "other_currency": "",
    "since": "2026-03-05T09:12:00Z",
    "age_days": 1,
    "opened_at": "2026-03-07T06:00:09Z",
    "closed_at": None,
    "owner": None,
    "explanation": "",
    "asked_by": None,
    "asked_as": "",
    "entry_id": None,
    "actions": ["ask", "book", "explain", "write_off"],
}

#: Bob's fee for the milestone that Alice approved
_FEE_INVOICE = {
    "id": 12,
    "label": "INV-000012",
    "kind": "invoice",
    "about": "fee",
    "issued_at": "2026-03-14T09:00:03Z",
    "contract_id": 31,
    "entry_id": 36,
    "corrects_id": None,
    "net": usd(8000),
    "tax": usd(0),
    "total": usd(8000),
    "issuer": {
        "name": "Openlance (demonstration)",
        "street": "1 Example Street",
        "postcode": "10115",
        "city": "Berlin",
        "country": "DE",
        "vat_id": "",
    },
    "recipient": {"name": "Bob Otieno", "street": "", "postcode": "", "city": "", "country": "KE", "vat_id": ""},
    "lines": [{"text": "Openlance service fee, 10% of US$800.00", "net": usd(8000), "tax": usd(0), "posting_ids": [72]}],
    "tax_decision": {"category": "O", "country": "DE", "rate_bps": 0, "reason": "not_registered", "table": ""},
    "notes": [
        "No VAT is charged: the supplier is not registered for VAT.",
        "The amount was deducted from the payment of 14 March 2026. Nothing remains to be paid.",
        "Fee schedule standard-1.",
    ],
    "has_xml": True,
}

REQUESTS: dict[str, Any] = {
    "tax_details_put": {
        "legal_name": "Meyer Toys GmbH",
        "street": "Beispielweg 1",
        "postcode": "10115",
        "city": "Berlin",
        "country": "DE",
        "vat_id": "DE136695976",
        "tax_number": "",
    },
    "staff_fee_refund": {"amount_minor": 4000, "reason": "The page was down for a day."},
    "reconciliation_difference_explain": {"reason": "Their report of the second comes on the fourth."},
    "reconciliation_difference_reopen": {"reason": "The report came without it."},
    "reconciliation_difference_book": {"account": "suspense", "reason": "The account's charge for February."},
    "reconciliation_difference_approve": {"reason": "The bank's paper says the same."},
    "reconciliation_difference_refuse": {"reason": "It belongs to another account."},
    "webhook_receive": {"id": "evt_7f3a91c2", "type": "payment.succeeded", "object": "sbx_payment_41d0c8"},
}

_PHONE = {
    "id": 9,
    "provider": "mpesa",
    "state": "ready",
    "country": "KE",
    "label": "+254 … 678",
    "due": [],
    "is_default": True,
    "created_at": "2026-03-18T08:00:00Z",
    "checked_at": None,
}
_CARD = {
    "id": 5,
    "provider": "stripe",
    "state": "ready",
    "brand": "visa",
    "last4": "4242",
    "exp_month": 8,
    "exp_year": 2031,
    "is_default": True,
    "failure_code": "",
    "next_action": None,
    "created_at": "2026-03-05T10:00:00Z",
}
_BACK = {
    "id": 4,
    "payment_id": 91,
    "state": "created",
    "provider": "stripe",
    "amount_minor": 5000,
    "currency": "EUR",
    "failure_code": "",
    "created_at": "2026-03-20T10:00:00Z",
    "settled_at": None,
}

REQUESTS |= {
    "payment_start": {"provider": "sandbox", "amount_minor": 25000, "currency": "EUR", "method": {"token": "tok_visa"}},
    "payment_refund_request": {"amount_minor": 5000, "reason": "Paid in too much."},
    "wallet_refund_request": {"amount_minor": 5000, "currency": "EUR", "reason": "We stop here."},
    "payment_method_save": {"provider": "sandbox", "details": {"token": "tok_visa"}},
    "payee_account_connect": {"provider": "mpesa", "details": {"phone": "0712 345678"}, "country": "KE"},
    "exchange_quote": {"amount_minor": 100000, "currency": "USD", "pay_currency": "EUR"},
}

ANSWERS: dict[str, Any] = {
    "LedgerAccounts": {
        "as_of": "2026-03-06T10:00:00Z",
        "results": [
            {"id": 20, "kind": "wallet", "milestone_id": None, "balance": usd(0)},
            {"id": 30, "kind": "hold", "milestone_id": 51, "balance": usd(80000)},
        ],
    },
    "StatementPage": page(
        {
            "posting_id": 71,
            "entry_id": 36,
            "at": "2026-03-14T09:00:00Z",
            "kind": "release",
            "leg": "net",
            "account_id": 31,
            "account": "pending",
            "milestone_id": None,
            "contract_id": 31,
            "subject_type": "milestone",
            "subject_id": 51,
            "change": usd(72000),
            "balance": usd(72000),
            "total": usd(84050),
            "rule": "client_approval",
            "reason": "",
        }
    ),
    "Document": _FEE_INVOICE,
    "Documents": page(_FEE_INVOICE),
    "TaxDetails": REQUESTS["tax_details_put"],
    "FeeRefunded": {"entry_id": 41},
    "Difference": _DIFFERENCE,
    "ReconciliationRun": {
        "id": 7,
        "provider": "stripe",
        "day": "2026-03-06",
        "state": "finished",
        "listed_from": "2026-03-04",
        "last_error": "",
        "begun_at": "2026-03-07T06:00:04Z",
        "finished_at": "2026-03-07T06:00:09Z",
        "totals": [
            {
                "currency": "USD",
                "provider_minor": 98750,
                "ledger_minor": 100000,
                "in_flight_minor": 0,
                "uncovered_minor": 0,
                "differences_minor": -1250,
                "unexplained_minor": 0,
                "matched": 41,
                "in_flight": 0,
                "uncovered": 0,
                "differences": 1,
            }
        ],
    },
    "ProcessorFile": {
        "id": 2,
        "provider": "mpesa",
        "name": "ORG_174379_Utility.csv",
        "format": "mpesa_organisation_statement",
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "size": 20480,
        "uploaded_by_id": 5,
        "uploaded_at": "2026-03-07T08:00:00Z",
        "read_at": "2026-03-07T08:00:01Z",
        "covers_from": "2026-03-06T05:10:11Z",
        "covers_until": "2026-03-06T20:44:50Z",
        "rows": 120,
        "stored": 117,
        "known": 0,
        "skipped": 2,
        "errors": 1,
    },
    "ProcessorFileProblem": {
        "id": 1,
        "line_no": 14,
        "message": "Paid In: 'Completed' is no amount. Export the file again without changing it in a spreadsheet.",
        "text": "QK12,Completed",
    },
    "Transparency": {
        "day": "2026-03-06",
        "window_days": 30,
        "least_people": 5,
        "currencies": [
            {
                "currency": "USD",
                "figures": [
                    {"measure": "escrow", "amount": usd(1250000), "as_of": "2026-03-06"},
                    {"measure": "wallets", "amount": None, "as_of": "2026-03-06"},
                ],
            }
        ],
        "checks": [{"name": "replay", "ok": True, "at": "2026-03-07T06:17:00Z", "problems": 0, "checked": 48211}],
    },
    "Received": {"received": True},
    "BalancesAnswer": {
        "results": [
            {
                "currency": "USD",
                "wallet": usd(0),
                "held": usd(0),
                "pending": usd(72000),
                "available": usd(12050),
                "in_transit": usd(0),
            }
        ]
    },
    "FeeSchedules": {
        "current": "standard-1",
        "schedules": [{"version": "standard-1", "freelancer_fee_bps": 1000, "tax_bps": 0, "active_from": "2020-01-01T00:00:00Z"}],
    },
    "Payment": PAYMENT,
    "Payout": {
        "id": 3,
        "state": "held",
        "provider": "sandbox",
        "amount_minor": 12050,
        "currency": "USD",
        "failure_code": "",
        "hold_reason": "first_payout",
        "held_until": "2026-03-20T09:00:00Z",
        "created_at": "2026-03-19T09:00:00Z",
        "settled_at": None,
    },
    "Transaction": {
        "entry_id": 33,
        "kind": "hold",
        "at": "2026-03-06T09:30:00Z",
        "contract_id": 31,
        "subject_type": "milestone",
        "subject_id": 51,
        "rule": "client_funding",
        "reason": "",
        "changes": [
            {"account": "wallet", "milestone_id": None, "change": usd(-80000)},
            {"account": "hold", "milestone_id": 51, "change": usd(80000)},
        ],
    },
    "OfferedGateways": {
        "country": "KE",
        "currency": "KES",
        "purpose": "payment",
        "results": [{"provider": "mpesa", "flow": "phone", "saves_methods": False, "refunds": False, "publishable_key": ""}],
    },
    "PaymentRefund": _BACK,
    "PaymentRefunds": {"results": [_BACK]},
    "SavedMethod": _CARD,
    "SavedMethods": {"results": [_CARD]},
    "PayeeAccount": _PHONE,
    "PayeeAccounts": {"results": [_PHONE]},
    "PayeeConnected": {"account": _PHONE, "onboarding": None},
    "ExchangeQuote": {
        "id": 12,
        "sell": {"minor": 92901, "currency": "EUR"},
        "buy": usd(100000),
        "rate": "1.0873",
        "source": "ecb",
        "rate_as_of": "2026-03-05",
        "spread_bps": 100,
        "expires_at": "2026-03-06T09:45:00Z",
        "used_at": None,
    },
}
