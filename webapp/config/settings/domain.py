"""The numbers of the domain, as an installation starts with them; every one is a setting."""

from __future__ import annotations

import json
import os

BUSINESS_CLOCK_MOVABLE = False
BUSINESS_CLOCK_FOR_EVERYBODY = False
# switches and numbers that staff may change while the house runs: core.features
SIGN_UP_OPEN = True
POSTING_OPEN = True
PROPOSALS_OPEN = True
FUNDING_OPEN = True
PAYOUTS_OPEN = True
FEATURES_STALE_SECONDS = 5.0
JOB_OPEN_DAYS = 30
# posts of one client whose texts are alike by so many per cent are near-identical
JOB_DUPLICATE_PERCENT = 80
JOB_MAX_INVITATIONS = 50
MAX_JOB_MARKS = 1000
MAX_SAVED_SEARCHES = 50
SAVED_SEARCH_INSTANT_MINUTES = 5
# o'clock UTC: from then on the night's pass over the search indexes is due
SEARCH_REREAD_HOUR = 3
MAX_SHORTLISTS = 50
MAX_SHORTLISTED = 200
GHOSTED_AFTER_DAYS = 14
OFFER_EXPIRES_DAYS = 7
COUNTER_OFFERS_MOST = 10
# the first published rule of bid credits (jobs.credits): budgets in US cents up to which a bid costs so many; None: no end
BID_CREDITS_MONTHLY = 60
BID_CREDITS_BY_BUDGET: list[tuple[int | None, int]] = [(500_00, 2), (5_000_00, 4), (None, 6)]
BID_CREDITS_HOURLY = 4
BID_CREDITS_UNKNOWN_BUDGET = 4
AUTO_APPROVE_DAYS = 14
CLEARING_DAYS = 5
REVIEW_WINDOW_DAYS = 14
# counted from the Monday 00:00 UTC on which the week is over
TIMESHEET_CLOSES_AFTER_MINUTES = 12 * 60
TIMESHEET_REVIEW_ENDS_AFTER_MINUTES = 5 * 24 * 60 - 1
TIMESHEET_LEAST_REVIEW_HOURS = 48
TIMESHEET_ANSWER_DAYS = 3
TIMESHEET_DECIDE_DAYS = 4
MODERATION_DECISION_DAYS = 3
MODERATION_HOLD_DAYS = 5
MODERATION_SECOND_DAYS = 2
MODERATION_CLAIM_MINUTES = 30
MODERATION_APPEAL_DAYS = 14
MODERATION_APPEAL_DECISION_DAYS = 7
# suspensions always wait for a second person, removals do when the account holds or has earned at least this much
MODERATION_HIGH_VALUE_USD_MINOR = 5_000_00
MODERATION_RERATE_BPS = 1000
REPORTS_A_DAY = 20
TEXT_WARNINGS_BEFORE_CASE = 3
TEXT_WARNING_DAYS = 30
DISPUTE_RESPONSE_BUSINESS_DAYS = 5
DISPUTE_HOLIDAYS: list[str] = []
DISPUTE_NEGOTIATION_DAYS = 14
DISPUTE_PROPOSAL_DAYS = 3
#: a message that got no answer in these days counts against the other side in the computed split
DISPUTE_ANSWER_DAYS = 3
DISPUTE_EVIDENCE_DAYS = 7
DISPUTE_DECISION_DAYS = 5
DISPUTE_APPEAL_DAYS = 7
SMALL_CLAIM_USD_MINOR = 100_00
#: where the bands end by which precedents compare amounts; above the last one is a band too
DISPUTE_AMOUNT_BANDS_USD_MINOR = [100_00, 500_00, 2_000_00, 10_000_00]
HOLD_ALARM_DAYS = 60
HOLD_LIMIT_DAYS = 75
FUND_AHEAD_DAYS = 45
REFUND_ANSWER_DAYS = 7
REFUND_REQUESTS_PER_VERSION = 3
BONUS_DAYS = 60
REMIND_HOURS = 24
MAX_MILESTONE_TASKS = 200
FREELANCER_FEE_BPS = 1000
FEE_TAX_BPS = 0
#: who supplies the platform's service and issues its invoices. Without a VAT id or a registration no tax is charged; `registrations` are countries
#: (or "EU", the One-Stop-Shop) to the number there; `withholds` are countries whose law makes the installation keep tax back from payees
SELLER = {
    "name": "Openlance (demonstration)",
    "street": "1 Example Street",
    "postcode": "10115",
    "city": "Berlin",
    "country": "DE",
    "email": "billing@openlance.example",
    "vat_id": "",
    "company_number": "HRB 000000",
    "currency": "EUR",
    "registrations": {},
    "withholds": [],
    **json.loads(os.environ.get("OPENLANCE_SELLER", "{}")),
}
#: the published table of payments/tax_tables by which new money is taxed
TAX_TABLE = "2026-1"
# a day is compared with the gateways so many hours after its end (UTC); days that were missed for so long are made up for
RECONCILE_AFTER_HOURS = 6
RECONCILE_CATCH_UP_DAYS = 7
# what one side alone has is in flight for so long before it is a difference; days that lie further apart than this have shifted
RECONCILE_GRACE_HOURS = 24
RECONCILE_SHIFT_DAYS = 2
# a payout or refund whose bank has not answered is in flight for so long
RECONCILE_UNSETTLED_DAYS = 10
# after how many days finance staff are told of a difference that is open; weekly from then on
RECONCILE_ALARM_DAYS = [2, 7, 14]
# bookings of more than this need a second person
RECONCILE_SECOND_ABOVE_USD_MINOR = 500_00
RECONCILE_FILE_MAX_BYTES = 200 * 2**20
# totals behind which fewer people stand are not published
TRANSPARENCY_LEAST_PEOPLE = 5
LEDGER_CHECKS_KEPT_DAYS = 90
FX_SPREAD_BPS = 100
# how many days after its own a rate may price an exchange, by source; the ECB's of a Thursday stands until the Tuesday after Easter
FX_MAX_AGE_DAYS = {"ecb": 5, "ecb_cross": 5, "admin": 30}
# so many days before its last one whoever may set rates is told of a rate that people use
FX_WARN_DAYS = 1
# the ECB's history (eurofxref-hist.zip or .csv), a path or an address, that is read by itself; empty: nothing is read
FX_RATES_FILE = os.environ.get("OPENLANCE_FX_RATES_FILE", "")
# a rate set by hand that differs by more than so much from the last known, or from that of so many days ago, needs a second person; beyond
# the factor it is taken for a slip unless whoever sets it says otherwise
FX_HAND_SECOND_PERCENT = 10
FX_HAND_SECOND_DAYS = 7
FX_HAND_FACTOR = 3
#: what is owed can be written off when nothing of it has moved for so long
DEBT_WRITE_OFF_DAYS = 180
# the rates that come with the packages are good at any age: for trying and showing things
FX_PACKAGED_RATES = True
QUOTE_MINUTES = 15
FIRST_PAYOUT_HOLD_HOURS = 24
# a paid payout is asked about for so many days more, every so many hours: the payee's bank may send it back
PAYOUT_RETURN_DAYS = 10
PAYOUT_PAID_ASKED_HOURS = 6
# a payment whose gateway has not told its fee yet is asked about for so many days, as often
PAYMENT_FEE_DAYS = 3
# a payout by these gateways that is sent for longer than so many hours is one whose end nobody knows
PAYOUT_UNKNOWN_HOURS = {"mpesa": 6}
# a payout that was sent so long ago may be resolved as failed by two people who read its end at the gateway
PAYOUT_RESOLVE_HOURS = 24
# a place to be paid that is added after another one waits so long before anything is sent there
PAYOUT_METHOD_WAIT_HOURS = 72
PAYOUT_LEAST_USD_MINOR = 10_00
PAYOUT_SMALL_EVERY_DAYS = 30
# off: no velocity rule holds anything, they only count
VELOCITY_HOLDS = True
# of each rule: hold, shadow (counts, holds nothing) or off
VELOCITY_MODES = {
    "card_testing": "hold",
    "small_payments": "hold",
    "method_changed": "hold",
    "new_payee_large": "hold",
    "refund_ping_pong": "hold",
}
# the rules' thresholds (docs/payments.md); after a hold that staff released a rule says nothing about that person for `cleared_days`
VELOCITY: dict[str, dict[str, int]] = {
    "card_testing": {
        "minutes": 60,
        "declined": 8,
        "cards": 4,
        "tiny": 10,
        "tiny_usd_minor": 2_00,
        "ends_hours": 72,
        "cleared_days": 1,
    },
    "small_payments": {"hours": 24, "count": 20, "small_usd_minor": 20_00, "cleared_days": 30},
    "method_changed": {"hours": 168, "percent": 80, "usd_minor": 1_000_00, "cleared_days": 7},
    "new_payee_large": {"payouts": 1, "usd_minor": 5_000_00, "cleared_days": 30},
    "refund_ping_pong": {"days": 30, "count": 4, "percent": 80, "ends_hours": 72, "cleared_days": 30},
}
# payments that prompt a phone, within so many minutes: `phone` unpaid ones at one number, whoever asks, and `payer` by one person
PHONE_PROMPTS = {"minutes": 60, "phone": 4, "payer": 20}
PAYMENT_TRACE_DAYS = 90
# the bodies of notifications, which may name people; what a notification was about stays
WEBHOOK_BODY_DAYS = 90
# notifications that could not be verified, kept one by one a gateway and day; more are only counted
WEBHOOK_REFUSALS_A_DAY = 200
DATA_EXPORT_DAYS = 7
DATA_EXPORTS_PER_DAY = 3
CLOSING_GRACE_DAYS = 14
SAVED_METHODS_MOST = 20
PAYOUT_METHODS_MOST = 20
MAX_AMOUNT_MINOR = 10**12
# a payment that waits for its payer is given up after so long
PAYMENT_WAITS_HOURS = 72
WEBHOOK_RETRY_DAYS = 7
# how far back a gateway's own list of events is read at most: PayPal and Stripe keep thirty days
GATEWAY_EVENTS_DAYS = 29
