"""The ledger's tables (accounts, entries, one-row postings, cached balances) and the gateways' operations.

Entries and postings are append-only: triggers refuse updates, deletes and lines beyond the declared count (payments.ledger.triggers).
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

from marketplace.core.fields import StampedModel

from .billing_models import Document as Document
from .billing_models import DocumentFile as DocumentFile
from .billing_models import Series as Series
from .billing_models import TaxProfile as TaxProfile
from .debt_models import DebtWriteOff as DebtWriteOff
from .exchange_models import FxQuote as FxQuote
from .exchange_models import HandRate as HandRate
from .fee_models import FeeProposal as FeeProposal
from .fee_models import FeeSchedule as FeeSchedule
from .gateway_models import GatewayCustomer as GatewayCustomer
from .gateway_models import SandboxNews as SandboxNews
from .gateway_models import SavedMethod as SavedMethod
from .reconciliation_models import Difference as Difference
from .reconciliation_models import LedgerCheck as LedgerCheck
from .reconciliation_models import ProcessorFile as ProcessorFile
from .reconciliation_models import ProcessorFileError as ProcessorFileError
from .reconciliation_models import ProviderLine as ProviderLine
from .reconciliation_models import PublicFigure as PublicFigure
from .reconciliation_models import ReconciliationRun as ReconciliationRun
from .reconciliation_models import ReconciliationTotal as ReconciliationTotal
from .risk_models import PaymentTrace as PaymentTrace
from .risk_models import PayoutMethod as PayoutMethod
from .risk_models import PayoutResolution as PayoutResolution
from .risk_models import PayoutSchedule as PayoutSchedule
from .risk_models import RiskHold as RiskHold
from .risk_models import WebhookRefusal as WebhookRefusal
from .states import CHARGEBACK, PAYMENT, PAYOUT, REFUND


class Account(StampedModel):
    """One account in one currency. `key` names it for ever: "wallet:12:USD", "hold:77:USD", "clearing:sandbox:USD"."""

    class Kind(models.TextChoices):
        CLEARING = "clearing"  # debit-normal: what a gateway holds for us
        WALLET = "wallet"
        HOLD = "hold"
        PENDING = "pending"
        AVAILABLE = "available"
        PAYOUT_TRANSIT = "payout_transit"
        FEES = "fees"
        PROVIDER_FEES = "provider_fees"  # debit-normal: expense
        TAX = "tax"
        WITHHOLDING = "withholding"
        FX_CLEARING = "fx_clearing"  # may stand on either side
        FX_GAIN_LOSS = "fx_gain_loss"
        CHARGEBACK_LOSS = "chargeback_loss"
        RECEIVABLE = "receivable"  # debit-normal: what a user owes us
        SUSPENSE = "suspense"  # differences with gateways that were booked until they are understood; may stand on either side
        WRITE_OFF = "write_off"  # differences that were given up, either way

    key = models.CharField(max_length=96, unique=True)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    currency = models.CharField(max_length=3)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    milestone_id = models.BigIntegerField(null=True, help_text="contracts_milestone.id of a hold.")
    processor = models.CharField(max_length=16, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="account_stamp"),
            models.Index(fields=["user", "kind"], name="account_user_kind"),
            models.Index(fields=["milestone_id"], name="account_milestone"),
        ]

    def __str__(self) -> str:
        return self.key


class AccountBalance(models.Model):
    """The cached balance of a *user* account (wallet, hold, pending, available, payout in transit), credit minus debit.

    Platform accounts have no row here: they are summed, so that transfers do not queue on one row.
    """

    account = models.OneToOneField(Account, on_delete=models.PROTECT, primary_key=True, related_name="balance")
    available = models.BigIntegerField(default=0)
    postings = models.BigIntegerField(default=0, help_text="How many postings the balance stands for.")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(available__gte=0), name="balance_not_negative")]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.available}"


class FxRate(StampedModel):
    """One stored rate: 1 unit of `base` costs `rate` units of `quote` (major units), as `source` gave it."""

    base = models.CharField(max_length=3)
    quote = models.CharField(max_length=3)
    rate = models.DecimalField(max_digits=24, decimal_places=12)
    spread_bps = models.PositiveIntegerField(default=0)
    source = models.CharField(max_length=32)
    as_of = models.DateField()
    fetched_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["base", "quote", "source", "as_of"], name="fx_rate_once"),
            models.CheckConstraint(condition=models.Q(rate__gt=0), name="fx_rate_positive"),
        ]
        indexes = [models.Index(fields=["updated_at", "id"], name="fx_rate_stamp")]

    def __str__(self) -> str:
        return f"{self.base}/{self.quote} {self.rate} ({self.source} {self.as_of})"


class Entry(StampedModel):
    """One money movement: its kind's template says which postings it has. Append-only."""

    kind = models.CharField(max_length=32)
    idempotency_key = models.CharField(max_length=128, unique=True)
    payload_hash = models.CharField(max_length=64, help_text="sha256 of kind, postings, subject and quote.")
    posting_count = models.PositiveSmallIntegerField()
    subject_type = models.CharField(max_length=32, blank=True, help_text='"milestone", "payment", "payout", …')
    subject_id = models.BigIntegerField(null=True)
    contract_id = models.BigIntegerField(null=True)
    gross_minor = models.BigIntegerField(null=True, help_text="For kinds with fee and tax: gross = fee + tax + net.")
    fx_rate = models.ForeignKey(FxRate, on_delete=models.PROTECT, related_name="+", null=True)
    quote = models.JSONField(default=dict)
    actor_id = models.BigIntegerField(null=True)
    rule = models.CharField(max_length=64, blank=True, help_text="The rule that moved it: client_approval, auto_approval_14d, …")
    reason = models.CharField(max_length=500, blank=True)
    occurred_at = models.DateTimeField(help_text="Business time.")

    class Meta:
        verbose_name_plural = "entries"
        indexes = [
            models.Index(fields=["updated_at", "id"], name="entry_stamp"),
            models.Index(fields=["subject_type", "subject_id"], name="entry_subject"),
            models.Index(fields=["contract_id"], name="entry_contract"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.idempotency_key}"


class Posting(StampedModel):
    """One leg: `amount` minor units from the debited to the credited account. Append-only."""

    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="postings")
    line_no = models.PositiveSmallIntegerField(help_text="From 1 to the entry's posting_count.")
    leg = models.CharField(max_length=24, help_text="Its part in the template: net, fee, tax, deposit, hold, …")
    debit_account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    credit_account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    occurred_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["entry", "line_no"], name="posting_line_once"),
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="posting_amount_positive"),
            models.CheckConstraint(condition=~models.Q(debit_account=models.F("credit_account")), name="posting_two_accounts"),
        ]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="posting_stamp"),
            models.Index(fields=["debit_account", "id"], name="posting_debit"),
            models.Index(fields=["credit_account", "id"], name="posting_credit"),
        ]

    def __str__(self) -> str:
        return f"{self.entry_id}/{self.line_no} {self.amount} {self.currency}"


