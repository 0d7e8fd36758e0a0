"""What jobs do when facts become known: the search follows posts, proposals, people and their reviews."""

from __future__ import annotations

from collections.abc import Iterable

from marketplace.accounts.selectors import users_of_profiles
from marketplace.core import events
from marketplace.core.models import Event

from .models import Job, Proposal
from .search import people, posts

NAME = "jobs.search"
#: every event after which a post or a freelancer may appear in, change in or vanish from the search
FOLLOWED = (
    *(f"job.{a}" for a in ("publish", "clear", "renew", "update", "hold", "close", "fill", "expire", "remove")),
    *(f"proposal.{a}" for a in ("submit", "accept", "withdraw")),
    *(f"user.{a}" for a in ("update", "suspend", "restore", "close", "reopen")),
    *(f"{kind}.{a}" for kind in ("client_profile", "freelancer_profile") for a in ("create", "update", "verify")),
    "review.open",
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


def connect() -> None:
    """Called once by the app's config."""
    for kind in FOLLOWED:
        events.handler(kind, name=NAME)(follow)
