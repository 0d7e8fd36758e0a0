"""Double-blind reviews; what was checked and reported, and the cases that moderators decide."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from marketplace.core.fields import StampedModel

from .states import ACT_CHOICES, CASE


class Review(StampedModel):
    """One side's word on a contract; hidden (`opened_at` null) until both are in or the window of 14 days shuts."""

    class Side(models.TextChoices):
        CLIENT = "client"
        FREELANCER = "freelancer"

    contract = models.ForeignKey("contracts.Contract", on_delete=models.PROTECT, related_name="+")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    subject = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    author_side = models.CharField(max_length=10, choices=Side.choices)
    rating = models.PositiveSmallIntegerField(help_text="1 to 5.")
    text = models.TextField(blank=True, max_length=5000)
    written_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)
    edited_at = models.DateTimeField(null=True, help_text="Of the newest change; ReviewVersion keeps what it said before.")
    reply = models.TextField(null=True, max_length=5000, help_text="The one answer of the reviewed side, after the opening.")
    replied_at = models.DateTimeField(null=True)
    hidden_at = models.DateTimeField(null=True, help_text="Moderation took it from view; it then counts for nothing.")
    reply_hidden_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["contract", "author_side"], name="review_once_a_side"),
            models.CheckConstraint(condition=models.Q(rating__gte=1, rating__lte=5), name="review_rating_1_5"),
        ]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="review_stamp"),
            models.Index(fields=["subject", "opened_at"], name="review_subject"),
        ]

    def __str__(self) -> str:
        return f"review {self.pk} of contract {self.contract_id}"


class ReviewVersion(StampedModel):
    """What a review said before it was changed. Never changed itself."""

    review = models.ForeignKey(Review, on_delete=models.PROTECT, related_name="versions")
    rating = models.PositiveSmallIntegerField()
    text = models.TextField(blank=True, max_length=5000)
    replaced_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["updated_at", "id"], name="review_version_stamp")]

    def __str__(self) -> str:
        return f"review {self.review_id} before {self.replaced_at:%Y-%m-%d %H:%M}"


class SubjectType(models.TextChoices):
    """What can be reported and moderated. A profile is named by its user's id, a reply by the id of its review. Movements of money come to a case
    by the velocity rules alone: nobody reports them."""

    JOB = "job"
    PROPOSAL = "proposal"
    SUBMISSION = "submission", "work handed in"
    MESSAGE = "message"
    PROFILE = "profile"
    REVIEW = "review"
    REPLY = "reply", "reply to a review"
    PAYMENT = "payment", "payments of one payer"
    PAYOUT = "payout"


class ReasonCode(models.TextChoices):
    """Why something is reported or decided on; `no_breach` is a decision's alone."""

    CONTACT_DETAILS = "contact_details", "contact details before a contract"
    OUTSIDE_PAYMENT = "outside_payment", "asks to pay outside the platform"
    PAID_TO_APPLY = "paid_to_apply", "asks people to pay for applying or starting"
    FAKE = "fake", "a fake job, bid, profile or review"
    DUPLICATE = "duplicate", "the same again"
    SPAM = "spam", "spam"
    HARASSMENT = "harassment", "insults, threatens or discriminates"
    ILLEGAL = "illegal", "asks for or offers what is against the law"
    IMPERSONATION = "impersonation", "pretends to be somebody else"
    FRAUD = "fraud", "movements of money as in fraud"
    REVIEW_SWAP = "review_swap", "bought, swapped or extorted review"
    OTHER = "other", "something else, in words"
    NO_BREACH = "no_breach", "breaks no rule"


class CheckedText(StampedModel):
    """A text that was handed over, as trust.text read it: findings with offsets, and what its words come down to, for copies."""

    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    subject_type = models.CharField(max_length=10, choices=SubjectType.choices)
    subject_id = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    word_count = models.PositiveIntegerField()
    sketch = models.JSONField(default=list)
    findings = models.JSONField(default=list, help_text='[{"code", "level", "start", "end", "excerpt", "reason"}]')
    warned = models.BooleanField(help_text="At least one finding asks for a person's attention.")
    version = models.CharField(max_length=16, help_text="trust.text.VERSION that read it.")
    at = models.DateTimeField()
    case = models.ForeignKey("trust.Case", null=True, on_delete=models.PROTECT, related_name="flags")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subject_type", "subject_id", "digest"], name="checked_text_once")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="checked_text_stamp"),
            models.Index(fields=["digest"], name="checked_text_digest"),
            models.Index(fields=["author", "subject_type", "id"], name="checked_text_author"),
            models.Index(fields=["author", "warned", "at"], name="checked_text_warned"),
        ]

    def __str__(self) -> str:
        return f"{self.subject_type} {self.subject_id}: {len(self.findings)} findings"