class Payment(StampedModel):
    """Money coming in through a gateway. The operation row is committed before the gateway is called."""

    provider = models.CharField(max_length=16)
    state = models.CharField(max_length=20, choices=PAYMENT.choices, default=PAYMENT.initial)
    payer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    purpose = models.CharField(max_length=32, help_text='"milestone" or "wallet"')
    purpose_id = models.BigIntegerField(null=True)
    idempotency_key = models.CharField(max_length=128, unique=True)
    provider_ref = models.CharField(max_length=128, null=True, unique=True)
    method = models.JSONField(default=dict, help_text="Token and display data only; never card data.")
    capture = models.CharField(max_length=9, default="automatic", help_text="automatic, or manual: reserved first, taken by a second call")
    received_minor = models.BigIntegerField(null=True, help_text="What was captured, where that is not the whole amount.")
    action = models.JSONField(default=dict, help_text="What the payer still has to do, for the browser; empty when nothing.")
    last_result = models.CharField(max_length=16, blank=True, help_text="done, accepted, rejected, unknown")
    failure_code = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="payment_amount_positive")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="payment_stamp"),
            models.Index(fields=["state"], name="payment_state"),
            models.Index(fields=["settled_at"], name="payment_settled"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} payment {self.pk} ({self.state})"

    @property
    def received(self) -> int:
        """Minor units that came, or will when it succeeds."""
        return self.amount_minor if self.received_minor is None else self.received_minor


class PaymentRefund(StampedModel):
    """(Part of) a payment on its way back to where it came from; it left the payer's wallet when it was asked for."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refunds")
    provider = models.CharField(max_length=16)
    state = models.CharField(max_length=12, choices=REFUND.choices, default=REFUND.initial)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    idempotency_key = models.CharField(max_length=128, unique=True)
    provider_ref = models.CharField(max_length=128, null=True, unique=True)
    failure_code = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="payment_refund_positive")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="payment_refund_stamp"),
            models.Index(fields=["state"], name="payment_refund_state"),
        ]

    def __str__(self) -> str:
        return f"refund {self.pk} of payment {self.payment_id} ({self.state})"


class Chargeback(StampedModel):
    """A payer's dispute with their bank about one of our payments. Several may be about the same payment."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="chargebacks")
    provider = models.CharField(max_length=16)
    provider_ref = models.CharField(max_length=128)
    state = models.CharField(max_length=12, choices=CHARGEBACK.choices, default=CHARGEBACK.initial)
    amount_minor = models.BigIntegerField()
    owed_minor = models.BigIntegerField(default=0, help_text="What the wallet lacked when the bank took the money: the payer owes it.")
    currency = models.CharField(max_length=3)
    fee_minor = models.BigIntegerField(default=0, help_text="The gateway's fee, as far as it is posted.")
    fee_currency = models.CharField(max_length=3, blank=True)
    reason = models.CharField(max_length=64, blank=True)
    told_minor = models.BigIntegerField(
        null=True, help_text="What the gateway says, while that is more than what is booked: a person looks."
    )
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "provider_ref"], name="chargeback_once"),
            models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="chargeback_positive"),
        ]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="chargeback_stamp"),
            models.Index(fields=["state"], name="chargeback_state"),
        ]

    def __str__(self) -> str:
        return f"chargeback {self.pk} of payment {self.payment_id} ({self.state})"


