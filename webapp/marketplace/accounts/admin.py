"""Staff's pages over people: who they are, whether they may come in, and which staff groups they are in."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from .models import ClientProfile, FreelancerProfile, User


@admin.register(User)
class UserAdmin(admin.ModelAdmin):
    list_display = ("id", "display_name", "email", "country", "is_active", "is_staff", "date_joined")
    list_filter = ("is_active", "is_staff", "groups")
    search_fields = ("=id", "email", "display_name")
    fields = ("public_id", "email", "display_name", "country", "time_zone", "language", "is_active", "is_staff", "groups", "date_joined")
    readonly_fields = ("public_id", "email", "date_joined")
    filter_horizontal = ("groups",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # people sign up

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # an account is deactivated: money and contracts point at it


@admin.register(ClientProfile, FreelancerProfile)
class ProfileAdmin(admin.ModelAdmin):
    list_display = ("id", "user", "created_at")
    list_select_related = ("user",)
    raw_id_fields = ("user",)
    search_fields = ("=user__id",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
