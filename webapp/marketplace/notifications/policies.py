"""Who is told what, in which words. One rule an event kind; a person is never told of their own act, but for OWN_ACTS."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from marketplace.core.models import Event
from marketplace.core.money import Money
from marketplace.payments.reasons import WORDS, in_words
from marketplace.trust.policies import MONEY

from .scenes import SCENES, SCENES_THEN

CLIENT, FREELANCER, BOTH = ("client",), ("freelancer",), ("client", "freelancer")
OWNER = CLIENT  # of what belongs to one person alone, both sides of the scene are that person
#: event kind → (who is told, the sentence with {title} and {reason})
RULES: dict[str, tuple[tuple[str, ...], str]] = {
    "job.update": (FREELANCER, "“{title}”, on which you have bid, was changed: see what is different."),
    "job.hold": (CLIENT, "“{title}” is in review and cannot be seen meanwhile. {reason}"),
    "job.clear": (CLIENT, "“{title}” was reviewed and is open."),
    "job.remove": (CLIENT, "“{title}” was removed. {reason}"),
    "job.restore": (BOTH, "“{title}” is open again: its removal was wrong. Bids on it can be sent anew."),
    "job.expire": (CLIENT, "“{title}” has expired. You can renew it."),
    "invitation.send": (FREELANCER, "You are invited to propose on “{title}”."),
    "invitation.renew": (FREELANCER, "You are invited again to propose on “{title}”."),
    "invitation.accept": (CLIENT, "Your invitation to “{title}” was accepted."),
    "invitation.decline": (CLIENT, "Your invitation to “{title}” was declined. {reason}"),
    "invitation.expire": (FREELANCER, "“{title}”, to which you were invited, has ended."),
    "saved_search.match": (FREELANCER, "There are new posts for your search “{title}”."),
    "proposal.submit": (CLIENT, "A new proposal for “{title}”."),
    "proposal.shortlist": (FREELANCER, "Your proposal for “{title}” was shortlisted."),
    "proposal.decline": (FREELANCER, "Your proposal for “{title}” was declined. {reason}"),
    "proposal.archive": (FREELANCER, "Your proposal for “{title}” was closed. {reason}"),
    "proposal.withdraw": (CLIENT, "A proposal for “{title}” was withdrawn. {reason}"),
    "proposal.expire": (FREELANCER, "Your proposal for “{title}” ended. {reason}"),
    "proposal.ghost": (FREELANCER, "Your proposal for “{title}” got no answer in time. The client may still answer."),
    "proposal.credits_return": (FREELANCER, "Your bid credits for “{title}” are back. {reason}"),
    "contract.offer": (FREELANCER, "You have an offer for “{title}”."),
    "contract.accept": (CLIENT, "Your offer for “{title}” was accepted. Fund the first milestone so that work can start."),
    "contract.decline": (CLIENT, "Your offer for “{title}” was declined. {reason}"),
    "contract.expire": (BOTH, "The offer for “{title}” ran out without an answer."),
    "contract.change_offer": (FREELANCER, "The offer for “{title}” now says your terms. Accept it in time."),
    "counter_offer.make": (CLIENT, "The freelancer proposed other terms for “{title}”."),
    "counter_offer.decline": (FREELANCER, "Your terms for “{title}” were declined; the offer stands as it was. {reason}"),
    "counter_offer.withdraw": (CLIENT, "The other terms for “{title}” were withdrawn; the offer stands as it was. {reason}"),
    "contract.cancel": (BOTH, "The contract “{title}” was cancelled. {reason}"),
    "contract.complete": (BOTH, "The contract “{title}” is complete. Please review the other side."),
    "contract.pause": (BOTH, "The contract “{title}” is paused: its clocks stand still. {reason}"),
    "contract.resume": (BOTH, "The contract “{title}” goes on: its clocks run again."),
    "milestone.fund": (FREELANCER, "“{title}” is funded: the money is held, you can start."),
    "milestone.funding_refused": (BOTH, "A payment for “{title}” came too late. {reason}"),
    "milestone.submit": (CLIENT, "“{title}” was submitted. Approve it or ask for changes; silence approves it."),
    "milestone.request_changes": (FREELANCER, "Changes were requested on “{title}”."),
    "milestone.approve": (FREELANCER, "“{title}” was approved."),
    "milestone.release": (BOTH, "The money of “{title}” was released."),
    "milestone.clear": (FREELANCER, "The money of “{title}” is available for payout."),
    "milestone.refund": (CLIENT, "The money of “{title}” is back in your wallet. {reason}"),
    "contract.stop_hours": (BOTH, "The weeks of “{title}” were stopped: no new week begins. {reason}"),
    "contract.hours_settings": (FREELANCER, "The client changed how the weeks of “{title}” are funded."),
    "cap_change.propose": (BOTH, "Another weekly cap was proposed for “{title}”: please answer."),
    "cap_change.accept": (BOTH, "The new weekly cap of “{title}” was agreed; it holds for weeks that are not funded yet."),
    "cap_change.decline": (BOTH, "The new weekly cap of “{title}” was declined."),
    "cap_change.withdraw": (BOTH, "The proposed weekly cap of “{title}” was withdrawn. {reason}"),
    "timesheet.unprotected": (BOTH, "“{title}” began without money held: no hours can be logged before the client funds it."),
    "timesheet.funding_waits": (CLIENT, "“{title}” was not funded from your wallet: it will be as soon as it can. {reason}"),
    "timesheet.question": (FREELANCER, "Your client questioned hours (“{title}”). Answer in time: silence grants the questions."),
    "timesheet.answer": (CLIENT, "Your questions (“{title}”) were answered. Approve or dispute what stands; silence approves it."),
    "timesheet.grant": (BOTH, "The questions were granted (“{title}”); the money is back in the client's wallet. {reason}"),
    "milestone.remind_approval": (CLIENT, "Tomorrow silence approves “{title}” and releases its money. Answer before, if you disagree."),
    "milestone.approve_part": (FREELANCER, "A part of “{title}” was approved and released. You are asked about the rest."),
    "milestone.clear_part": (FREELANCER, "The money of a part of “{title}” is available for payout."),
    "milestone.refund_part": (BOTH, "A part of the money of “{title}” is back in the client's wallet. {reason}"),
    "milestone.close": (BOTH, "“{title}” is closed: a part of it was paid, the rest is held for it no more. {reason}"),
    "milestone.take_rest": (BOTH, "“{title}” took over what was left of the milestone before. {reason}"),
    "milestone.hold_alarm": (
        BOTH,
        "The money of “{title}” has been held for long. Hand in, approve or dispute: at its limit it returns to the client's wallet.",
    ),
    "milestone.hold_alarm_disputed": (BOTH, "The money of “{title}” has been held for long. At its limit staff decide the dispute."),
    "milestone.hold_reminder": (BOTH, "Tomorrow the money of “{title}” returns to the client's wallet, unless it is approved or disputed."),
    "refund_request.open": (FREELANCER, "The money of “{title}” is asked back. Answer in time: silence gives it back. {reason}"),
    "refund_request.open_roll": (
        FREELANCER,
        "The rest of “{title}” shall be held for the next milestone. Answer in time: silence moves it. {reason}",
    ),
    "refund_request.remind": (
        FREELANCER,
        "Tomorrow your silence moves held money of “{title}” as the client asked. Answer before, if you disagree.",
    ),
    "refund_request.accept": (CLIENT, "Your request for money of “{title}” was accepted; it has moved."),
    "refund_request.refuse": (CLIENT, "Your request for money of “{title}” was refused; you can dispute it. {reason}"),
    "refund_request.grant": (BOTH, "The request for money of “{title}” was not answered: the money has moved."),
    "refund_request.withdraw": (FREELANCER, "The request for money of “{title}” was withdrawn."),
    "refund_request.lapse": (BOTH, "The request for money of “{title}” lapsed; the money stays held. {reason}"),
    "work_request.extension": (BOTH, "A later due date is asked for “{title}”. {reason}"),
    "work_request.progress": (FREELANCER, "The client asks how far “{title}” is. {reason}"),
    "work_request.pause": (BOTH, "The other side asks to pause “{title}”. {reason}"),
    "work_request.accept": (BOTH, "Your request about “{title}” was accepted. {reason}"),
    "work_request.decline": (BOTH, "Your request about “{title}” was declined. {reason}"),
    "work_request.withdraw": (BOTH, "A request about “{title}” was withdrawn."),
    "work_task.add": (BOTH, "A task was added to “{title}”."),
    "progress_report.add": (CLIENT, "There is a report on the progress of “{title}”."),
    "bonus.give": (FREELANCER, "You were paid a bonus on “{title}”. {reason}"),
    "entry.fee_refund": (FREELANCER, "A fee that you paid for “{title}” was given back: it is on your available balance. {reason}"),
    "entry.client_fee": (CLIENT, "The service fee for “{title}”, tax included, is {amount}: it was taken from your wallet."),
    "entry.client_fee_refund": (CLIENT, "{amount} of the service fee for “{title}”, tax included, is back in your wallet."),
    "difference.age": (FREELANCER, "A difference with a gateway ({title}) is still open after {reason}: explain or book it."),
    "difference.ask": (FREELANCER, "The booking of a difference with a gateway ({title}) waits for a second person. {reason}"),
    "reconciliation.contradict": (
        FREELANCER,
        "A gateway takes back what it told ({title}), and nothing is compared until that is cleared up: ask it. {reason}",
    ),
    "processor_file.overrule": (
        FREELANCER,
        "A gateway's own list contradicts the file “{title}”, and the list counts: look where the file came from. Movements: {reason}",
    ),
    "fx_rate.age": (FREELANCER, "An exchange rate ({title}) is too old: nothing is exchanged at it. Import newer ones."),
    "fx_rate.near_age": (
        FREELANCER,
        "An exchange rate ({title}) is about to be too old: then nothing is exchanged at it. Import newer ones, or set it by hand.",
    ),
    "debt_write_off.ask": (FREELANCER, "A debt of {title} is to be written off: a second person has to agree. {reason}"),
    "debt_write_off.write_off": (
        OWNER,
        "We no longer count on the {title} that you owe us. It is not waived: what you pay in or earn in that currency pays it first.",
    ),
    "hand_rate.ask": (FREELANCER, "An exchange rate ({title}) that was set by hand waits for a second person. {reason}"),
    "hand_rate.set": (FREELANCER, "An exchange rate was set by hand: {title}. {reason}"),
    "hand_rate.refuse": (FREELANCER, "An exchange rate that was to be set by hand was refused: {title}. {reason}"),
    "fee_proposal.propose": (FREELANCER, "A version of the fees ({title}) was proposed: a second person has to agree. {reason}"),
    "fee_proposal.publish": (FREELANCER, "A version of the fees was published: {title}. {reason}"),
    "fee_proposal.refuse": (FREELANCER, "A version of the fees that was proposed was refused: {title}. {reason}"),
    "difference.ask_credit": (FREELANCER, "A credit out of suspense ({title}) waits for a second person. {reason}"),
    "payment.credit": (OWNER, "Another amount was received for your payment of {title}. It is in your wallet. {reason}"),
    "payout.resolve_ask": (FREELANCER, "A payout of {title} is to be resolved as failed: a second person has to agree. {reason}"),
    "payout.late_ask": (FREELANCER, "A payout of {title} that failed here is to count as paid: a second person has to agree. {reason}"),
    "payout.settle_late": (
        OWNER,
        "Your payout of {title} that we had told you had failed was paid to you after all: it is taken from your balance, and what is not "
        "there you owe us. {reason}",
    ),
    "payout.hold": (OWNER, "Your payout of {title} is held. {reason}"),
    "payout.clear": (OWNER, "Your payout of {title} is held no longer: it is sent now."),
    "payout.settle": (OWNER, "{title} was paid out to you."),
    "payout.fail": (OWNER, "Your payout of {title} failed; the money is on your available balance again. {reason}"),
    "payout.return": (OWNER, "Your payout of {title} came back; the money is on your available balance again. {reason}"),
    "payout_method.add_another": (
        OWNER,
        "A new place to be paid was added: {title}. Payouts to it wait for some days. If it was not you, remove it and change your password.",
    ),
    "payout_method.add": (OWNER, "You can now be paid out to {title}."),
    "payout_method.enable": (OWNER, "You can be paid out to {title} again."),
    "payout_method.restrict": (
        OWNER,
        "Payouts to {title} are stopped until you have answered what the provider asks. Go on with it there.",
    ),
    "payout_method.disconnect": (OWNER, "{title} is no longer connected: choose another place to be paid."),
    "payout_method.remove": (OWNER, "A place to be paid was removed: {title}. If it was not you, change your password."),
    "payout_schedule.skip": (OWNER, "Your planned payout in {title} was not made this time. {reason}"),
    "risk_hold.open": (OWNER, "New payments from your account are stopped for now. {reason}"),
    "risk_hold.release": (OWNER, "It was looked at: you can make payments again."),
    "risk_hold.lapse": (OWNER, "You can make payments again."),
    "bonus.clear": (FREELANCER, "Your bonus on “{title}” is available for payout."),
    "payment.fail": (OWNER, "Your payment of {title} did not succeed: nothing was taken. Try again, or pay another way."),
    "payment.cancel": (OWNER, "Your payment of {title} was given up: nothing was taken."),
    "payment_refund.succeed": (OWNER, "{title} were sent back the way you paid. It can take some days until your bank shows it."),
    "payment_refund.fail": (OWNER, "{title} could not be sent back the way you paid: they are in your wallet again."),
    "payment_refund.return": (OWNER, "Your bank sent {title} back to us: they are in your wallet again."),
    "chargeback.open": (OWNER, "Your bank took back a payment of {title} that you dispute. What your wallet lacks, you owe us."),
    "chargeback.win": (OWNER, "Your bank decided about {title}: the payment stands, and the money is in your wallet again."),
    "chargeback.lose": (OWNER, "Your bank decided about {title}: it keeps what it took back."),
    "saved_method.lapse": (OWNER, "Your saved card {title} can no longer be used: your bank or you took it away. Save another one."),
    "dispute.open": (BOTH, "“{title}” is disputed. Answer in time: if you stay silent, the claim is granted."),
    "dispute.withdraw": (BOTH, "The dispute on “{title}” was withdrawn."),
    "dispute.respond": (BOTH, "The other side answered the dispute on “{title}”: you can now make each other offers."),
    "dispute.offer": (BOTH, "There is a new offer in the dispute on “{title}”."),
    "dispute.propose": (BOTH, "A split was computed for the dispute on “{title}”. Accept it, or go on."),
    "dispute.call_for_evidence": (BOTH, "Hand in your evidence on “{title}”; afterwards staff decide."),
    "dispute.skip_evidence": (BOTH, "The dispute on “{title}” is a small claim: staff decide now."),
    "dispute.close_evidence": (BOTH, "Staff now decide the dispute on “{title}”."),
    "dispute.reach_hold_limit": (BOTH, "Staff now decide the dispute on “{title}”. {reason}"),
    "dispute.evidence": (BOTH, "The other side handed in evidence on “{title}”."),
    "dispute.decide": (BOTH, "The dispute on “{title}” was decided. You can accept the decision or appeal. {reason}"),
    "dispute.appeal": (BOTH, "The decision on “{title}” was appealed: another person decides."),
    "dispute.late": (BOTH, "The decision on “{title}” is late. It stays due, and we have been told."),
    "dispute.accept_claim": (BOTH, "The claim in the dispute on “{title}” was accepted; the money has moved."),
    "dispute.grant_claim": (BOTH, "The dispute on “{title}” was settled as claimed. {reason}"),
    "dispute.agree": (BOTH, "Your offers on “{title}” met: the dispute is settled."),
    "dispute.accept_proposal": (BOTH, "Both sides accepted the computed split of “{title}”: the dispute is settled."),
    "dispute.accept_decision": (BOTH, "Both sides accepted the decision on “{title}”: the money has moved."),
    "dispute.become_final": (BOTH, "The decision on “{title}” is final: the money has moved."),
    "dispute.decide_appeal": (BOTH, "The appeal on “{title}” was decided; the money has moved. {reason}"),
    "dispute.settle": (BOTH, "The dispute on “{title}” was settled. {reason}"),
    "review.write": (BOTH, "The other side has reviewed “{title}”. It opens when yours is in, or when the window shuts."),
    "review.reply": (BOTH, "There is an answer to your review of “{title}”."),
    "account.suspend": (OWNER, "Your account is suspended. What is held stays held, and the clocks of your contracts go on. {reason}"),
    "account.restore": (OWNER, "Your account is open again: you can sign in. {reason}"),
    "account.staff_change": (OWNER, "Your staff groups were changed. {reason}"),
    "account.impersonate_end": (OWNER, "Our staff looked into your account as you. No money could be moved. The reason: {reason}"),
    "review.open": (BOTH, "A review of “{title}” is open to read."),
    "moderation.warning": (CLIENT, "Please look at “{title}” again. {reason}"),
    "moderation.warn": (CLIENT, "A moderator warns you about “{title}”. {reason}"),
    "moderation.hold": (CLIENT, "“{title}” is out of view while moderators look at it. {reason}"),
    "moderation.clear": (CLIENT, "“{title}” was looked at and is back in view."),
    "moderation.lifted": (CLIENT, "“{title}” is back in view. {reason}"),
    "moderation.remove": (CLIENT, "“{title}” was removed. You can appeal. {reason}"),
    "moderation.remove_money": (CLIENT, "{title}: refused after a look at it. You can appeal. {reason}"),
    "moderation.suspend": (CLIENT, "Your account is suspended. You can appeal without signing in. {reason}"),
    "moderation.appeal_late": (CLIENT, "The decision on your appeal about “{title}” is late. It stays due, and we have been told."),
    "moderation.uphold": (CLIENT, "The decision about “{title}” stands. {reason}"),
    "moderation.overturn": (CLIENT, "The decision about “{title}” was wrong and is undone. {reason}"),
    "report.measures": (CLIENT, "Thank you for reporting “{title}”: something was done about it."),
    "report.no_breach": (CLIENT, "You reported “{title}”: we looked at it, and it breaks no rule."),
    "certification.verify": (OWNER, "Your certificate “{title}” was checked: it is verified."),
    "certification.refuse": (OWNER, "Your certificate “{title}” could not be verified. {reason}"),
    "company.verify": (OWNER, "Your company “{title}” was checked: it is verified."),
    "company.refuse": (OWNER, "Your company “{title}” could not be verified. {reason}"),
    "export.finish": (OWNER, "Your data is ready to download. The file is deleted after some days."),
    "export.fail": (OWNER, "Your data could not be put together. Please ask for it again."),
    "closing.request": (OWNER, "Your account will be closed on {title}. Until then you can take it back."),
    "closing.cancel": (OWNER, "Your account stays open: the closing was taken back."),
    "closing.put_off": (OWNER, "Your account could not be closed yet, next try {title}. {reason}"),
}


#: what also those are told who did it themselves: somebody else may have used their account, or it changes until when their money is held
OWN_ACTS = frozenset(
    {
        "closing.request",
        "closing.cancel",
        "entry.client_fee",
        "milestone.take_rest",
        "payout_method.add_another",
        "payout_method.remove",
    }
)


#: what people may set a pace for, with the first words of the event kinds in it
TOPICS: dict[str, tuple[str, ...]] = {
    "proposals": ("proposal", "invitation", "job"),
    "searches": ("saved_search",),
    "contracts": ("contract", "counter_offer", "milestone", "timesheet", "cap_change", "work_request", "work_task", "progress_report"),
    "money": (
        "payment",
        "payment_refund",
        "chargeback",
        "saved_method",
        "payout_method",
        "payout",
        "payout_schedule",
        "refund_request",
        "bonus",
        "entry",
        "difference",
        "reconciliation",
        "processor_file",
    ),
    "disputes": ("dispute",),
    "reviews": ("review",),
    "account": (),
}
#: security and moderation: these letters cannot be turned off
ALWAYS = frozenset({"account"})


#: what carries out a decision of moderation, when it names a case: the decision itself tells its author of it, with the way to appeal
_CARRIED_OUT = frozenset({"job.hold", "job.clear", "job.remove", "job.restore", "account.suspend", "account.restore"})

#: what staff do with somebody's post, though its first word says otherwise
_JUDGEMENTS = frozenset({"job.hold", "job.clear", "job.remove", "job.restore"})


def topic_of(kind: str) -> str:
    """The topic of an event kind; moderation, and what is in no other, belongs to the account."""
    if kind in _JUDGEMENTS:
        return "account"
    first = kind.partition(".")[0]
    return next((topic for topic, words in TOPICS.items() if first in words), "account")


@lru_cache
def words(language: str) -> dict[str, str]:
    """The sentences of a language by event kind, and the letter's own under names that begin with `letter_`; what is missing is English."""
    file = Path(__file__).parent / "words" / f"{language}.toml"
    if not language.isalpha() or not file.is_file():
        return {}
    return {str(k): str(v) for k, v in tomllib.loads(file.read_text(encoding="utf-8")).items()}


