"""People and their two possible roles. One account may hold a client and a freelancer profile."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.utils import timezone

from marketplace.core.fields import StampedModel


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
    payment_verified = models.BooleanField(default=False)
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
