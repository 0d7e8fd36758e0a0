"""What gateways told of their own books, how a day compares with ours, and what was left over; and what the public reads of it all."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models

from marketplace.core.fields import StampedModel
from marketplace.core.money import Money

from .states import DIFFERENCE, RECONCILIATION


class ProcessorFile(StampedModel):
    """A gateway's own file, as it was read: rows = stored + known + skipped + errors. The bytes are known by their hash; a file is read once."""

    provider = models.CharField(max_length=16)
    name = models.CharField(max_length=255)
    format = models.CharField(max_length=32, blank=True)
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, help_text="Null: the reading broke off, the same file again goes on.")
    covers_from = models.DateTimeField(null=True, help_text="Instants of its first and last row.")
    covers_until = models.DateTimeField(null=True)
    rows = models.PositiveIntegerField(default=0)
    stored = models.PositiveIntegerField(default=0)
    known = models.PositiveIntegerField(default=0, help_text="Told before, by another file or by the gateway itself.")
    skipped = models.PositiveIntegerField(default=0, help_text="Rows that by their own words move nothing: pending, memo, failed.")
    errors = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "sha256"], name="processor_file_once")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="processor_file_stamp"),
            models.Index(fields=["provider", "covers_until"], name="processor_file_covers"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.name}"


class ProcessorFileError(models.Model):
    """A row that could not be read, with what to do about it; its own words are kept."""

    file = models.ForeignKey(ProcessorFile, on_delete=models.PROTECT, related_name="problems")
    line_no = models.PositiveIntegerField()
    message = models.CharField(max_length=500)
    text = models.TextField(help_text="The row, cut off after 1,000 characters.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["file", "line_no"], name="processor_file_error_once")]

    def __str__(self) -> str:
        return f"line {self.line_no}: {self.message}"


class ProviderLine(StampedModel):
    """One movement of a gateway's balance, as the gateway tells it: what it changed is amount − fee."""

    provider = models.CharField(max_length=16)
    line_ref = models.CharField(max_length=128, help_text="The gateway's name of the movement itself.")
    kind = models.CharField(max_length=16, help_text="payment, refund, payout, dispute, fee, bank or other, and their returns.")
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField(help_text="Above zero: money came to the gateway.")
    fee_minor = models.BigIntegerField(default=0)
    occurred_at = models.DateTimeField()
    object_ref = models.CharField(max_length=128, blank=True, help_text="The gateway's name of what it is about.")
    own_ref = models.CharField(max_length=128, blank=True, help_text="Our own name of it, when the gateway tells it.")
    subject_type = models.CharField(max_length=32, blank=True, help_text="What it is about with us; empty: not found (yet).")
    subject_id = models.BigIntegerField(null=True)
    file = models.ForeignKey(ProcessorFile, on_delete=models.PROTECT, related_name="+", null=True)
    stored_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "line_ref", "currency"], name="provider_line_once")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="provider_line_stamp"),
            models.Index(fields=["provider", "occurred_at"], name="provider_line_when"),
            models.Index(fields=["provider", "object_ref"], name="provider_line_object"),
            models.Index(fields=["subject_type", "subject_id"], name="provider_line_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.line_ref}"


class ReconciliationRun(StampedModel):
    """One day (UTC) of one gateway, compared with our clearing accounts. Comparing it again writes the same row."""

    provider = models.CharField(max_length=16)
    day = models.DateField()
    state = models.CharField(max_length=12, choices=RECONCILIATION.choices, default=RECONCILIATION.initial)
    listed_from = models.DateField(
        null=True, help_text="The gateway's own list was read from this day on; null: it was not asked, or has none."
    )
    last_error = models.CharField(max_length=200, blank=True)
    begun_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "day"], name="reconciliation_run_once")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="reconciliation_run_stamp"),
            models.Index(fields=["day", "id"], name="reconciliation_run_day"),
            models.Index(fields=["state", "day"], name="reconciliation_run_state"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.day} ({self.state})"


