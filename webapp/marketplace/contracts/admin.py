"""Contracts for staff to read. States and money change through services only, so everything here is read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from .models import Contract, Milestone, Submission


class _ReadOnly:
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MilestoneInline(_ReadOnly, admin.TabularInline):
    model = Milestone
    fields = ("position", "title", "state", "amount_minor", "currency", "due_at", "auto_approve_at", "clears_at")
    extra = 0


class SubmissionInline(_ReadOnly, admin.StackedInline):
    model = Submission
    extra = 0


@admin.register(Contract)
class ContractAdmin(_ReadOnly, admin.ModelAdmin):
    list_display = ("id", "title", "state", "client", "freelancer", "total_minor", "currency", "started_at", "ended_at")
    list_filter = ("state", "currency", "pricing")
    list_select_related = ("client", "freelancer")
    search_fields = ("title",)
    inlines = (MilestoneInline,)


@admin.register(Milestone)
class MilestoneAdmin(_ReadOnly, admin.ModelAdmin):
    list_display = ("id", "title", "contract", "state", "amount_minor", "currency", "funded_at", "released_at", "cleared_at")
    list_filter = ("state", "currency", "approved_by_clock")
    list_select_related = ("contract",)
    inlines = (SubmissionInline,)
