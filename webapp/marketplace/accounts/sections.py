"""The sections of a freelancer's profile: certifications, portfolio, experience, education. One table holds them; here is what its columns mean.

Services like those in services.py. Belongs here: writing entries, their order, and staff's check of a certificate or a company.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from django.db.models import Max

from marketplace.core import audit, clock, events, files
from marketplace.core.checks import Checks
from marketplace.core.errors import InvalidInput, NotAllowed
from marketplace.core.policies import one_of, require, require_staff
from marketplace.core.states import move
from marketplace.core.transactions import unit_of_work

from .models import ClientProfile, CompanyDetails, FreelancerProfile, ProfileEntry, User
from .services import user_locked
from .states import CERTIFICATION, COMPANY

MAX_LINKS = 10
Kind = Literal["text", "past", "day", "link", "links"]


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a section: its name outside, the column that holds it, and what it may be (`past` is a day that has come)."""

    name: str
    column: str
    kind: Kind = "text"
    required: bool = False
    longest: int = 200


SECTIONS: dict[str, tuple[Part, ...]] = {
    "certifications": (
        Part("name", "title", required=True),
        Part("issuer", "organisation", required=True),
        Part("issued_on", "started_on", "past", required=True),
        Part("expires_on", "ended_on", "day"),
        Part("credential_url", "links", "link"),
    ),
    "portfolio": (
        Part("title", "title", required=True),
        Part("description", "description", longest=5000),
        Part("finished_on", "ended_on", "past"),
        Part("links", "links", "links"),
    ),
    "experience": (
        Part("role", "title", required=True),
        Part("employer", "organisation", required=True),
        Part("description", "description", longest=5000),
        Part("started_on", "started_on", "past", required=True),
        Part("ended_on", "ended_on", "past"),
    ),
    "education": (
        Part("degree", "title", required=True),
        Part("school", "organisation", required=True),
        Part("field", "subject"),
        Part("description", "description", longest=5000),
        Part("started_on", "started_on", "past"),
        Part("ended_on", "ended_on", "day"),
    ),
}
MAX_ENTRIES = 50


def told(entry: ProfileEntry, part: Part) -> Any:
    """The value of one field as the outside calls it."""
    value = getattr(entry, part.column)
    return (value[0] if value else "") if part.kind == "link" else value


@unit_of_work
def entry_add(*, actor: User, section: str, file_ids: list[int] | None = None, **given: Any) -> ProfileEntry:
    """A new entry at the end of a section, with own uploads. Raises NotAllowed without a freelancer profile, InvalidInput with every wrong field."""
    profile = _own_profile(actor)
    there = ProfileEntry.objects.filter(freelancer=profile, section=section)
    if there.count() >= MAX_ENTRIES:
        message = f"At most {MAX_ENTRIES} entries. Delete one first."
        raise InvalidInput("section_full", message, {"section": [message]})
    values = _checked(section, given)
    last = there.aggregate(last=Max("position"))["last"] or 0
    entry = ProfileEntry.objects.create(freelancer=profile, section=section, position=last + 1, created_at=clock.now(), **values)
    files.attach(actor=actor, file_ids=file_ids or [], to=entry)
    _record(profile, actor, "entry_add", section, entry.pk)
    return entry


@unit_of_work
def entry_change(*, actor: User, section: str, entry_id: int, file_ids: list[int] | None = None, **given: Any) -> ProfileEntry:
    """Change the given fields of an own entry; `file_ids`, when given, is the whole list: what is missing from it is deleted.

    A certificate that staff had checked is unchecked again when what they checked changes. Raises NotFound, InvalidInput.
    """
    profile = _own_profile(actor)
    entry = _own_entry(profile, section, entry_id)
    before = {p.name: told(entry, p) for p in SECTIONS[section]}
    values = _checked(section, {**before, **given})
    for column, value in values.items():
        setattr(entry, column, value)
    entry.save(update_fields=sorted(values))
    touched = {p.name: told(entry, p) for p in SECTIONS[section]} != before
    if file_ids is not None:
        held = {f.pk for f in files.files_of(entry)}
        files.drop_files(of=entry, keep=file_ids)
        files.attach(actor=actor, file_ids=file_ids, to=entry)
        touched = touched or held != set(file_ids)
    if touched and section == "certifications" and entry.check_state != CERTIFICATION.initial:
        entry.checked_at, entry.checked_by, entry.check_reason = None, None, ""
        also = ["checked_at", "checked_by", "check_reason"]
        move(entry, CERTIFICATION, "recheck", role="owner", actor_id=actor.pk, field="check_state", also=also)
    if touched:
        _record(profile, actor, "entry_change", section, entry.pk)
    return entry


@unit_of_work
def entry_delete(*, actor: User, section: str, entry_id: int) -> None:
    """Take an own entry off the profile, with its files. Raises NotFound."""
    profile = _own_profile(actor)
    entry = _own_entry(profile, section, entry_id)
    files.drop_files(of=entry)
    pk = entry.pk
    entry.delete()
    _record(profile, actor, "entry_delete", section, pk)


