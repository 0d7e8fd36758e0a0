"""The money tables for finance staff: to read, and to let held payouts go or refuse them. Nothing else can be changed by hand."""

from __future__ import annotations

from django.contrib import admin

from marketplace.core.admin import ClosedInline, StaffAdmin

from .models import Account, AccountBalance, Entry, FeeSchedule, FxRate, Payment, Payout, Posting, WebhookEvent


class MoneyAdmin(StaffAdmin):
    """The money tables, for those who may see payments."""

    see = "payments_see"


class PostingInline(ClosedInline):
    model = Posting
    fields = ("line_no", "leg", "debit_account", "credit_account", "amount", "currency")


@admin.register(Entry)
class EntryAdmin(MoneyAdmin):
    list_display = ("id", "kind", "idempotency_key", "contract_id", "gross_minor", "rule", "occurred_at")
    list_filter = ("kind", "rule")
    search_fields = ("=idempotency_key", "=contract_id")
    inlines = (PostingInline,)


@admin.register(Account)
class AccountAdmin(MoneyAdmin):
    list_display = ("id", "key", "kind", "currency", "user")
    list_filter = ("kind", "currency")
    search_fields = ("=key",)
    list_select_related = ("user",)


@admin.register(AccountBalance)
class AccountBalanceAdmin(MoneyAdmin):
    list_display = ("account", "available", "postings")
    list_select_related = ("account",)


@admin.register(Payment)
class PaymentAdmin(MoneyAdmin):
    list_display = ("id", "provider", "state", "payer", "amount_minor", "currency", "failure_code", "created_at")
    list_filter = ("provider", "state")
    list_select_related = ("payer",)


@admin.register(Payout)
class PayoutAdmin(MoneyAdmin):
    list_display = ("id", "provider", "state", "payee", "amount_minor", "currency", "hold_reason", "held_until", "created_at")
    list_filter = ("provider", "state", "hold_reason")
    list_select_related = ("payee",)
    bulk_acts = ("payout_allow", "payout_refuse")


@admin.register(FxRate)
class FxRateAdmin(MoneyAdmin):
    list_display = ("base", "quote", "rate", "spread_bps", "source", "as_of")
    list_filter = ("source", "base")


@admin.register(FeeSchedule)
class FeeScheduleAdmin(MoneyAdmin):
    list_display = ("version", "freelancer_fee_bps", "tax_bps", "active_from")


@admin.register(WebhookEvent)
class WebhookEventAdmin(MoneyAdmin):
    list_display = ("provider", "event_id", "kind", "object_ref", "received_at", "handled_at", "last_error")
    list_filter = ("provider", "kind")