class Payout(StampedModel):
    """Money going out to a freelancer. It left the available balance when it was requested, and comes back when it fails."""

    provider = models.CharField(max_length=16)
    state = models.CharField(max_length=12, choices=PAYOUT.choices, default=PAYOUT.initial)
    payee = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    idempotency_key = models.CharField(max_length=128, unique=True)
    provider_ref = models.CharField(max_length=128, null=True, unique=True)
    method = models.JSONField(default=dict, help_text="Token and display data of the bank account only.")
    failure_code = models.CharField(max_length=64, blank=True)
    hold_reason = models.CharField(max_length=64, blank=True, help_text="Why it was held: first_payout or a risk code.")
    held_until = models.DateTimeField(null=True, help_text="Business time; null while held means that staff decides.")
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, help_text="When it was decided to call the gateway; from then on it may have been paid.")
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(amount_minor__gt=0), name="payout_amount_positive")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="payout_stamp"),
            models.Index(fields=["state"], name="payout_state"),
            models.Index(fields=["state", "settled_at"], name="payout_settled"),
            models.Index(fields=["payee", "id"], name="payout_payee"),
        ]

    def __str__(self) -> str:
        return f"payout {self.pk} ({self.state})"


class WebhookEvent(StampedModel):
    """A gateway's notification, stored under its unique id before anything is done with it."""

    provider = models.CharField(max_length=16)
    event_id = models.CharField(max_length=128)
    kind = models.CharField(max_length=64)
    object_ref = models.CharField(max_length=128, help_text="The gateway's name of the payment or payout it is about.")
    subject = models.CharField(
        max_length=16, blank=True, help_text="payment, payout, refund, dispute, payee, other; empty: found by its reference."
    )
    own_ref = models.CharField(max_length=64, blank=True, help_text="Our own name of the object, when the gateway tells it.")
    claimed_minor = models.BigIntegerField(null=True, help_text="An amount that cannot be asked about later; compared, never posted.")
    claimed_currency = models.CharField(max_length=3, blank=True)
    body = models.JSONField()
    received_at = models.DateTimeField()
    handled_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=1000, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "event_id"], name="webhook_once")]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="webhook_event_stamp"),
            models.Index(fields=["handled_at", "id"], name="webhook_unhandled"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.event_id}"


class GatewayPoll(models.Model):
    """Up to when a gateway's own list of events was read."""

    provider = models.CharField(max_length=16, primary_key=True)
    read_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.provider} until {self.read_until:%Y-%m-%d %H:%M}"


class SandboxObject(models.Model):
    """The sandbox gateway's own memory of a payment, payout, refund, dispute or card: what a real gateway would keep on its servers.

    Only payments.providers.sandbox reads and writes it; the product learns of it through the gateway's answers.
    """

    kind = models.CharField(
        max_length=8, help_text='"payment", "payout", "refund", "dispute", "setup", "card", or "other": what nobody here asked for'
    )
    idempotency_key = models.CharField(max_length=128, unique=True)
    ref = models.CharField(max_length=64, unique=True)
    state = models.CharField(max_length=16)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    token = models.CharField(max_length=64)
    failure_code = models.CharField(max_length=64, blank=True)
    fee_minor = models.BigIntegerField(default=0, help_text="What the gateway kept of it.")
    moved_at = models.DateTimeField(null=True, help_text="When it changed the gateway's balance.")
    returned_at = models.DateTimeField(null=True, help_text="When that was taken back: charged back, or sent back by the payee's bank.")
    received_minor = models.BigIntegerField(null=True, help_text="What was captured of a reserved amount.")
    manual = models.BooleanField(default=False, help_text="Reserve first.")
    of = models.CharField(max_length=64, blank=True, help_text="The payment of a refund or dispute, the card of a setup.")

    class Meta:
        indexes = [models.Index(fields=["of"], name="sandbox_object_of")]

    def __str__(self) -> str:
        return f"{self.ref} ({self.state})"
