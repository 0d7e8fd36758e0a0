"""What people keep for themselves: saved and hidden posts of anybody, shortlists of clients."""

from __future__ import annotations

from django.conf import settings
from django.db.models import QuerySet

from marketplace.accounts.models import User
from marketplace.accounts.selectors import client_profile_of, freelancer_for
from marketplace.accounts.services import user_locked
from marketplace.core import clock
from marketplace.core.checks import Checks
from marketplace.core.errors import Conflict
from marketplace.core.policies import one_of, require
from marketplace.core.transactions import unit_of_work

from ..models import JobMark, Shortlist, ShortlistItem
from ..policies import jobs_visible_to

NAME_LENGTH, NOTE_LENGTH = 100, 2000


@unit_of_work
def job_mark(*, actor: User, job_id: int, kind: str) -> JobMark:
    """Save or hide a post: `kind` is one of JobMark.Kind. The other mark goes; marking twice is marking once.

    Raises NotFound for an invisible post, Conflict("marks_full") beyond MAX_JOB_MARKS of the kind.
    """
    one_of(jobs_visible_to(actor), job_id, "job")
    user_locked(actor.pk)
    there = JobMark.objects.filter(user=actor, job=job_id).first()
    if there is not None and there.kind == kind:
        return there
    if JobMark.objects.filter(user=actor, kind=kind).count() >= settings.MAX_JOB_MARKS:
        raise Conflict("marks_full", f"You have {settings.MAX_JOB_MARKS} {kind} posts: that is the most. Take some off the list first.")
    values = {"kind": kind, "created_at": clock.now()}
    return JobMark.objects.update_or_create(user=actor, job_id=job_id, defaults=values)[0]


@unit_of_work
def job_unmark(*, actor: User, job_id: int, kind: str) -> None:
    """Take a post off the list; no error when it is not on it."""
    JobMark.objects.filter(user=actor, job=job_id, kind=kind).delete()


@unit_of_work
def shortlist_create(*, actor: User, name: str) -> Shortlist:
    """A new, empty list of a client. Raises NotAllowed without a client profile, InvalidInput, Conflict("shortlists_full")."""
    require(
        client_profile_of(actor.pk) is not None,
        "client_profile_missing",
        "Fill in your client profile first: only clients keep shortlists.",
    )
    said = _text("name", name, longest=NAME_LENGTH, shortest=1)
    user_locked(actor.pk)
    if Shortlist.objects.filter(client=actor).count() >= settings.MAX_SHORTLISTS:
        raise Conflict("shortlists_full", f"You have {settings.MAX_SHORTLISTS} shortlists: that is the most. Delete one first.")
    return Shortlist.objects.create(client=actor, name=said, created_at=clock.now())


@unit_of_work
def shortlist_rename(*, actor: User, shortlist_id: int, name: str) -> Shortlist:
    """Raises NotFound, InvalidInput."""
    shortlist = one_of(_own_locked(actor), shortlist_id, "shortlist")
    shortlist.name = _text("name", name, longest=NAME_LENGTH, shortest=1)
    shortlist.save(update_fields=["name"])
    return shortlist


@unit_of_work
def shortlist_delete(*, actor: User, shortlist_id: int) -> None:
    """With everybody on it. Raises NotFound."""
    one_of(_own_locked(actor), shortlist_id, "shortlist").delete()


@unit_of_work
def shortlist_put(*, actor: User, shortlist_id: int, freelancer_id: int, note: str = "") -> ShortlistItem:
    """Put a freelancer on an own list with a private note, or change the note.

    Raises NotFound for a list or a freelancer that is not there, InvalidInput, Conflict("shortlist_full").
    """
    shortlist = one_of(_own_locked(actor), shortlist_id, "shortlist")
    said = _text("note", note, longest=NOTE_LENGTH)
    there = ShortlistItem.objects.filter(shortlist=shortlist, freelancer=freelancer_id).first()
    if there is not None:
        there.note = said
        there.save(update_fields=["note"])
        return there
    freelancer_for(actor, freelancer_id)
    if ShortlistItem.objects.filter(shortlist=shortlist).count() >= settings.MAX_SHORTLISTED:
        raise Conflict("shortlist_full", f"{settings.MAX_SHORTLISTED} freelancers are on this list: that is the most.")
    return ShortlistItem.objects.create(shortlist=shortlist, freelancer_id=freelancer_id, note=said, added_at=clock.now())


@unit_of_work
def shortlist_take_off(*, actor: User, shortlist_id: int, freelancer_id: int) -> None:
    """No error when the freelancer is not on it. Raises NotFound for a list that is not there."""
    shortlist = one_of(_own_locked(actor), shortlist_id, "shortlist")
    ShortlistItem.objects.filter(shortlist=shortlist, freelancer=freelancer_id).delete()


def _own_locked(actor: User) -> QuerySet[Shortlist]:
    return Shortlist.objects.select_for_update().filter(client=actor.pk)


def _text(field: str, value: str, *, longest: int, shortest: int = 0) -> str:
    checks = Checks()
    said = checks.text(field, value, longest=longest, shortest=shortest)
    checks.raise_if_any()
    return said
