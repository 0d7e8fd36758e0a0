"""What clients ask for and what freelancers offer."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from marketplace.core.fields import StampedModel

from .states import INVITATION, JOB, PROPOSAL


class Category(StampedModel):
    """One of about twenty fields of work."""

    slug = models.SlugField(unique=True, max_length=64)
    name = models.CharField(max_length=100)

    class Meta:
        verbose_name_plural = "categories"
        indexes = [models.Index(fields=["updated_at", "id"], name="category_stamp")]

    def __str__(self) -> str:
        return self.name


class Skill(StampedModel):
    """A node of the taxonomy; `slug` is its stable name."""

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=100)
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="+")
    onet_name = models.CharField(max_length=200, blank=True, help_text="The O*NET 29.2 technology it was checked against.")
    merged_into = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="+", help_text="Staff merged it: whoever names it means the other one."
    )
    renamed_at = models.DateTimeField(null=True, help_text="Staff chose the name: the files no longer say it.")

    class Meta:
        indexes = [models.Index(fields=["updated_at", "id"], name="skill_stamp")]

    def __str__(self) -> str:
        return self.name


class SkillSource(StampedModel):
    """Another taxonomy that was imported, and what its licence asks to be said of it."""

    slug = models.SlugField(unique=True, max_length=16)
    name = models.CharField(max_length=100)
    release = models.CharField(max_length=32)
    licence = models.CharField(max_length=32)
    attribution = models.CharField(max_length=800)
    imported_at = models.DateTimeField(help_text="When its files were last read to their end.", null=True)

    class Meta:
        indexes = [models.Index(fields=["updated_at", "id"], name="skill_source_stamp")]

    def __str__(self) -> str:
        return f"{self.name} {self.release}"


class SkillOrigin(StampedModel):
    """A concept of another taxonomy and the skill that stands for it here, its own or one of ours."""

    source = models.ForeignKey(SkillSource, on_delete=models.PROTECT, related_name="origins")
    key = models.CharField(max_length=200, help_text="The concept's name or address there.")
    skill = models.ForeignKey(Skill, on_delete=models.PROTECT, related_name="origins")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "key"], name="skill_origin_once")]
        indexes = [models.Index(fields=["updated_at", "id"], name="skill_origin_stamp")]

    def __str__(self) -> str:
        return self.key


class SkillAlias(StampedModel):
    """Another spelling that normalises to a skill (already folded by the normaliser)."""

    alias = models.CharField(max_length=120, unique=True)
    skill = models.ForeignKey(Skill, on_delete=models.PROTECT, related_name="aliases")
    by_staff = models.BooleanField(default=False, help_text="A former name: it stays whatever the files say.")
    origin = models.ForeignKey(SkillSource, null=True, on_delete=models.PROTECT, related_name="+", help_text="Empty: ours.")

    class Meta:
        verbose_name_plural = "skill aliases"
        indexes = [models.Index(fields=["updated_at", "id"], name="skill_alias_stamp")]

    def __str__(self) -> str:
        return self.alias


class SkillRelation(StampedModel):
    """A directed relation between skills, weight 0–1."""

    class Kind(models.TextChoices):
        BROADER = "broader"
        RELATED = "related"
        PART_OF = "part_of"

    source = models.ForeignKey(Skill, on_delete=models.PROTECT, related_name="relations")
    target = models.ForeignKey(Skill, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    weight = models.FloatField(default=1.0)
    origin = models.ForeignKey(SkillSource, null=True, on_delete=models.PROTECT, related_name="+", help_text="Empty: ours.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "target", "kind"], name="skill_relation_once")]
        indexes = [models.Index(fields=["updated_at", "id"], name="skill_relation_stamp")]

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
    held_at = models.DateTimeField(null=True, help_text="Since when it is in review: its time stands still meanwhile.")
    moderation_reason = models.CharField(max_length=500, blank=True, help_text="Why it is in review or was removed; the client reads it.")
    duplicate_of = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="+", help_text="The near-identical post that the client confirmed."
    )

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


class JobFingerprint(models.Model):
    """What a post's words come down to. `exact` is the same for the same words; `signature` estimates how many three-word runs two posts
    share (64 MinHash values of 4 bytes); posts that share many have one of the four bands in common with a probability of 95 %."""

    job = models.OneToOneField(Job, primary_key=True, on_delete=models.PROTECT, related_name="fingerprint")
    exact = models.CharField(max_length=32)
    signature = models.BinaryField(max_length=256)
    band_1 = models.BigIntegerField()
    band_2 = models.BigIntegerField()
    band_3 = models.BigIntegerField()
    band_4 = models.BigIntegerField()

    class Meta:
        indexes = [
            models.Index(fields=["exact"], name="job_print_exact"),
            *(models.Index(fields=[f"band_{i}"], name=f"job_print_band_{i}") for i in range(1, 5)),
        ]

    def __str__(self) -> str:
        return f"{self.job_id}: {self.exact}"


class JobChange(StampedModel):
    """One edit of a post: the fields that changed, before and after. Never changed itself."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="changes")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(help_text="Business time.")
    state = models.CharField(max_length=12, choices=JOB.choices, help_text="The post's state at the time.")
    after_bids = models.BooleanField(help_text="Somebody had bid on it: bidders see this change.")
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["updated_at", "id"], name="job_change_stamp")]

    def __str__(self) -> str:
        return f"{self.job_id}: {', '.join(sorted(self.after))}"


