"""Staff's pages over people. Who may come in, and which staff groups they are in, changes through services only."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from allauth.idp.oidc.models import Client, Token
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group

from marketplace.core.admin import ClosedInline, StaffAdmin

from .access_models import ImpersonatedRequest, Impersonation, Suspension
from .models import ClientProfile, FreelancerProfile, User

# The packages' own pages would let rows be edited by hand that only their flows may change: second factors, sessions, tokens.
for _model in (EmailAddress, Authenticator, UserSession, Client, Token, Group, SocialAccount, SocialApp, SocialToken):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


@admin.register(User)
class UserAdmin(StaffAdmin):
    list_display = ("id", "display_name", "email", "country", "is_active", "is_staff", "date_joined")
    list_filter = ("is_active", "is_staff", "groups")
    search_fields = ("=id", "=email")
    fields = ("public_id", "email", "display_name", "country", "time_zone", "language", "is_active", "is_staff", "groups", "date_joined")
    bulk_acts = ("user_suspend", "user_restore")


@admin.register(Suspension)
class SuspensionAdmin(StaffAdmin):
    list_display = ("id", "user", "reason", "at", "by", "lifted_at", "lifted_by")
    list_select_related = ("user", "by", "lifted_by")
    search_fields = ("=user__id",)


class ImpersonatedRequests(ClosedInline):
    model = ImpersonatedRequest


@admin.register(Impersonation)
class ImpersonationAdmin(StaffAdmin):
    see = "audit_see"
    list_display = ("id", "staff", "user", "reason", "started_at", "expires_at", "ended_at")
    list_select_related = ("staff", "user")
    search_fields = ("=user__id", "=staff__id")
    inlines = (ImpersonatedRequests,)


@admin.register(ClientProfile, FreelancerProfile)
class ProfileAdmin(StaffAdmin):
    list_display = ("id", "user", "created_at")
    list_select_related = ("user",)
    search_fields = ("=user__id",)


@admin.register(Group)
class RoleAdmin(StaffAdmin):
    """The staff groups and what each may do."""

    see = "audit_see"
    list_display = ("name",)
    fields = ("name", "permissions")
