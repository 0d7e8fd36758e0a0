"""In plain words: why a payout waits, why one failed, and why payments are stopped. Codes are for programs."""

from __future__ import annotations

WORDS: dict[str, str] = {
    "first_payout": "It is your first payout: it waits some time before it is sent.",
    "method_new": "It goes to a place that you added recently: it waits until you had time to notice if that was not you.",
    "card_testing": "Many payments were refused or were tiny within a short time, as when somebody tries out stolen cards. A person looks at it.",
    "small_payments": "Many small amounts came from the same payer within a day. A person looks at it.",
    "new_payee_large": "It is a large amount for one of your first payouts. A person looks at it.",
    "method_changed": "It is most of your balance, and the place that it goes to was added recently. A person looks at it.",
    "refund_ping_pong": "Payments of yours were sent back again and again. A person looks at it.",
    "risk": "A person looks at it before it is sent.",
    "account_closed": "The account that it was to go to is closed. Add another place to be paid.",
    "declined": "It was refused. Use another way.",
    "refused": "It was refused after a look at it.",
    "bank_returned": "The bank sent it back. Check the details of the place that it went to.",
    "paid_after_all": "It failed here, but the one who pays it out says that it was paid. A person looks at it.",
    "gateway_unavailable": "The one who pays it out could not be reached, so nothing was sent. Ask for it again a little later.",
    "resolved_failed": "A person asked the one who was to pay it out: it was not paid.",
    "hold_over": "",
    "too_little": "There was less on your balance than the least that you chose.",
    "payout_below_minimum": "There was less on your balance than the smallest payout.",
    "method_removed": "The place that it was to go to was removed.",
    "amount_too_fine": "It is an amount that the gateway cannot move.",
    "payout_method_not_ready": "The account that it was to go to is not connected, or not complete: complete it, or choose another place.",
    "money_owed": "You owe us what your bank took back. What you earn pays it; or pay it into your wallet, and ask again.",
    "payout_method_missing": "There is no place to pay it to. Choose one.",
}


def in_words(code: str) -> str:
    """The sentence for a code; a code that the gateway invented is shown as it is, after a general word."""
    if not code:
        return ""
    return WORDS.get(code, f"The reason given is “{code.replace('_', ' ')}”.")
