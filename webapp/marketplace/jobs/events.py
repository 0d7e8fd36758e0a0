"""What jobs do when facts become known: the search follows posts, proposals, people, their reviews and skills' names; invitations follow bids
and the ends of posts; what points at a merged skill follows the merge."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from marketplace.accounts.selectors import chunks_of_users_claiming, users_of_profiles
from marketplace.core import events
from marketplace.core.models import Event

from . import selectors, services
from .models import Job, Proposal
from .search import people, posts

NAME = "jobs.search"
ENDS = ("close", "fill", "expire", "remove")
#: every event after which a post or a freelancer may appear in, change in or vanish from the search
FOLLOWED = (
    *(f"job.{a}" for a in ("publish", "clear", "renew", "restore", "update", "merge_skills", "hold", *ENDS)),
    *(f"proposal.{a}" for a in ("submit", "accept", "withdraw")),
    "user.update",
    *(f"account.{a}" for a in ("suspend", "restore", "close")),
    *(f"{kind}.{a}" for kind in ("client_profile", "freelancer_profile") for a in ("create", "update", "verify")),
    *(f"review.{a}" for a in ("open", "hide", "restore")),
)
#: events of one handler that are looked at together, and posts of one client that follow a change of the client's record
TOGETHER, POSTS_OF_A_CLIENT = 500, 2000


def follow(event: Event) -> None:
    """Bring the documents that the event touches up to date, and in the same commit those of the events that wait behind it.

    Those find their documents up to date when their turn comes. Delivered twice it changes nothing more.
    """
    jobs, freelancers = touched([event])
    if posts.SHELF.is_current(jobs) and people.SHELF.is_current(freelancers):
        return
    jobs, freelancers = touched([event, *events.waiting(NAME, TOGETHER)])
    posts.SHELF.sync(jobs)
    people.SHELF.sync(freelancers)


def touched(happened: Iterable[Event]) -> tuple[list[int], list[int]]:
    """Posts and freelancers whose documents these events may change."""
    jobs, clients, freelancers, proposals = set[int](), set[int](), set[int](), set[int]()
    profiles: dict[str, set[int]] = {"client_profile": set(), "freelancer_profile": set()}
    for event in happened:
        noun, _, act = event.kind.partition(".")
        if noun == "job":
            jobs.add(event.aggregate_id)
            if act in ("close", "fill", "expire"):
                clients |= set(Job.objects.filter(pk=event.aggregate_id).values_list("client", flat=True))
        elif noun == "proposal":
            proposals.add(event.aggregate_id)
        elif noun in profiles:
            profiles[noun].add(event.aggregate_id)
        else:
            user = event.after.get("subject_id") if noun == "review" else event.aggregate_id
            if user is not None:
                clients.add(user)
                freelancers.add(user)
    if proposals:
        for job, freelancer in Proposal.objects.filter(pk__in=proposals).values_list("job", "freelancer"):
            jobs.add(job)
            freelancers.add(freelancer)
    buying, selling = users_of_profiles(clients=profiles["client_profile"], freelancers=profiles["freelancer_profile"])
    for client in clients | buying:
        rows = Job.objects.filter(client=client, state="open").order_by("-pk")
        jobs |= set(rows.values_list("pk", flat=True)[:POSTS_OF_A_CLIENT])
    return sorted(jobs), sorted(freelancers | selling)


def follow_name(event: Event) -> None:
    """Bring the documents of all posts that ask for a renamed skill, and of all freelancers who claim it, up to date."""
    for ids in selectors.chunks_of_jobs_asking(event.aggregate_id, TOGETHER):
        posts.SHELF.sync(ids)
    for ids in chunks_of_users_claiming(event.aggregate_id, TOGETHER):
        people.SHELF.sync(ids)


def merged(event: Event) -> None:
    """Wake the batches that move what points at a merged skill; the beat finds what a lost wake-up leaves."""
    from .tasks import move_merged_skills

    transaction.on_commit(move_merged_skills.delay, robust=True)


def bid(event: Event) -> None:
    """Whoever bids has accepted the invitation."""
    services.invitation_follow_bid(job_id=event.after["job_id"], freelancer_id=event.actor_id or 0)


def ended(event: Event) -> None:
    """Invitations end with their post."""
    services.invitations_expire(job_id=event.aggregate_id)


def connect() -> None:
    """Called once by the app's config."""
    for kind in FOLLOWED:
        events.handler(kind, name=NAME)(follow)
    for action in ENDS:
        events.handler(f"job.{action}", name="jobs.invitations")(ended)
    events.handler("proposal.submit", name="jobs.invitations")(bid)
    events.handler("skill.rename", name="jobs.search")(follow_name)
    events.handler("skill.merge", name="jobs.merge")(merged)