class Case(StampedModel):
    """One thing that may break the rules, from the first report or flag to the end of the appeal. `live_key` is "<type>:<id>" while it is
    undecided, so that reports on the same thing come together."""

    subject_type = models.CharField(max_length=10, choices=SubjectType.choices)
    subject_id = models.BigIntegerField()
    live_key = models.CharField(max_length=32, null=True, unique=True)
    about = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", help_text="Whose content it is.")
    state = models.CharField(max_length=12, choices=CASE.choices, default=CASE.initial)
    opened_at = models.DateTimeField()
    decide_by = models.DateTimeField(
        null=True, help_text="What is due then depends on the state: decision, end of the hold, second approval, appeal."
    )
    late_at = models.DateTimeField(null=True, help_text="When a decision was first found overdue.")
    claimed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    claim_until = models.DateTimeField(null=True)
    act = models.CharField(max_length=8, blank=True, choices=ACT_CHOICES, help_text="Decided, or proposed while `needs_second`.")
    reason_code = models.CharField(max_length=16, blank=True, choices=ReasonCode.choices)
    reason = models.TextField(blank=True, max_length=2000, help_text="What the person reads.")
    evidence = models.JSONField(default=list, help_text='["what shows it", …]; the person reads it')
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    decided_at = models.DateTimeField(null=True)
    needs_second = models.BooleanField(default=False, help_text="The act waits for the approval of another person.")
    second_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    second_at = models.DateTimeField(null=True)
    content_held = models.BooleanField(
        default=False, help_text="The content is out of view until the case is decided or the hold runs out."
    )
    appeal_until = models.DateTimeField(null=True)
    appeal_reason = models.TextField(null=True, max_length=5000)
    appealed_at = models.DateTimeField(null=True)
    appeal_decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    appeal_decided_at = models.DateTimeField(null=True)
    appeal_answer = models.TextField(blank=True, max_length=2000)

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="case_stamp"),
            models.Index(fields=["state", "decide_by", "id"], name="case_queue"),
            models.Index(fields=["about", "id"], name="case_about"),
            models.Index(fields=["claim_until"], name="case_claim"),
            models.Index(fields=["subject_type", "subject_id"], name="case_subject"),
        ]

    def __str__(self) -> str:
        return f"case {self.pk} on {self.subject_type} {self.subject_id}"


class Report(StampedModel):
    """Somebody says that something breaks the rules; once a person and thing."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="reports")
    reporter = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    subject_type = models.CharField(max_length=10, choices=SubjectType.choices)
    subject_id = models.BigIntegerField()
    reason_code = models.CharField(max_length=16, choices=ReasonCode.choices)
    text = models.TextField(blank=True, max_length=2000)
    at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, help_text="When the reporter was told of a decision.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["reporter", "subject_type", "subject_id"], name="report_once")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="report_stamp"),
            models.Index(fields=["reporter", "at"], name="report_rate"),
        ]

    def __str__(self) -> str:
        return f"report {self.pk} in case {self.case_id}"


class SecondRating(StampedModel):
    """A decided case that another moderator judges once more without seeing how it was decided."""

    case = models.OneToOneField(Case, primary_key=True, on_delete=models.PROTECT, related_name="second_rating")
    asked_at = models.DateTimeField()
    first_act = models.CharField(max_length=8, choices=ACT_CHOICES)
    first_code = models.CharField(max_length=16, choices=ReasonCode.choices)
    rater = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    act = models.CharField(max_length=8, blank=True, choices=ACT_CHOICES)
    reason_code = models.CharField(max_length=16, blank=True, choices=ReasonCode.choices)
    rated_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "case"], name="second_rating_stamp"),
            models.Index(fields=["rated_at", "case"], name="second_rating_due"),
        ]

    def __str__(self) -> str:
        return f"second rating of case {self.case_id}"
