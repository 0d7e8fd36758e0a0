"""What accounts know of a person, and what is taken away when the account is erased."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from allauth.idp.oidc.models import Token
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession

from marketplace.core.models import StoredFile
from marketplace.core.personal import Obstacle, Part, rows_of

from .models import (
    AccountClosing,
    ApiToken,
    ClientProfile,
    CompanyDetails,
    DataExport,
    FreelancerProfile,
    FreelancerSkill,
    Impersonation,
    ProfileEntry,
    SignIn,
    Suspension,
    User,
)


def exported(*, user_id: int) -> dict[str, Part]:
    """The answer to ports.personal_data. Secrets (passwords, keys of second factors, tokens) are not data to hand out: only that they exist."""
    profile = FreelancerProfile.objects.filter(user=user_id)
    return {
        "account": rows_of(
            User.objects.filter(pk=user_id),
            *("id", "public_id", "email", "display_name", "country", "time_zone", "language", "display_currency"),
            *("is_active", "is_staff", "date_joined", "last_login"),
        ),
        "groups": rows_of(User.groups.through.objects.filter(user=user_id), group="group__name"),
        "email_addresses": rows_of(EmailAddress.objects.filter(user=user_id), "email", "verified", "primary"),
        "second_factors": rows_of(Authenticator.objects.filter(user=user_id), "type", "created_at", "last_used_at"),
        "sessions": rows_of(UserSession.objects.filter(user=user_id), "created_at", "last_seen_at", "ip", "user_agent"),
        "sign_ins": rows_of(SignIn.objects.filter(user=user_id), "at", "device"),
        "dashboard_tokens": rows_of(Token.objects.filter(user=user_id), "type", "created_at", "expires_at", client="client__name"),
        "social_accounts": rows_of(
            SocialAccount.objects.filter(user=user_id), "provider", "uid", "extra_data", "date_joined", "last_login"
        ),
        "api_tokens": rows_of(
            ApiToken.objects.filter(user=user_id), "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at"
        ),
        "suspensions": rows_of(Suspension.objects.filter(user=user_id), "reason", "at", "lifted_at"),
        "impersonations": rows_of(Impersonation.objects.filter(user=user_id), "reason", "started_at", "ended_at"),
        "client_profile": rows_of(
            ClientProfile.objects.filter(user=user_id), "id", "company_name", "about", "payment_verified", "created_at"
        ),
        "company": rows_of(CompanyDetails.objects.filter(profile__user=user_id), "website", "check_state", "checked_at", "check_reason"),
        "freelancer_profile": rows_of(
            profile,
            *("id", "title", "overview", "hourly_rate_minor", "currency", "experience_level", "years_experience", "availability"),
            *("hours_per_week", "languages", "category_id", "created_at"),
        ),
        "skills": rows_of(FreelancerSkill.objects.filter(freelancer__user=user_id), "id", "skill_id", "level", "years"),
        "profile_entries": rows_of(
            ProfileEntry.objects.filter(freelancer__user=user_id),
            *("id", "section", "position", "title", "organisation", "subject", "description", "started_on", "ended_on", "links"),
            *("check_state", "checked_at", "check_reason", "created_at"),
        ),
        "files": rows_of(
            StoredFile.objects.filter(owner_id=user_id),
            *("id", "name", "content_type", "size", "sha256", "uploaded_at", "attached_type", "attached_id"),
        ),
        "exports": rows_of(DataExport.objects.filter(user=user_id), "id", "state", "requested_at", "ready_at", "expires_at", "size"),
        "closings": rows_of(
            AccountClosing.objects.filter(user=user_id), "id", "state", "reason", "requested_at", "closes_at", "put_off_at"
        ),
    }


def obstacles(*, user_id: int) -> list[Obstacle]:
    """The answer to ports.closing_obstacles."""
    if User.objects.filter(pk=user_id, is_staff=True).exists():
        return [Obstacle("staff_account", "You are staff: an admin takes you out of the staff first.")]
    if Suspension.objects.filter(user=user_id, live=True).exists():
        return [Obstacle("suspended", "The account is suspended: it stays until the suspension is lifted.")]
    return []
