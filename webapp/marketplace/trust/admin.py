"""Reviews and cases for staff to read. What people wrote is not edited; cases are claimed and decided over the API."""

from __future__ import annotations

from django.contrib import admin

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
