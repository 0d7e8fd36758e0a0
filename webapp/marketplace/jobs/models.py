"""What clients ask for and what freelancers offer."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from marketplace.core.fields import StampedModel

from .states import JOB, PROPOSAL


class Category(StampedModel):
    """One of about twenty fields of work."""

    slug = models.SlugField(unique=True, max_length=64)
    name = models.CharField(max_length=100)

    class Meta:
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


class Skill(StampedModel):
    """A node of the taxonomy; `slug` is its stable name."""

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=100)
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="+")
    onet_name = models.CharField(max_length=200, blank=True, help_text="The O*NET 29.2 technology it was checked against.")

    def __str__(self) -> str:
        return self.name


class SkillAlias(models.Model):
    """Another spelling that normalises to a skill (already folded by the normaliser)."""

    alias = models.CharField(max_length=120, unique=True)
    skill = models.ForeignKey(Skill, on_delete=models.PROTECT, related_name="aliases")

    class Meta:
        verbose_name_plural = "skill aliases"

    def __str__(self) -> str:
        return self.alias


class SkillRelation(models.Model):
    """A directed relation between skills, weight 0–1."""

    class Kind(models.TextChoices):
        BROADER = "broader"
        RELATED = "related"
        PART_OF = "part_of"

    source = models.ForeignKey(Skill, on_delete=models.PROTECT, related_name="relations")
    target = models.ForeignKey(Skill, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    weight = models.FloatField(default=1.0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "target", "kind"], name="skill_relation_once")]

    def __str__(self) -> str:
        return f"{self.source_id} {self.kind} {self.target_id}"


class Job(StampedModel):
    """A job post. The price may be unknown: then all amounts are null."""

    class Pricing(models.TextChoices):
        FIXED = "fixed"
        HOURLY = "hourly"

    class Level(models.TextChoices):
        ENTRY = "entry"
        INTERMEDIATE = "intermediate"
        EXPERT = "expert"

    class Visibility(models.TextChoices):
        PUBLIC = "public"
        INVITED = "invited"

    client = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, choices=JOB.choices, default=JOB.initial)
    title = models.CharField(max_length=200)
    description = models.TextField(max_length=20000)
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="+")
    pricing = models.CharField(max_length=8, choices=Pricing.choices)
    currency = models.CharField(max_length=3, default="USD")
    budget_min_minor = models.BigIntegerField(null=True, help_text="Fixed: the whole price. Hourly: the rate. Minor units.")
    budget_max_minor = models.BigIntegerField(null=True)
    duration_days = models.PositiveIntegerField(null=True)
    experience_level = models.CharField(max_length=12, choices=Level.choices, blank=True)
    location_country = models.CharField(max_length=2, blank=True, help_text="Empty: anywhere.")
    visibility = models.CharField(max_length=8, choices=Visibility.choices, default=Visibility.PUBLIC)
    preferred_start = models.DateField(null=True)
    screening_questions = models.JSONField(default=list)
    attributes = models.JSONField(default=dict, help_text="Typed facts that are no skills: company_size, industry, languages, …")
    raw_skills = models.JSONField(default=list, help_text="Mentions that did not normalise.")
    source = models.CharField(max_length=64, blank=True, help_text="Where an imported post comes from.")
    source_key = models.CharField(max_length=64, null=True, unique=True, help_text="Stable hash of the imported row.")
    source_published_at = models.DateTimeField(null=True)
    proposal_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(help_text="Business time.")
    opened_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True, help_text="Filled, closed, expired or removed.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(budget_min_minor__isnull=True) | models.Q(budget_min_minor__gt=0), name="job_budget_min"
            ),
            models.CheckConstraint(
                condition=models.Q(budget_max_minor__isnull=True) | models.Q(budget_max_minor__gte=models.F("budget_min_minor")),
                name="job_budget_order",
            ),
        ]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="job_stamp"),
            models.Index(fields=["state", "opened_at", "id"], name="job_open"),
            models.Index(fields=["state", "expires_at"], name="job_expiry"),
            models.Index(fields=["client", "created_at", "id"], name="job_by_client"),
        ]

    def __str__(self) -> str:
        return self.title


class JobSkill(StampedModel):
    """A skill a job asks for."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="job_skills")
    skill = models.ForeignKey(Skill, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "skill"], name="job_skill_once")]
        indexes = [models.Index(fields=["updated_at", "id"], name="job_skill_stamp")]

    def __str__(self) -> str:
        return f"{self.job_id}:{self.skill_id}"


class Invitation(models.Model):
    """The client asked this freelancer to propose; an invited-only job is visible through it."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="invitations")
    freelancer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(help_text="Business time.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "freelancer"], name="invitation_once")]

    def __str__(self) -> str:
        return f"{self.job_id}:{self.freelancer_id}"


class Proposal(StampedModel):
    """A freelancer's bid. `live_key` is "<job>:<freelancer>" while the proposal lives, else null: a nullable unique
    column is how MySQL holds "one live proposal per freelancer and job"."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="proposals")
    freelancer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, choices=PROPOSAL.choices, default=PROPOSAL.initial)
    live_key = models.CharField(max_length=48, null=True, unique=True)
    cover_letter = models.TextField(max_length=10000)
    amount_minor = models.BigIntegerField(help_text="Fixed: the whole price. Hourly: the rate. Minor units.")
    currency = models.CharField(max_length=3)
    delivery_days = models.PositiveIntegerField(null=True)
    milestones = models.JSONField(default=list, help_text='[{"title", "amount_minor", "due_in_days", "acceptance": [..]}]')
    answers = models.JSONField(default=list)
    quote = models.JSONField(default=dict, help_text="What was quoted before sending: fee, tax, net, fx, clearing date.")
    bid_credits = models.PositiveSmallIntegerField(default=0, help_text="Credits that sending it cost. Sending is free: 0.")
    submitted_at = models.DateTimeField(help_text="Business time.")
    first_seen_at = models.DateTimeField(null=True)
    shortlisted_at = models.DateTimeField(null=True, help_text="Business time; the funnel and the matcher's labels need it.")
    offered_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    outcome_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="proposal_amount_positive")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="proposal_stamp"),
            models.Index(fields=["job", "submitted_at", "id"], name="proposal_by_job"),
            models.Index(fields=["freelancer", "submitted_at", "id"], name="proposal_by_freelancer"),
        ]

    def __str__(self) -> str:
        return f"proposal {self.pk} for job {self.job_id}"
