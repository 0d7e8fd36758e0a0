"""Reviews for staff to read; what people wrote is not edited."""

from __future__ import annotations

from django.contrib import admin

from marketplace.core.admin import StaffAdmin

from .models import Review


@admin.register(Review)
class ReviewAdmin(StaffAdmin):
    list_display = ("id", "contract", "author_side", "rating", "written_at", "opened_at")
    list_filter = ("author_side", "rating")
    list_select_related = ("contract",)
    search_fields = ("=id", "=contract__id")
