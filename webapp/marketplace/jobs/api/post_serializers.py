"""Shapes of what is around a post: its history, invitations, staff's moves, and what people keep for themselves. Types only."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from marketplace.core.api.serializers import Serializer
from marketplace.jobs.models import SavedSearch
from marketplace.jobs.states import INVITATION, JOB

from .search_serializers import JobSearch
from .serializers import ClientCard, FreelancerCard, JobCard


class JobChangeShape(Serializer):
    """One edit: the terms that changed, before and after. Skills are slugs, amounts minor units."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    by = ClientCard(source="actor")
    state = serializers.ChoiceField(choices=JOB.choices, help_text="The post's state at the time.")
    after_bids = serializers.BooleanField(help_text="Somebody had bid on the post: bidders see this change and were told.")
    before = serializers.DictField()
    after = serializers.DictField()


class InvitationShape(Serializer):
    """An invitation as the viewer sees it; `actions` are accept, decline and, once accepted, propose."""

    id = serializers.IntegerField()
    state = serializers.ChoiceField(choices=INVITATION.choices)
    job = JobCard()
    freelancer = FreelancerCard()
    message = serializers.CharField()
    created_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True)
    answered_at = serializers.DateTimeField(allow_null=True)
    decline_reason = serializers.CharField()
    actions = serializers.ListField(child=serializers.CharField())


class StaffReason(Serializer):
    """Why staff do something: it is kept in the audit, and whom it concerns reads it."""

    reason = serializers.CharField(max_length=500)


class MarkedJob(Serializer):
    """A saved or hidden post."""

    job = JobCard()
    created_at = serializers.DateTimeField()


class SavedSearchShape(Serializer):
    """A search under a name. `parameters` are the query of `GET /jobs`; `look_at` is when it is looked through next, null for never."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    parameters = serializers.DictField()
    pace = serializers.ChoiceField(choices=SavedSearch.Pace.choices)
    created_at = serializers.DateTimeField()
    look_at = serializers.DateTimeField(allow_null=True)


#: what belongs to one page of a search, not to the search
_OF_THE_PAGE = ("cursor", "limit", "facets")


class SearchParameters(serializers.DictField):
    """The query of `GET /jobs`, read by the search's own reader; only what was given is kept, and no place in the list."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        given = super().to_internal_value(data)
        read = JobSearch(data={k: v for k, v in given.items() if k not in _OF_THE_PAGE})
        if unknown := sorted(set(given) - set(read.fields)):
            raise serializers.ValidationError({name[:80]: ["The search knows no such parameter."] for name in unknown[:20]})
        read.is_valid(raise_exception=True)
        return {name: value for name, value in read.validated_data.items() if name in given and name not in _OF_THE_PAGE and value != ""}


class SavedSearchWrite(Serializer):
    name = serializers.CharField(max_length=100)
    parameters = SearchParameters()
    pace = serializers.ChoiceField(choices=SavedSearch.Pace.choices, required=False, default="daily")


class ShortlistShape(Serializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    size = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class ShortlistWrite(Serializer):
    name = serializers.CharField(max_length=100)


class ShortlistedCard(FreelancerCard):
    title = serializers.CharField(help_text="Empty when the profile is closed.")


class ShortlistItemShape(Serializer):
    """A freelancer on a shortlist; the note is the client's alone."""

    freelancer = ShortlistedCard()
    note = serializers.CharField()
    added_at = serializers.DateTimeField()


class ShortlistNote(Serializer):
    note = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")


class SkillMerge(StaffReason):
    into = serializers.CharField(max_length=80, help_text="The slug of the skill that stays.")


class SkillRename(StaffReason):
    name = serializers.CharField(max_length=100)
