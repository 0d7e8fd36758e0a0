"""Staff's pages over the catalogue, posts and proposals. States change through services only: here they are read."""

from __future__ import annotations

from django.contrib import admin

from marketplace.core.admin import ClosedInline, StaffAdmin

from .models import BidCreditAccount, BidCreditMovement, Category, Invitation, Job, JobSkill, Proposal, Skill, SkillAlias, SkillSource


class JobSkills(ClosedInline):
    model = JobSkill


@admin.register(Job)
class JobAdmin(StaffAdmin):
    list_display = ("id", "title", "state", "client", "category", "pricing", "currency", "proposal_count", "opened_at")
    list_filter = ("state", "pricing", "category", "visibility")
    list_select_related = ("client", "category")
    search_fields = ("=id", "=client__id")
    inlines = (JobSkills,)
    bulk_acts = ("job_hold", "job_clear", "job_remove", "job_restore")


@admin.register(Proposal)
class ProposalAdmin(StaffAdmin):
    list_display = ("id", "job", "freelancer", "state", "amount_minor", "currency", "submitted_at", "decided_at")
    list_filter = ("state",)
    list_select_related = ("job", "freelancer")
    search_fields = ("=id", "=job__id")


class BidCreditMovements(ClosedInline):
    model = BidCreditMovement
    fields = ("number", "kind", "change", "balance", "proposal", "rule", "at")
    ordering = ("-number",)


@admin.register(BidCreditAccount)
class BidCreditAccountAdmin(StaffAdmin):
    list_display = ("freelancer", "balance", "next_grant_at")
    list_select_related = ("freelancer",)
    search_fields = ("=freelancer__id",)
    inlines = (BidCreditMovements,)


@admin.register(Category, Skill, SkillAlias, SkillSource, Invitation)
class CatalogueAdmin(StaffAdmin):
    """Loaded from the taxonomy's files, hence read only."""