class Invitation(StampedModel):
    """The client asked this freelancer to propose; an invited-only job is visible through it. It is sent once the post is open."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="invitations")
    freelancer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=12, choices=INVITATION.choices, default=INVITATION.initial)
    message = models.CharField(max_length=1000, blank=True)
    created_at = models.DateTimeField(help_text="Business time.")
    sent_at = models.DateTimeField(null=True, help_text="Since when the freelancer knows of it.")
    answered_at = models.DateTimeField(null=True)
    decline_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "freelancer"], name="invitation_once")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="invitation_stamp"),
            models.Index(fields=["freelancer", "sent_at", "id"], name="invitation_inbox"),
        ]

    def __str__(self) -> str:
        return f"{self.job_id}:{self.freelancer_id}"


class JobMark(StampedModel):
    """A post that a user saved for later, or wants to see no more. One of the two."""

    class Kind(models.TextChoices):
        SAVED = "saved"
        HIDDEN = "hidden"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    created_at = models.DateTimeField(help_text="Business time.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "job"], name="job_mark_once")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="job_mark_stamp"),
            models.Index(fields=["user", "kind", "created_at", "id"], name="job_mark_list"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.kind} {self.job_id}"


class SavedSearch(StampedModel):
    """A search under a name, with the pace at which its owner hears of new posts. `look_at` is when it is due; null: never."""

    class Pace(models.TextChoices):
        INSTANT = "instant"
        DAILY = "daily"
        OFF = "off"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=100)
    parameters = models.JSONField(default=dict, help_text="Words, filters and order as the search reads them from its address.")
    pace = models.CharField(max_length=8, choices=Pace.choices, default=Pace.DAILY)
    created_at = models.DateTimeField(help_text="Business time.")
    looked_at = models.DateTimeField(help_text="Posts opened later are new.")
    look_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="saved_search_stamp"),
            models.Index(fields=["user", "created_at", "id"], name="saved_search_list"),
            models.Index(fields=["look_at", "id"], name="saved_search_due"),
        ]

    def __str__(self) -> str:
        return self.name


class SavedSearchMatch(StampedModel):
    """A post of which a search's owner was told: never a second time."""

    saved_search = models.ForeignKey(SavedSearch, on_delete=models.CASCADE, related_name="matches")
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="+")
    found_at = models.DateTimeField(help_text="Business time.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["saved_search", "job"], name="saved_search_match_once")]
        indexes = [models.Index(fields=["updated_at", "id"], name="saved_search_match_stamp")]

    def __str__(self) -> str:
        return f"{self.saved_search_id}: {self.job_id}"


class Shortlist(StampedModel):
    """Freelancers whom a client keeps in mind, under a name."""

    client = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(help_text="Business time.")

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="shortlist_stamp"),
            models.Index(fields=["client", "created_at", "id"], name="shortlist_list"),
        ]

    def __str__(self) -> str:
        return self.name


class ShortlistItem(StampedModel):
    """One freelancer on a shortlist, with a note that only the client reads."""

    shortlist = models.ForeignKey(Shortlist, on_delete=models.CASCADE, related_name="items")
    freelancer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    note = models.CharField(max_length=2000, blank=True)
    added_at = models.DateTimeField(help_text="Business time.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["shortlist", "freelancer"], name="shortlist_item_once")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="shortlist_item_stamp"),
            models.Index(fields=["shortlist", "added_at", "id"], name="shortlist_items"),
        ]

    def __str__(self) -> str:
        return f"{self.shortlist_id}: {self.freelancer_id}"


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
    bid_credits = models.PositiveSmallIntegerField(default=0, help_text="Credits that sending it cost; 0 before there was a rule.")
    submitted_at = models.DateTimeField(help_text="Business time.")
    first_seen_at = models.DateTimeField(null=True)
    shortlisted_at = models.DateTimeField(null=True, help_text="Business time; the funnel and the matcher's labels need it.")
    offered_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)
    outcome_reason = models.CharField(max_length=500, blank=True)
    answer_due_at = models.DateTimeField(null=True, help_text="Without an answer until then it counts as ghosted (14 days after sending).")
    ghosted_at = models.DateTimeField(null=True, help_text="The client's answer did not come in time; it may still come.")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="proposal_amount_positive")]
        indexes = [
            models.Index(fields=["state", "ghosted_at", "answer_due_at"], name="proposal_ghosting"),
            models.Index(fields=["updated_at", "id"], name="proposal_stamp"),
            models.Index(fields=["job", "submitted_at", "id"], name="proposal_by_job"),
            models.Index(fields=["freelancer", "submitted_at", "id"], name="proposal_by_freelancer"),
        ]

    def __str__(self) -> str:
        return f"proposal {self.pk} for job {self.job_id}"