class ReconciliationTotal(StampedModel):
    """A run in one currency at the end of its day: provider = ledger + in_flight + uncovered + differences + unexplained.

    `unexplained` is what a live `balance_differs` stands for; it is null where the gateway does not tell its balance.
    """

    run = models.ForeignKey(ReconciliationRun, on_delete=models.CASCADE, related_name="totals")
    currency = models.CharField(max_length=3)
    provider_minor = models.BigIntegerField(null=True)
    ledger_minor = models.BigIntegerField()
    in_flight_minor = models.BigIntegerField(default=0, help_text="Told by one side alone, too young to be a difference.")
    uncovered_minor = models.BigIntegerField(default=0, help_text="Ours on days for which no list or file of the gateway was read.")
    differences_minor = models.BigIntegerField(default=0, help_text="Live differences, by what the gateway has more than we.")
    unexplained_minor = models.BigIntegerField(null=True)
    matched = models.PositiveIntegerField(default=0)
    in_flight = models.PositiveIntegerField(default=0)
    uncovered = models.PositiveIntegerField(default=0)
    differences = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "currency"], name="reconciliation_total_once")]
        indexes = [models.Index(fields=["updated_at", "id"], name="reconciliation_total_stamp")]

    def __str__(self) -> str:
        return f"{self.currency} of run {self.run_id}"


class Difference(StampedModel):
    """Something that a gateway and we tell differently, until somebody has explained it, booked it, or it has gone by itself."""

    class Kind(models.TextChoices):
        MISSING_WITH_US = "missing_with_us"
        MISSING_WITH_THEM = "missing_with_them"
        AMOUNT_DIFFERS = "amount_differs"
        FEE_DIFFERS = "fee_differs"
        CURRENCY_DIFFERS = "currency_differs"
        DATE_SHIFTED = "date_shifted"
        BALANCE_DIFFERS = "balance_differs"

    class Account(models.TextChoices):
        SUSPENSE = "suspense"
        WRITE_OFF = "write_off"

    provider = models.CharField(max_length=16)
    currency = models.CharField(max_length=3)
    item = models.CharField(max_length=160, help_text='What it is about: "payment:12", "line:<the gateway\'s name>", "balance".')
    aspect = models.CharField(max_length=8, help_text="amount, fee, date or balance")
    live_key = models.CharField(max_length=191, unique=True, null=True, help_text="One live row for an item and aspect; null once closed.")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    state = models.CharField(max_length=12, choices=DIFFERENCE.choices, default=DIFFERENCE.initial)
    effect_minor = models.BigIntegerField(help_text="What the gateway's balance has more than our books because of it.")
    theirs_minor = models.BigIntegerField(null=True)
    ours_minor = models.BigIntegerField(null=True)
    other_currency = models.CharField(max_length=3, blank=True, help_text="Where the other side has it in another currency.")
    since = models.DateTimeField(help_text="When the item happened: its age counts from here.")
    opened_at = models.DateTimeField()
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    explanation = models.CharField(max_length=500, blank=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    asked_as = models.CharField(max_length=10, choices=Account.choices, blank=True, help_text="Which booking waits for a second person.")
    entry = models.ForeignKey("payments.Entry", on_delete=models.PROTECT, related_name="+", null=True)
    alarm_at = models.DateTimeField(null=True, help_text="When finance staff are told of its age next; null: no more.")
    alarms = models.PositiveSmallIntegerField(default=0)
    closed_at = models.DateTimeField(null=True)

    #: since the item happened, where it was asked for
    age: timedelta

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="difference_stamp"),
            models.Index(fields=["state", "id"], name="difference_state"),
            models.Index(fields=["provider", "currency", "id"], name="difference_provider"),
            models.Index(fields=["owner", "id"], name="difference_owner"),
            models.Index(fields=["alarm_at"], name="difference_alarm"),
            models.Index(fields=["item"], name="difference_item"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.provider} {self.item} ({self.state})"

    @property
    def effect_amount(self) -> Money:
        return Money(self.effect_minor, self.currency)


class LedgerCheck(StampedModel):
    """What one check of the whole ledger came to."""

    checked_at = models.DateTimeField()
    entries = models.BigIntegerField()
    postings = models.BigIntegerField()
    violations = models.PositiveIntegerField()
    outcomes = models.JSONField(help_text="One item an invariant: number, statement, violations.")

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="ledger_check_stamp"),
            models.Index(fields=["checked_at"], name="ledger_check_when"),
        ]

    def __str__(self) -> str:
        return f"{self.checked_at:%Y-%m-%d %H:%M}: {self.violations} violations"


class PublicFigure(StampedModel):
    """A total that everybody may read, as it was published for a day. Null: too few people stand behind it."""

    day = models.DateField(help_text="Published for this day (UTC).")
    currency = models.CharField(max_length=3)
    measure = models.CharField(max_length=16)
    minor = models.BigIntegerField(null=True)
    as_of = models.DateField(help_text="The end of this day is what it shows: older than `day` while too few people moved it since.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "currency", "measure"], name="public_figure_once")]
        indexes = [models.Index(fields=["updated_at", "id"], name="public_figure_stamp")]

    def __str__(self) -> str:
        return f"{self.measure} {self.currency} {self.day}"
