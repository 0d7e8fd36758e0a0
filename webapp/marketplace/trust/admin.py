"""Reviews and cases for staff to read. What people wrote is not edited; cases are claimed and decided over the API."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from marketplace.core.admin import ClosedInline, StaffAdmin

from .models import Case, Report, Review


@admin.register(Review)
class ReviewAdmin(StaffAdmin):
    list_display = ("id", "contract", "author_side", "rating", "written_at", "opened_at")
    list_filter = ("author_side", "rating")
    list_select_related = ("contract",)
    search_fields = ("=id", "=contract__id")


class Reports(ClosedInline):
    model = Report


@admin.register(Case)
class CaseAdmin(StaffAdmin):
    see = "moderation_decide"
    list_display = ("id", "subject_type", "subject_id", "state", "about", "act", "reason_code", "decide_by", "claimed_by", "needs_second")
    list_filter = ("state", "subject_type", "act", "reason_code", "needs_second")
    list_select_related = ("about", "claimed_by")
    search_fields = ("=id", "=subject_id", "=about__id")
    inlines = (Reports,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Case]:
        """Without those about oneself: they say who reported one."""
        return super().get_queryset(request).exclude(about=request.user.pk)