class ProposalOpening(StampedModel):
    """Where a bid stood when its client first opened it. Bids that were opened before this was noted have none."""

    proposal = models.OneToOneField(Proposal, primary_key=True, on_delete=models.PROTECT, related_name="opening")
    position = models.PositiveIntegerField(help_text="From 1, among the bids that were live then.")
    among = models.PositiveIntegerField()
    ranking = models.CharField(max_length=120)
    at = models.DateTimeField(help_text="Business time.")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(position__gte=1, position__lte=models.F("among")), name="opening_position")
        ]
        indexes = [models.Index(fields=["updated_at", "proposal"], name="proposal_opening_stamp")]

    def __str__(self) -> str:
        return f"{self.proposal_id}: {self.position} of {self.among}"


class ProposalVersion(StampedModel):
    """Terms of a bid that newer ones replaced. The terms that hold stand on the proposal itself."""

    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveSmallIntegerField(help_text="From 1.")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    delivery_days = models.PositiveIntegerField(null=True)
    milestones = models.JSONField(default=list)
    answers = models.JSONField(default=list)
    quote = models.JSONField(default=dict)
    sent_at = models.DateTimeField()
    replaced_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["proposal", "number"], name="proposal_version_once")]
        indexes = [models.Index(fields=["updated_at", "id"], name="proposal_version_stamp")]

    def __str__(self) -> str:
        return f"{self.proposal_id} v{self.number}"


class BidCreditRule(StampedModel):
    """What sending a proposal costs from an instant on. Append-only: another price is another version."""

    version = models.CharField(max_length=32, unique=True)
    active_from = models.DateTimeField()
    monthly = models.PositiveSmallIntegerField(help_text="Each month the balance is filled up to this.")
    bands = models.JSONField(
        help_text='By the budget\'s upper end in US cents, rising: [{"up_to_usd_minor": 50000, "credits": 2}, …]; null: no end.'
    )
    hourly = models.PositiveSmallIntegerField(help_text="For a post that is paid by the hour.")
    unknown = models.PositiveSmallIntegerField(help_text="For a post without a budget.")

    class Meta:
        indexes = [models.Index(fields=["updated_at", "id"], name="bid_credit_rule_stamp")]

    def __str__(self) -> str:
        return self.version


class BidCreditAccount(models.Model):
    """A freelancer's bid credits. It is opened, and filled for the first time, by the first bid that costs something."""

    freelancer = models.OneToOneField(settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.PROTECT, related_name="+")
    balance = models.PositiveIntegerField(default=0, help_text="That of the last movement.")
    movements = models.PositiveIntegerField(default=0, help_text="How many there are.")
    next_grant_at = models.DateTimeField()
    opened_at = models.DateTimeField(help_text="Business time.")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(balance__gte=0), name="bid_credits_not_negative")]
        indexes = [models.Index(fields=["next_grant_at"], name="bid_credits_grant")]

    def __str__(self) -> str:
        return f"{self.freelancer_id}: {self.balance}"


class BidCreditMovement(StampedModel):
    """One change of a balance. Append-only: triggers refuse updates and deletes."""

    class Kind(models.TextChoices):
        GRANT = "grant"
        SPEND = "spend"
        RETURN = "return"

    account = models.ForeignKey(BidCreditAccount, on_delete=models.PROTECT, related_name="+")
    number = models.PositiveIntegerField(help_text="From 1 in each account.")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    change = models.IntegerField()
    balance = models.PositiveIntegerField(help_text="After it.")
    proposal = models.ForeignKey(Proposal, null=True, on_delete=models.PROTECT, related_name="+")
    period = models.CharField(max_length=7, null=True, help_text='The month of a grant, "2026-11".')
    rule = models.CharField(max_length=32, help_text="The cost rule's version, or why credits came back.")
    at = models.DateTimeField(help_text="Business time.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "number"], name="bid_credit_number_once"),
            models.UniqueConstraint(fields=["account", "period"], name="bid_credit_grant_once"),
            models.UniqueConstraint(fields=["proposal", "kind"], name="bid_credit_once_a_bid"),
            models.CheckConstraint(
                condition=models.Q(kind="spend", change__lt=0) | models.Q(kind__in=("grant", "return"), change__gt=0),
                name="bid_credit_sign",
            ),
        ]
        indexes = [models.Index(fields=["updated_at", "id"], name="bid_credit_movement_stamp")]

    def __str__(self) -> str:
        return f"{self.account_id} {self.kind} {self.change:+d}"
