"""Which postings an entry of each kind may have. The ledger posts nothing without a template, and the check proves every entry by it.

A leg whose amount would be zero is left out; `required` legs may not be. `debit` and `credit` are kinds of accounts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .accounts import Kind


@dataclass(frozen=True, slots=True)
class Leg:
    """One possible posting of an entry: from an account of kind `debit` to one of kind `credit`, at most once an entry."""

    debit: str
    credit: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Template:
    """The legs of a kind. `once`: the subject has at most one entry of the kind. `priced`: gross = fee + tax + withheld + net."""

    legs: Mapping[str, Leg]
    once: bool = True
    priced: bool = False


#: hold → freelancer, fees, tax, what is withheld; in another currency the net goes through the pair's two fx clearing accounts
_PAY = {
    "net": Leg(Kind.HOLD, Kind.PENDING),
    "fx_out": Leg(Kind.HOLD, Kind.FX_CLEARING),
    "fx_in": Leg(Kind.FX_CLEARING, Kind.PENDING),
    "fee": Leg(Kind.HOLD, Kind.FEES),
    "tax": Leg(Kind.HOLD, Kind.TAX),
    "withheld": Leg(Kind.HOLD, Kind.WITHHOLDING),
}
#: the same out of the client's wallet, for pay that was never held
_PAY_FROM_WALLET = {name: Leg(Kind.WALLET if leg.debit == Kind.HOLD else leg.debit, leg.credit) for name, leg in _PAY.items()}

TEMPLATES: Mapping[str, Template] = {
    "deposit": Template({"deposit": Leg(Kind.CLEARING, Kind.WALLET, required=True)}),
    # a wallet's money into another currency, at a quote
    "exchange": Template(
        {"fx_out": Leg(Kind.WALLET, Kind.FX_CLEARING, required=True), "fx_in": Leg(Kind.FX_CLEARING, Kind.WALLET, required=True)}
    ),
    "hold": Template({"hold": Leg(Kind.WALLET, Kind.HOLD, required=True)}),
    "release": Template(_PAY, once=False, priced=True),
    "refund": Template({"refund": Leg(Kind.HOLD, Kind.WALLET, required=True)}, once=False),
    # what is left in one milestone's hold goes into another's, through the wallet it belongs to: in one entry, so that nothing can be spent between
    "roll": Template({"refund": Leg(Kind.HOLD, Kind.WALLET, required=True), "hold": Leg(Kind.WALLET, Kind.HOLD, required=True)}),
    "settle": Template({**_PAY, "refund": Leg(Kind.HOLD, Kind.WALLET)}, priced=True),
    "clear": Template({"clear": Leg(Kind.PENDING, Kind.AVAILABLE, required=True)}),
    # of one release alone, while the milestone still holds money
    "clear_part": Template({"clear": Leg(Kind.PENDING, Kind.AVAILABLE, required=True)}, once=False),
    "bonus": Template(_PAY_FROM_WALLET, priced=True),
    # the platform gives a fee back, with its tax, to the freelancer who bore it; the subject is the entry that took it
    "fee_refund": Template({"fee": Leg(Kind.FEES, Kind.AVAILABLE), "tax": Leg(Kind.TAX, Kind.AVAILABLE)}, once=False),
    # the client's fee on what an entry put into a hold, or gave as a bonus, and its share of what went back
    "client_fee": Template({"fee": Leg(Kind.WALLET, Kind.FEES), "tax": Leg(Kind.WALLET, Kind.TAX)}, once=False),
    "client_fee_refund": Template({"fee": Leg(Kind.FEES, Kind.WALLET), "tax": Leg(Kind.TAX, Kind.WALLET)}, once=False),
    "clear_bonus": Template({"clear": Leg(Kind.PENDING, Kind.AVAILABLE, required=True)}),
    "payout_request": Template({"payout": Leg(Kind.AVAILABLE, Kind.PAYOUT_TRANSIT, required=True)}),
    "payout_settle": Template({"payout": Leg(Kind.PAYOUT_TRANSIT, Kind.CLEARING, required=True)}),
    "payout_fail": Template({"payout": Leg(Kind.PAYOUT_TRANSIT, Kind.AVAILABLE, required=True)}),
    "payout_return": Template({"payout": Leg(Kind.CLEARING, Kind.AVAILABLE, required=True)}, once=False),
    # one that failed here and was paid at the gateway all the same: what the payee has spent meanwhile they owe
    "payout_late": Template({"payout": Leg(Kind.AVAILABLE, Kind.CLEARING), "owed": Leg(Kind.RECEIVABLE, Kind.CLEARING)}, once=False),
    # money on its way back to the payer's card waits where a payout waits: with neither the wallet nor the gateway
    "card_refund_request": Template({"refund": Leg(Kind.WALLET, Kind.PAYOUT_TRANSIT, required=True)}),
    "card_refund_settle": Template({"refund": Leg(Kind.PAYOUT_TRANSIT, Kind.CLEARING, required=True)}),
    "card_refund_fail": Template({"refund": Leg(Kind.PAYOUT_TRANSIT, Kind.WALLET, required=True)}),
    "card_refund_return": Template({"refund": Leg(Kind.CLEARING, Kind.WALLET, required=True)}),
    "dispute_open": Template({"recovered": Leg(Kind.WALLET, Kind.CLEARING), "owed": Leg(Kind.RECEIVABLE, Kind.CLEARING)}),
    "dispute_won": Template({"returned": Leg(Kind.CLEARING, Kind.WALLET), "forgiven": Leg(Kind.CLEARING, Kind.RECEIVABLE)}),
    # the bank kept less than it had taken
    "dispute_less": Template({"returned": Leg(Kind.CLEARING, Kind.WALLET), "forgiven": Leg(Kind.CLEARING, Kind.RECEIVABLE)}),
    # money that came into the wallet of somebody who owes us; the subject is the entry that brought it
    "debt_recover": Template({"recovered": Leg(Kind.WALLET, Kind.RECEIVABLE), "written_off": Leg(Kind.WALLET, Kind.CHARGEBACK_LOSS)}),
    # the same of money that became available to somebody who owes us
    "debt_set_off": Template(
        {"set_off": Leg(Kind.AVAILABLE, Kind.RECEIVABLE), "written_off": Leg(Kind.AVAILABLE, Kind.CHARGEBACK_LOSS)}, once=False
    ),
    # a debt that nobody counts on any more; the subject is the request that two people agreed to
    "debt_write_off": Template({"lost": Leg(Kind.CHARGEBACK_LOSS, Kind.RECEIVABLE, required=True)}),
    "provider_fee": Template({"fee": Leg(Kind.PROVIDER_FEES, Kind.CLEARING, required=True)}, once=False),
    # what a gateway has more or less than our books tell; the subject is the difference
    "difference_book": Template({"more": Leg(Kind.CLEARING, Kind.SUSPENSE), "less": Leg(Kind.SUSPENSE, Kind.CLEARING)}),
    "difference_write_off": Template({"more": Leg(Kind.CLEARING, Kind.WRITE_OFF), "less": Leg(Kind.WRITE_OFF, Kind.CLEARING)}),
    # what was booked into suspense is found to be a payer's
    "difference_credit": Template({"credit": Leg(Kind.SUSPENSE, Kind.WALLET, required=True)}),
    "chargeback": Template({"recovered": Leg(Kind.WALLET, Kind.CLEARING), "owed": Leg(Kind.RECEIVABLE, Kind.CLEARING)}),
}
