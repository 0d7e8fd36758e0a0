"""Disputes for staff to read. Decisions go through the API, which moves the money with them."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from .models import Dispute


@admin.register(Dispute)
class DisputeAdmin(admin.ModelAdmin):
    list_display = ("id", "milestone", "state", "held_minor", "currency", "opened_at", "decide_by", "settled_at")
    list_filter = ("state", "currency")
    list_select_related = ("milestone",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Dispute | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Dispute | None = None) -> bool:
        return False
