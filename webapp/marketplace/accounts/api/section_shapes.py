"""Shapes of the sections of a profile: the fields are those of accounts.sections, who sees which is accounts.policies'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from marketplace.accounts.models import ProfileEntry
from marketplace.accounts.policies import PUBLIC_FILES, seen_by
from marketplace.accounts.sections import MAX_ENTRIES, MAX_LINKS, SECTIONS, told
from marketplace.accounts.states import CERTIFICATION
from marketplace.core import files
from marketplace.core.api.fields import MAX_ID, WholeNumber
from marketplace.core.api.files import FileIds, FileOut
from marketplace.core.api.serializers import Serializer


class _Entry(Serializer):
    id = serializers.IntegerField(read_only=True)


class _WithFiles(_Entry):
    file_ids = FileIds(write_only=True, help_text="Own uploads; when sent with a change, the whole list.")
    files = FileOut(many=True, read_only=True, required=False)


def _link(**extra: Any) -> serializers.CharField:
    return serializers.CharField(max_length=500, help_text="Beginning with https:// or http://.", **extra)


class CertificationIn(_WithFiles):
    name = serializers.CharField(max_length=200)
    issuer = serializers.CharField(max_length=200)
    issued_on = serializers.DateField()
    expires_on = serializers.DateField(allow_null=True, default=None)
    credential_url = _link(allow_blank=True, default="")


class CertificationOut(CertificationIn):
    """A certificate and staff's word on it. The credential's file and the reason are for its owner and staff who check."""

    files = FileOut(many=True, required=False)
    check_state = serializers.ChoiceField(choices=CERTIFICATION.choices)
    checked_at = serializers.DateTimeField(allow_null=True, required=False)
    check_reason = serializers.CharField(required=False)


class PortfolioIn(_WithFiles):
    title = serializers.CharField(max_length=200)
    description = serializers.CharField(max_length=5000, allow_blank=True, default="")
    finished_on = serializers.DateField(allow_null=True, default=None)
    links = serializers.ListField(child=_link(), max_length=MAX_LINKS, default=list)


class PortfolioOut(PortfolioIn):
    """A piece of work with its files and links."""


class ExperienceIn(_Entry):
    role = serializers.CharField(max_length=200)
    employer = serializers.CharField(max_length=200)
    description = serializers.CharField(max_length=5000, allow_blank=True, default="")
    started_on = serializers.DateField()
    ended_on = serializers.DateField(allow_null=True, default=None, help_text="Null while it lasts.")


class ExperienceOut(ExperienceIn):
    """A position held."""


class EducationIn(_Entry):
    degree = serializers.CharField(max_length=200)
    school = serializers.CharField(max_length=200)
    field = serializers.CharField(max_length=200, allow_blank=True, default="")
    description = serializers.CharField(max_length=5000, allow_blank=True, default="")
    started_on = serializers.DateField(allow_null=True, default=None)
    ended_on = serializers.DateField(allow_null=True, default=None)


class EducationOut(EducationIn):
    """A school and what was learnt there."""


class EntryOrder(Serializer):
    ids = serializers.ListField(
        child=WholeNumber(min_value=1, max_value=MAX_ID), max_length=MAX_ENTRIES, help_text="Every entry of the section once."
    )


class Verdict(Serializer):
    """Staff's word."""

    verdict = serializers.ChoiceField(choices=["verify", "refuse"])
    reason = serializers.CharField(max_length=500, help_text="The owner reads it, and the audit keeps it.")


class CertificationQueueItem(CertificationOut):
    """A certificate as staff who check it see it."""

    user_id = serializers.IntegerField(read_only=True)
    display_name = serializers.CharField(read_only=True)


class CertificationQueuePage(Serializer):
    results = CertificationQueueItem(many=True)
    next = serializers.CharField(allow_null=True, help_text="Path and query of the next page; null at the end.")


class HintOut(Serializer):
    """One thing that a good profile has."""

    name = serializers.CharField()
    weight = serializers.IntegerField(help_text="Its share of the whole, in per cent.")
    advice = serializers.CharField()


class CompletenessOut(Serializer):
    """How complete the own freelancer profile is."""

    percent = serializers.IntegerField()
    missing = HintOut(many=True, help_text="What is not there yet, the weightiest first.")
    there = HintOut(many=True)


def entries_told(entries: Sequence[ProfileEntry], audience: str) -> dict[int, dict[str, Any]]:
    """Entries as this audience sees them, by id; one query for all their files."""
    with_files = [e for e in entries if e.section in PUBLIC_FILES or (e.section == "certifications" and audience != "public")]
    attached = files.files_of_many(with_files)
    listed = {e.pk for e in with_files}
    columns = seen_by(audience, "profile_entry")
    found = {}
    for entry in entries:
        shown: dict[str, Any] = {"id": entry.pk}
        shown |= {part.name: told(entry, part) for part in SECTIONS[entry.section] if part.column in columns}
        if entry.section == "certifications":
            shown |= {name: getattr(entry, name) for name in ("check_state", "checked_at", "check_reason") if name in columns}
        if entry.pk in listed:
            shown["files"] = FileOut(attached.get(entry.pk, []), many=True).data
        found[entry.pk] = shown
    return found
