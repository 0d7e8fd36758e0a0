"""What trust does when facts become known: texts that were handed over are read, one look at one object an event."""

from __future__ import annotations

from marketplace.core import events
from marketplace.core.models import Event
from marketplace.payments.selectors import risk_on

from . import services

#: event kind → what was handed over
READ = {
    "job.publish": "job",
    "job.hold": "job",
    "job.update": "job",
    "proposal.submit": "proposal",
    "review.write": "review",
    "review.edit": "review",
    "review.reply": "reply",
    "freelancer_profile.create": "profile",
    "freelancer_profile.update": "profile",
}


def connect() -> None:
    """Called once by the app's config."""
    for kind in READ:
        events.handler(kind, name="trust.read_text")(read)
    events.handler("risk_hold.open", name="trust.open_risk_case")(risk)


def risk(event: Event) -> None:
    """A velocity rule holds something: a case for it. Safe to run twice: while the case lives it is the same, and what was decided is not asked
    again."""
    if risk_on(event.after["act"], event.after["subject_id"]).open:
        services.case_open_risk(act=event.after["act"], subject_id=event.after["subject_id"])


def read(event: Event) -> None:
    """Safe to run twice: the same content is read once."""
    kind = READ[event.kind]
    subject_id = event.actor_id if kind == "profile" else event.aggregate_id  # a profile is named by its user
    if subject_id is not None:
        services.text_flag(subject_type=kind, subject_id=subject_id)