def say(name: str, language: str, english: str) -> str:
    """The sentence in the language where a translation is there, else in English."""
    return words(language).get(name, english)


def _reason(event: Event, language: str) -> str:
    """The event's reason: staff's own words as they are, a code of payments in the reader's language."""
    if event.actor_id is not None or event.kind.partition(".")[0] not in ("payout", "payout_schedule", "risk_hold"):
        return event.reason
    code = event.reason
    return say(f"reason_{code}", language, in_words(code)) if code in WORDS else in_words(code)


def _amount(event: Event) -> str:
    """What the event moved, for sentences that tell it; empty where it tells none."""
    minor, currency = event.after.get("amount_minor"), event.after.get("currency")
    return str(Money(minor, currency)) if isinstance(minor, int) and currency else ""


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence for one person, with the page it is about."""

    user_id: int
    text: str
    link: str


def notices(event: Event, languages: Callable[[list[int]], dict[int, str]] = lambda _: {}) -> list[Notice]:
    """Who is told of an event, and what, each in the language that `languages(user ids)` says. Empty for kinds without a rule."""
    kind = f"{event.kind}_money" if event.after.get("subject_type") in MONEY and f"{event.kind}_money" in RULES else event.kind
    rule = RULES.get(kind)
    if rule is None:
        return []
    told, sentence = rule
    then = SCENES_THEN.get(event.aggregate_type)
    scene = then(event.aggregate_id, event.occurred_at) if then else SCENES[event.aggregate_type](event.aggregate_id)
    client, freelancer, link, title = scene
    if event.kind in _CARRIED_OUT and "case_id" in event.after:
        client = None
    sides = {"client": (client,), "freelancer": freelancer if isinstance(freelancer, tuple) else (freelancer,)}
    concerned = dict.fromkeys(u for side in told for u in sides[side])
    people = [u for u in concerned if u is not None and (u != event.actor_id or event.kind in OWN_ACTS)]
    spoken = languages(people)
    found = []
    for user in people:
        language = spoken.get(user, "en")
        wording = say(kind, language, sentence)
        found.append(
            Notice(user, wording.format(title=title[:120], reason=_reason(event, language), amount=_amount(event)).strip()[:300], link)
        )
    return found
