"""What contracts know of a person, on either side. Texts are handed out to whoever wrote them."""

from __future__ import annotations

from django.db.models import Q

from marketplace.accounts.models import User
from marketplace.core.events import handler
from marketplace.core.models import Event
from marketplace.core.personal import Obstacle, Part, rows_of

from . import services
from .models import (
    Bonus,
    CalendarFeed,
    CapChange,
    Contract,
    CounterOffer,
    HourlyTerms,
    Milestone,
    PartRelease,
    ProgressReport,
    RefundRequest,
    Submission,
    TimeEntry,
    Timesheet,
    WorkRequest,
    WorkTask,
)

LIVE = ("offered", "active")


def _mine(user_id: int, path: str = "") -> Q:
    return Q(**{f"{path}client": user_id}) | Q(**{f"{path}freelancer": user_id})


def exported(*, user_id: int) -> dict[str, Part]:
    """The answer to ports.personal_data."""
    return {
        "contracts": rows_of(
            Contract.objects.filter(_mine(user_id)),
            *("id", "job_id", "proposal_id", "state", "pricing", "title", "currency", "payee_currency", "total_minor", "fee_schedule"),
            *("paused_at", "disputed_at", "offered_at", "started_at", "ended_at"),
            client="client__display_name",
            freelancer="freelancer__display_name",
        ),
        "milestones": rows_of(
            Milestone.objects.filter(_mine(user_id, "contract__")),
            *("id", "contract_id", "position", "state", "title", "acceptance", "amount_minor", "currency", "due_at", "funded_at"),
            *("started_at", "submitted_at", "auto_approve_at", "approved_at", "approved_by_clock", "released_at", "clears_at"),
            *("cleared_at", "refunded_at", "disputed_at", "resolved_at"),
        ),
        "submissions": rows_of(
            Submission.objects.filter(milestone__contract__freelancer=user_id), "id", "milestone_id", "version", "note", "submitted_at"
        ),
        "change_requests": rows_of(
            Submission.objects.filter(milestone__contract__client=user_id, change_requested_at__isnull=False),
            *("milestone_id", "version", "change_request", "unmet", "change_requested_at"),
        ),
        "counter_offers": rows_of(
            CounterOffer.objects.filter(contract__freelancer=user_id),
            *("id", "contract_id", "state", "milestones", "total_minor", "message", "quote", "made_at", "decided_at", "reason"),
        ),
        **_hours(user_id),
        **_around_the_work(user_id),
    }


def _hours(user_id: int) -> dict[str, Part]:
    sheet = "timesheet__contract__"
    return {
        "hourly_terms": rows_of(
            HourlyTerms.objects.filter(_mine(user_id, "contract__")),
            *("contract_id", "rate_minor", "weekly_cap_minutes", "unspent", "auto_fund", "next_week_at", "stopped_at"),
        ),
        "cap_changes": rows_of(
            CapChange.objects.filter(proposer=user_id),
            *("id", "contract_id", "state", "weekly_cap_minutes", "note", "proposed_at", "answered_at"),
        ),
        "timesheets": rows_of(
            Timesheet.objects.filter(_mine(user_id, "contract__")),
            *("id", "contract_id", "milestone_id", "week_start", "part", "rate_minor", "cap_minutes", "minutes", "closes_at", "closed_at"),
            *("funded_minor", "answer_by"),
        ),
        "time_entries": rows_of(
            TimeEntry.objects.filter(**{f"{sheet}freelancer": user_id}),
            *("id", "timesheet_id", "day", "minutes", "what", "logged_at", "amount_minor", "minutes_questioned", "answer", "answered_at"),
        ),
        "time_questions": rows_of(
            TimeEntry.objects.filter(**{f"{sheet}client": user_id}, questioned_at__isnull=False),
            *("id", "timesheet_id", "day", "minutes", "question", "questioned_at"),
        ),
    }


def _around_the_work(user_id: int) -> dict[str, Part]:
    within = "milestone__contract__"
    asked = ("id", "contract_id", "milestone_id", "kind", "state", "due_at", "asked_at", "closed_at")
    refund = ("id", "milestone_id", "state", "to", "amount_minor", "currency", "asked_at", "answer_by", "closed_at")
    requests = WorkRequest.objects.filter(_mine(user_id, "contract__"))
    return {
        "part_releases": rows_of(
            PartRelease.objects.filter(_mine(user_id, within)),
            *("milestone_id", "part", "gross_minor", "currency", "released_at", "clears_at", "cleared_at"),
        ),
        "bonuses": rows_of(
            Bonus.objects.filter(_mine(user_id, "contract__")),
            *("id", "contract_id", "gross_minor", "currency", "given_at", "clears_at", "cleared_at"),
        ),
        "bonus_notes": rows_of(Bonus.objects.filter(contract__client=user_id), "id", "note"),
        "refund_requests": rows_of(RefundRequest.objects.filter(milestone__contract__client=user_id), *refund, "reason", "ends_contract"),
        "refund_answers": rows_of(RefundRequest.objects.filter(milestone__contract__freelancer=user_id), *refund, "answer"),
        "work_requests": rows_of(requests.filter(asker=user_id), *asked, "text"),
        "work_answers": rows_of(requests.exclude(asker=user_id), *asked, "answer"),
        "progress_reports": rows_of(
            ProgressReport.objects.filter(milestone__contract__freelancer=user_id), "id", "milestone_id", "text", "percent", "reported_at"
        ),
        "tasks": rows_of(
            WorkTask.objects.filter(_mine(user_id, within)),
            *("id", "milestone_id", "title", "column", "position", "assignee", "created_at", "changed_at"),
        ),
        "calendar_feed": rows_of(CalendarFeed.objects.filter(user=user_id), "created_at"),
    }


def obstacles(*, user_id: int) -> list[Obstacle]:
    """The answer to ports.closing_obstacles: contracts that are offered or under way, on either side."""
    live = Contract.objects.filter(_mine(user_id), state__in=LIVE).count()
    if not live:
        return []
    return [Obstacle("contracts_live", f"You have {live} live contract(s) or offer(s): end, decline or take them back first.")]


@handler("closing.shut", name="contracts.closing_shut")
def end_offers(event: Event) -> None:
    """Offers that were made while the account was being shut are declined by, or taken back for, whoever left. Safe to run twice."""
    user = User.objects.get(pk=event.after["user_id"])
    for contract in Contract.objects.filter(_mine(user.pk), state="offered").order_by("pk"):
        if contract.freelancer_id == user.pk:
            services.offer_decline(actor=user, contract_id=contract.pk, reason="The freelancer has closed their account.")
        else:
            services.contract_cancel(actor=user, contract_id=contract.pk, reason="The client has closed their account.")


@handler("closing.erase", name="contracts.closing_erase")
def erase(event: Event) -> None:
    """The calendar's secret address opens nothing any more. Safe to run twice."""
    CalendarFeed.objects.filter(user=event.after["user_id"]).delete()
