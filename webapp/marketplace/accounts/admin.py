"""Staff's pages over people. Who may come in, and which staff groups they are in, changes through services only."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from allauth.idp.oidc.models import Client, Token
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group

from marketplace.core.admin import StaffAdmin

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
