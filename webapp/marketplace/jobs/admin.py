"""Staff's pages over the catalogue, posts and proposals. States change through services only: here they are read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from .models import Category, Invitation, Job, JobSkill, Proposal, Skill, SkillAlias


class ReadOnly(admin.ModelAdmin):
    """Seen, never changed: what happened is told by services and events."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class JobSkills(admin.TabularInline):
    model = JobSkill
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Job)
class JobAdmin(ReadOnly):
    list_display = ("id", "title", "state", "client", "category", "pricing", "currency", "proposal_count", "opened_at")
    list_filter = ("state", "pricing", "category", "visibility")
    list_select_related = ("client", "category")
    search_fields = ("=id", "title")
    show_full_result_count = False
    inlines = (JobSkills,)


@admin.register(Proposal)
class ProposalAdmin(ReadOnly):
    list_display = ("id", "job", "freelancer", "state", "amount_minor", "currency", "submitted_at", "decided_at")
    list_filter = ("state",)
    list_select_related = ("job", "freelancer")
    search_fields = ("=id", "=job__id")
    show_full_result_count = False


@admin.register(Category, Skill, SkillAlias, Invitation)
class CatalogueAdmin(ReadOnly):
    """Loaded from the taxonomy's files, hence read only."""
