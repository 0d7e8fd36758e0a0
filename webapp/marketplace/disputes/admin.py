"""Disputes for staff to read. Decisions go through the API, which moves the money with them."""

from __future__ import annotations

from django.contrib import admin

from marketplace.core.admin import StaffAdmin

from .models import Dispute


@admin.register(Dispute)
class DisputeAdmin(StaffAdmin):
    list_display = ("id", "milestone", "state", "held_minor", "currency", "opened_at", "decide_by", "settled_at")
    list_filter = ("state", "currency")
    list_select_related = ("milestone",)
    search_fields = ("=id", "=milestone__id")
