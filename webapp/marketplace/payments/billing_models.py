"""What people tell of themselves for their invoices, the counters of the series, and the documents as they were issued."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from marketplace.core.fields import StampedModel


class TaxProfile(StampedModel):
    """Name, address and tax numbers that go on a person's documents. Documents keep what was true when they were issued."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    legal_name = models.CharField(max_length=200, blank=True)
    street = models.CharField(max_length=200, blank=True)
    postcode = models.CharField(max_length=20, blank=True)
    city = models.CharField(max_length=100, blank=True)
    country = models.CharField(max_length=2, blank=True, help_text="ISO 3166-1 alpha-2; empty: the account's.")
    vat_id = models.CharField(max_length=20, blank=True, help_text="Checked by form and check digits; whoever has one is a business.")
    tax_number = models.CharField(max_length=40, blank=True, help_text="The number at one's own tax office, for withholding.")
    changed_at = models.DateTimeField(help_text="Business time.")

    class Meta:
        indexes = [models.Index(fields=["updated_at", "id"], name="tax_profile_stamp")]

    def __str__(self) -> str:
        return f"tax details of user {self.user_id}"


class Series(models.Model):
    """The last number of one issuer's series. The row is locked by whoever takes the next, until the document is there."""

    issuer_key = models.CharField(max_length=32, help_text='"platform", or "user:12" for documents made in a freelancer\'s name.')
    prefix = models.CharField(max_length=8)
    last = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "series"
        constraints = [models.UniqueConstraint(fields=["issuer_key", "prefix"], name="series_once")]

    def __str__(self) -> str:
        return f"{self.issuer_key} {self.prefix} {self.last}"


class Document(StampedModel):
    """An invoice, credit note or receipt, as it was issued: append-only, with everything it shows in `content`."""

    class Kind(models.TextChoices):
        INVOICE = "invoice"
        CREDIT_NOTE = "credit_note"
        RECEIPT = "receipt"

    class About(models.TextChoices):
        FEE = "fee"  # the platform's service to a freelancer
        WORK = "work"  # a freelancer's work for a client, issued in the freelancer's name
        DEPOSIT = "deposit"  # money a client paid in
        CARD_REFUND = "card_refund"  # money a client got back

    kind = models.CharField(max_length=12, choices=Kind.choices)
    about = models.CharField(max_length=12, choices=About.choices)
    issuer_key = models.CharField(max_length=32)
    prefix = models.CharField(max_length=8)
    number = models.PositiveIntegerField()
    label = models.CharField(max_length=48, help_text="The number as it is printed.")
    issuer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, help_text="Null: the platform."
    )
    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    entry = models.ForeignKey("payments.Entry", on_delete=models.PROTECT, related_name="+")
    corrects = models.ForeignKey(
        "self", on_delete=models.PROTECT, related_name="+", null=True, help_text="The invoice a credit note is about."
    )
    contract_id = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3)
    net_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField()
    total_minor = models.BigIntegerField()
    tax_category = models.CharField(max_length=2, blank=True)
    tax_rate_bps = models.PositiveIntegerField(default=0)
    language = models.CharField(max_length=8)
    content = models.JSONField(help_text="Parties, lines with their postings, tax and notes, frozen.")
    issued_at = models.DateTimeField(help_text="Business time.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["issuer_key", "prefix", "number"], name="document_number_once"),
            models.UniqueConstraint(fields=["entry", "about"], name="document_of_entry_once"),
            models.CheckConstraint(condition=models.Q(total_minor=models.F("net_minor") + models.F("tax_minor")), name="document_adds_up"),
        ]
        indexes = [
            models.Index(fields=["updated_at", "id"], name="document_stamp"),
            models.Index(fields=["recipient", "id"], name="document_recipient"),
            models.Index(fields=["issuer", "id"], name="document_issuer"),
            models.Index(fields=["contract_id", "id"], name="document_contract"),
        ]

    def __str__(self) -> str:
        return self.label


class DocumentFile(models.Model):
    """The bytes of a document in one form and language, kept when they were first made: a reissue is the same file. Append-only."""

    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="files")
    form = models.CharField(max_length=4, help_text='"pdf" or "xml"')
    language = models.CharField(max_length=8, blank=True)
    body = models.BinaryField()
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["document", "form", "language"], name="document_file_once")]

    def __str__(self) -> str:
        return f"{self.form} of document {self.document_id}"
