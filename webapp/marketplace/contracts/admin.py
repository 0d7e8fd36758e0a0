"""Contracts for staff to read. States and money change through services only."""

from __future__ import annotations

from django.contrib import admin

from marketplace.core.admin import ClosedInline, StaffAdmin

from .hours_models import TimeEntry, Timesheet
from .models import Contract, CounterOffer, Milestone, Submission


class MilestoneInline(ClosedInline):
    model = Milestone
    fields = ("position", "title", "state", "amount_minor", "currency", "due_at", "auto_approve_at", "clears_at")


class SubmissionInline(ClosedInline):
    model = Submission


@admin.register(Contract)
class ContractAdmin(StaffAdmin):
    list_display = ("id", "title", "state", "client", "freelancer", "total_minor", "currency", "started_at", "ended_at")
    list_filter = ("state", "currency", "pricing")
    list_select_related = ("client", "freelancer")
    search_fields = ("=id", "=client__id", "=freelancer__id")
    inlines = (MilestoneInline,)


@admin.register(Milestone)
class MilestoneAdmin(StaffAdmin):
    list_display = ("id", "title", "contract", "state", "amount_minor", "currency", "funded_at", "released_at", "cleared_at")
    list_filter = ("state", "currency", "approved_by_clock")
    list_select_related = ("contract",)
    search_fields = ("=id", "=contract__id")
    inlines = (SubmissionInline,)


@admin.register(Submission)
class SubmissionAdmin(StaffAdmin):
    list_display = ("id", "milestone", "version", "submitted_at", "change_requested_at")
    list_select_related = ("milestone",)
    search_fields = ("=milestone__id",)


class TimeEntries(ClosedInline):
    model = TimeEntry


@admin.register(Timesheet)
class TimesheetAdmin(StaffAdmin):
    list_display = ("id", "contract", "week_start", "part", "minutes", "cap_minutes", "closes_at", "closed_at")
    list_select_related = ("contract",)
    search_fields = ("=contract__id",)
    inlines = (TimeEntries,)


@admin.register(CounterOffer)
class CounterOfferAdmin(StaffAdmin):
    list_display = ("id", "contract", "state", "total_minor", "made_at", "decided_at")
    list_select_related = ("contract",)
    list_filter = ("state",)
    search_fields = ("=contract__id",)
