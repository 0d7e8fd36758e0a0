"""People and their two possible roles. One account may hold a client and a freelancer profile."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.utils import timezone

from marketplace.core.fields import StampedModel

from .access_models import ApiToken as ApiToken
from .access_models import ImpersonatedRequest as ImpersonatedRequest
from .access_models import Impersonation as Impersonation
from .access_models import SignIn as SignIn
from .access_models import Suspension as Suspension
from .states import CERTIFICATION, CLOSING, COMPANY, EXPORT


class UserManager(BaseUserManager["User"]):
    """Creates users by e-mail address."""

    def create_user(self, email: str, password: str | None = None, **extra: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **extra: Any) -> User:
        return self.create_user(email, password, **{"is_staff": True, "is_superuser": True, **extra})


class User(AbstractBaseUser, PermissionsMixin, StampedModel):
    """One person. `email` is private; pages show `display_name`."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False, help_text="The OIDC subject.")
    email = models.EmailField(unique=True, max_length=191)
    display_name = models.CharField(max_length=100)
    country = models.CharField(max_length=2, blank=True, help_text="ISO 3166-1 alpha-2.")
    time_zone = models.CharField(max_length=64, default="UTC")
    language = models.CharField(max_length=8, default="en")
    display_currency = models.CharField(max_length=3, default="USD")
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    date_joined = models.DateTimeField(default=timezone.now)

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["display_name"]

    class Meta:
        indexes = [models.Index(fields=["updated_at", "id"], name="user_stamp")]

    def __str__(self) -> str:
        return f"{self.display_name} (#{self.pk})"


class ClientProfile(StampedModel):
    """The buying side of a user."""

    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="client_profile")
    company_name = models.CharField(max_length=200, blank=True)
    about = models.TextField(blank=True, max_length=5000)
    payment_verified = models.BooleanField(
        default=False, help_text="A payment of theirs has succeeded. It stays so: refunds and chargebacks are told by the client's record."
    )
    import_source = models.CharField(max_length=64, blank=True, help_text="Set when the client stands for imported posts.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["updated_at", "id"], name="client_stamp")]

    def __str__(self) -> str:
        return self.company_name or f"client of user {self.user_id}"


class FreelancerProfile(StampedModel):
    """The selling side of a user."""

    class Level(models.TextChoices):
        ENTRY = "entry"
        INTERMEDIATE = "intermediate"
        EXPERT = "expert"

    class Availability(models.TextChoices):
        AVAILABLE = "available"
        PARTLY = "partly"
        UNAVAILABLE = "unavailable"

    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="freelancer_profile")
    title = models.CharField(max_length=120)
    overview = models.TextField(blank=True, max_length=5000)
    hourly_rate_minor = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3, default="USD")
    experience_level = models.CharField(max_length=12, choices=Level.choices, default=Level.INTERMEDIATE)
    years_experience = models.PositiveSmallIntegerField(default=0)
    availability = models.CharField(max_length=12, choices=Availability.choices, default=Availability.AVAILABLE)
    hours_per_week = models.PositiveSmallIntegerField(default=40)
    languages = models.JSONField(default=list, help_text='[{"code": "en", "level": "fluent"}]')
    category_id = models.BigIntegerField(null=True, help_text="jobs_category.id; foreign keys point down only.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(hourly_rate_minor__isnull=True) | models.Q(hourly_rate_minor__gt=0), name="rate_positive"
            ),
        ]
        indexes = [models.Index(fields=["updated_at", "id"], name="freelancer_stamp")]

    def __str__(self) -> str:
        return self.title


class FreelancerSkill(StampedModel):
    """A skill a freelancer claims, with level 1 (knows) to 5 (teaches) and years."""

    freelancer = models.ForeignKey(FreelancerProfile, on_delete=models.PROTECT, related_name="skills")
    skill_id = models.BigIntegerField(help_text="jobs_skill.id; jobs sits above accounts, so the key points without a constraint.")
    level = models.PositiveSmallIntegerField(default=3)
    years = models.PositiveSmallIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["freelancer", "skill_id"], name="freelancer_skill_once"),
            models.CheckConstraint(condition=models.Q(level__gte=1, level__lte=5), name="skill_level_1_5"),
        ]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="freelancer_skill_stamp"),
            models.Index(fields=["skill_id"], name="freelancer_skill_skill"),
        ]

    def __str__(self) -> str:
        return f"{self.freelancer_id}:{self.skill_id}"