@unit_of_work
def entries_order(*, actor: User, section: str, ids: list[int]) -> list[ProfileEntry]:
    """Put a section into this order: `ids` names each of its entries once. Raises InvalidInput."""
    profile = _own_profile(actor)
    there = {e.pk: e for e in ProfileEntry.objects.filter(freelancer=profile, section=section)}
    if sorted(ids) != sorted(there):
        message = "Name each entry of the section once."
        raise InvalidInput("order_invalid", message, {"ids": [message]})
    for position, pk in enumerate(ids, start=1):
        there[pk].position = position
    ProfileEntry.objects.bulk_update(there.values(), ["position"])
    return [there[pk] for pk in ids]


@unit_of_work
def certification_check(*, actor: User, entry_id: int, verdict: str, reason: str) -> ProfileEntry:
    """Staff's word on a certificate: `verify` or `refuse`, with a reason that its owner reads. Audited; nobody checks their own.

    Raises NotAllowed, NotFound, InvalidInput for an empty reason, Conflict when that already is the word.
    """
    require_staff(actor, "profile_verify")
    seen = one_of(ProfileEntry.objects.filter(section="certifications").select_related("freelancer"), entry_id, "certification")
    owner_id = seen.freelancer.user_id
    require(owner_id != actor.pk, "own_certification", "This is your own certificate: another member of staff checks it.")
    user_locked(owner_id)
    entry = one_of(ProfileEntry.objects.select_for_update(), entry_id, "certification")
    _check(entry, CERTIFICATION, actor, verdict, reason)
    return entry


@unit_of_work
def company_check(*, actor: User, user_id: int, verdict: str, reason: str) -> CompanyDetails:
    """Staff's word on a client's company, like certification_check. Raises NotFound when there is no such client."""
    require_staff(actor, "profile_verify")
    profile = one_of(ClientProfile.objects.filter(import_source=""), _client_profile_id(user_id), "client")
    require(profile.user_id != actor.pk, "own_company", "This is your own company: another member of staff checks it.")
    user_locked(user_id)
    CompanyDetails.objects.get_or_create(profile=profile)
    company = CompanyDetails.objects.select_for_update().get(profile=profile)
    _check(company, COMPANY, actor, verdict, reason)
    return company


def _client_profile_id(user_id: int) -> int:
    return ClientProfile.objects.filter(user=user_id).values_list("pk", flat=True).first() or 0


def _check(obj: ProfileEntry | CompanyDetails, machine: Any, actor: User, verdict: str, reason: str) -> None:
    checks = Checks()
    verdict = checks.choice("verdict", verdict, ("verify", "refuse"))
    reason = checks.text("reason", reason, longest=audit.REASON_LENGTH, shortest=1)
    checks.raise_if_any()
    before = obj.check_state
    obj.checked_at, obj.checked_by, obj.check_reason = clock.now(), actor, reason
    also = ["checked_at", "checked_by", "check_reason"]
    move(obj, machine, verdict, role="staff", actor_id=actor.pk, reason=reason, field="check_state", also=also)
    changed = {"before": {"check_state": before}, "after": {"check_state": obj.check_state}}
    audit.record(actor=actor, action="profile_verify", obj=obj, reason=reason, **changed)


def _own_profile(actor: User) -> FreelancerProfile:
    """The actor's freelancer profile; the user, its parent, is locked."""
    user_locked(actor.pk)
    profile = FreelancerProfile.objects.filter(user=actor).first()
    if profile is None:
        raise NotAllowed("freelancer_profile_missing", "Fill in your freelancer profile first.")
    return profile


def _own_entry(profile: FreelancerProfile, section: str, entry_id: int) -> ProfileEntry:
    mine = ProfileEntry.objects.filter(freelancer=profile, section=section)
    return one_of(mine.select_for_update(), entry_id, "entry")


def _record(profile: FreelancerProfile, actor: User, act: str, section: str, entry_id: int) -> None:
    after = {"section": section, "entry_id": entry_id}
    events.record(aggregate=profile, kind=f"freelancer_profile.{act}", actor_id=actor.pk, after=after)


def _checked(section: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of an entry. Raises InvalidInput with every wrong field."""
    checks = Checks()
    latest = clock.now().date() + timedelta(days=1)  # somewhere it is tomorrow already
    values = {part.column: _value(checks, part, given, latest) for part in SECTIONS[section]}
    start, end = values.get("started_on"), values.get("ended_on")
    if start is not None and end is not None and end < start:
        name = next(p.name for p in SECTIONS[section] if p.column == "ended_on")
        checks.add(name, "This lies before the beginning.")
    checks.raise_if_any()
    return values


def _value(checks: Checks, part: Part, given: Mapping[str, Any], latest: Any) -> Any:
    value = given.get(part.name)
    if part.kind == "text":
        return checks.text(part.name, value if value is not None else "", longest=part.longest, shortest=int(part.required))
    if part.kind == "link":
        link = checks.link(part.name, value if value is not None else "")
        return [link] if link else []
    if part.kind == "links":
        return _links(checks, part.name, value if value is not None else [])
    if value is None and part.required:
        checks.add(part.name, "This is required.")
    return checks.day(part.name, value, latest=latest if part.kind == "past" else None)


def _links(checks: Checks, name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > MAX_LINKS:
        checks.add(name, f"Give a list of at most {MAX_LINKS} web addresses.")
        return []
    found = [checks.link(f"{name}.{i}", v) for i, v in enumerate(value)]
    return [link for link in found if link]
