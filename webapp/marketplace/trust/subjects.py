"""What can be reported and moderated, whatever app it lives in: one view of it for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from marketplace.accounts.models import User
from marketplace.accounts.selectors import users_by_id
from marketplace.contracts.models import Submission
from marketplace.contracts.selectors import submission_for
from marketplace.core.errors import NotFound
from marketplace.core.policies import Actor, one_of
from marketplace.jobs.models import Job, Proposal
from marketplace.jobs.selectors import job_for, proposal_for
from marketplace.messaging.models import Message
from marketplace.payments.selectors import Risk, risk_on

from .models import Review
from .selectors import review_for


@dataclass(frozen=True, slots=True)
class Subject:
    """A thing with the person it is from, everybody else who has a stake in it, and the text that moderators read."""

    type: str
    id: int
    about_id: int
    parties: frozenset[int]
    title: str
    text: str
    link: str
    state: str = ""

    @property
    def key(self) -> str:
        return f"{self.type}:{self.id}"


def _job(job: Job) -> Subject:
    questions = [str(q) for q in job.screening_questions]
    text = "\n".join([job.title, job.description, *questions])
    return Subject("job", job.pk, job.client_id, frozenset({job.client_id}), job.title, text, f"/jobs/{job.pk}", job.state)


def _proposal(p: Proposal) -> Subject:
    parties = frozenset({p.freelancer_id, p.job.client_id})
    text = "\n".join([p.cover_letter, *map(str, p.answers)])
    return Subject("proposal", p.pk, p.freelancer_id, parties, p.job.title, text, f"/proposals/{p.pk}", p.state)


def _submission(s: Submission) -> Subject:
    contract = s.milestone.contract
    parties = frozenset({contract.client_id, contract.freelancer_id})
    return Subject(
        "submission", s.pk, contract.freelancer_id, parties, s.milestone.title, s.note, f"/contracts/{contract.pk}", s.milestone.state
    )


def _review(r: Review) -> Subject:
    parties = frozenset({r.author_id, r.subject_id})
    state = "hidden" if r.hidden_at else "open" if r.opened_at else "waiting"
    return Subject("review", r.pk, r.author_id, parties, r.contract.title, r.text, f"/contracts/{r.contract_id}", state)


def _reply(r: Review) -> Subject:
    parties = frozenset({r.author_id, r.subject_id})
    state = "hidden" if r.reply_hidden_at else "open"
    return Subject("reply", r.pk, r.subject_id, parties, r.contract.title, r.reply or "", f"/contracts/{r.contract_id}", state)


def _reply_for(actor: Actor, pk: int) -> Review:
    review = review_for(actor, pk)
    if review.reply is None or (review.reply_hidden_at is not None and review.subject_id != actor.pk):
        raise NotFound("reply")
    return review


def _message(m: Message) -> Subject:
    parties = frozenset({m.conversation.client_id, m.conversation.freelancer_id})
    return Subject("message", m.pk, m.author_id, parties, m.conversation.job.title, m.text, f"/jobs/{m.conversation.job_id}")


def _profile(user: User) -> Subject:
    client, freelancer = getattr(user, "client_profile", None), getattr(user, "freelancer_profile", None)
    parts = [user.display_name]
    if freelancer is not None:
        parts += [freelancer.title, freelancer.overview]
    if client is not None:
        parts += [client.company_name, client.about]
    state = "active" if user.is_active else "suspended"
    text = "\n".join(p for p in parts if p)
    return Subject("profile", user.pk, user.pk, frozenset({user.pk}), user.display_name, text, f"/freelancers/{user.pk}", state)


def _profile_for(actor: Actor, pk: int) -> User:
    user = users_by_id([pk]).get(pk)
    if user is None or not user.is_active or not (hasattr(user, "client_profile") or hasattr(user, "freelancer_profile")):
        raise NotFound("profile")
    return user


def _risk(risk: Risk) -> Subject:
    """What rules found; the page that it leads to is the person's own."""
    return Subject(risk.act, risk.subject_id, risk.user_id, frozenset({risk.user_id}), risk.title, risk.text, "/money", risk.state)


def _message_for(actor: Actor, pk: int) -> Message:
    rows = Message.objects.select_related("conversation__job")
    message = one_of(rows, pk, "message")
    if actor.pk not in (message.conversation.client_id, message.conversation.freelancer_id):
        raise NotFound("message")
    return message


_SEEN: dict[str, Callable[[Actor, int], Subject]] = {
    "job": lambda actor, pk: _job(job_for(actor, pk)),
    "proposal": lambda actor, pk: _proposal(proposal_for(actor, pk)),
    "submission": lambda actor, pk: _submission(submission_for(actor, pk)),
    "review": lambda actor, pk: _review(review_for(actor, pk)),
    "reply": lambda actor, pk: _reply(_reply_for(actor, pk)),
    "message": lambda actor, pk: _message(_message_for(actor, pk)),
    "profile": lambda actor, pk: _profile(_profile_for(actor, pk)),
}
_THERE: dict[str, Callable[[int], Subject]] = {
    "job": lambda pk: _job(Job.objects.get(pk=pk)),
    "proposal": lambda pk: _proposal(Proposal.objects.select_related("job").get(pk=pk)),
    "submission": lambda pk: _submission(Submission.objects.select_related("milestone__contract").get(pk=pk)),
    "review": lambda pk: _review(Review.objects.select_related("contract").get(pk=pk)),
    "reply": lambda pk: _reply(Review.objects.select_related("contract").get(pk=pk)),
    "message": lambda pk: _message(Message.objects.select_related("conversation__job").get(pk=pk)),
    "profile": lambda pk: _profile(users_by_id([pk])[pk]),
    "payment": lambda pk: _risk(risk_on("payment", pk)),
    "payout": lambda pk: _risk(risk_on("payout", pk)),
}
#: what people can report
REPORTABLE = tuple(_SEEN)


def subject_for(actor: Actor, subject_type: str, subject_id: int) -> Subject:
    """The thing, when the actor may see it. Raises NotFound."""
    return _SEEN[subject_type](actor, subject_id)


def subject(subject_type: str, subject_id: int) -> Subject:
    """The thing, for moderators and for what the system itself does; it exists, since nothing reported is ever deleted."""
    return _THERE[subject_type](subject_id)