class ProfileEntry(StampedModel):
    """One line of a freelancer's profile: a certificate, a piece of the portfolio, a position held, a school. What a column means in a section, and
    what it is called outside, is said in accounts.sections. Files hang on it through core.files."""

    class Section(models.TextChoices):
        CERTIFICATIONS = "certifications"
        PORTFOLIO = "portfolio"
        EXPERIENCE = "experience"
        EDUCATION = "education"

    freelancer = models.ForeignKey(FreelancerProfile, on_delete=models.PROTECT, related_name="entries")
    section = models.CharField(max_length=16, choices=Section.choices)
    position = models.PositiveIntegerField(help_text="The owner's order within the section; gaps are allowed.")
    title = models.CharField(max_length=200)
    organisation = models.CharField(max_length=200, blank=True)
    subject = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True, max_length=5000)
    started_on = models.DateField(null=True)
    ended_on = models.DateField(null=True)
    links = models.JSONField(default=list, help_text='["https://…", …]')
    check_state = models.CharField(max_length=12, choices=CERTIFICATION.choices, default=CERTIFICATION.initial)
    checked_at = models.DateTimeField(null=True)
    checked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True)
    check_reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(help_text="Business time.")

    class Meta:
        verbose_name_plural = "profile entries"
        indexes = [
            models.Index(fields=["updated_at", "id"], name="profile_entry_stamp"),
            models.Index(fields=["freelancer", "section", "position"], name="profile_entry_order"),
            models.Index(fields=["section", "check_state", "id"], name="profile_entry_queue"),
        ]

    def __str__(self) -> str:
        return f"{self.section}: {self.title}"


class CompanyDetails(StampedModel):
    """What a client tells of the company beside the profile that the platform extracts, and what staff found when they checked it."""

    profile = models.OneToOneField(ClientProfile, on_delete=models.PROTECT, related_name="company")
    website = models.CharField(max_length=500, blank=True)
    check_state = models.CharField(max_length=12, choices=COMPANY.choices, default=COMPANY.initial)
    checked_at = models.DateTimeField(null=True)
    checked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", null=True)
    check_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name_plural = "company details"
        indexes = [models.Index(fields=["updated_at", "id"], name="company_details_stamp")]

    def __str__(self) -> str:
        return f"company of client profile {self.profile_id}"


class DataExport(StampedModel):
    """One request for everything the house knows about a person. `live_key` is the user's id while it is made: one at a time."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=8, choices=EXPORT.choices, default=EXPORT.initial)
    live_key = models.BigIntegerField(null=True, unique=True)
    percent = models.PositiveSmallIntegerField(default=0)
    step = models.CharField(max_length=64, blank=True, help_text="What is being written now.")
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(help_text="Business time: when it may be taken up; while it runs, the end of the worker's lease.")
    requested_at = models.DateTimeField()
    ready_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True, help_text="The file is deleted then.")
    stored_as = models.CharField(max_length=100, blank=True)
    size = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    last_error = models.CharField(max_length=200, blank=True, help_text="The error's class only: texts may hold personal data.")

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="data_export_stamp"),
            models.Index(fields=["user", "id"], name="export_user"),
            models.Index(fields=["state", "due_at"], name="export_due"),
            models.Index(fields=["state", "expires_at"], name="export_expiry"),
        ]

    def __str__(self) -> str:
        return f"export {self.pk} ({self.state})"


class AccountClosing(StampedModel):
    """A person's wish to leave. `live_key` is the user's id until it is cancelled; a closed account keeps it."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, choices=CLOSING.choices, default=CLOSING.initial)
    live_key = models.BigIntegerField(null=True, unique=True)
    reason = models.CharField(max_length=500, blank=True)
    requested_at = models.DateTimeField()
    closes_at = models.DateTimeField(help_text="Business time; put off by a day while something stands in the way.")
    put_off_at = models.DateTimeField(null=True, help_text="When the clock first found something in the way.")
    shut_at = models.DateTimeField(null=True)
    erased_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="account_closing_stamp"),
            models.Index(fields=["state", "closes_at"], name="closing_due"),
        ]

    def __str__(self) -> str:
        return f"closing of user {self.user_id} ({self.state})"
