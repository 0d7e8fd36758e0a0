"""Whom an event concerns: from the row it is about to the people on both sides, the page to look at and the title of the work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Q

from marketplace.accounts.models import AccountClosing, CompanyDetails, DataExport, ProfileEntry
from marketplace.accounts.selectors import staff_who_may
from marketplace.contracts.models import (
    Bonus,
    CapChange,
    Contract,
    CounterOffer,
    Milestone,
    ProgressReport,
    RefundRequest,
    Timesheet,
    WorkRequest,
)
from marketplace.core.money import Money
from marketplace.disputes.models import Dispute
from marketplace.jobs.models import Invitation, Job, Proposal, SavedSearch
from marketplace.payments.models import (
    Chargeback,
    DebtWriteOff,
    Difference,
    Entry,
    FeeProposal,
    FxRate,
    HandRate,
    Payment,
    PaymentRefund,
    Payout,
    PayoutMethod,
    PayoutSchedule,
    ProcessorFile,
    ReconciliationRun,
    RiskHold,
    SavedMethod,
)
from marketplace.trust.case_reading import appeal_token
from marketplace.trust.models import Case, CheckedText, Report, Review
from marketplace.trust.subjects import subject

#: (client id, freelancer id or ids, page of the web app, title of the work); None where there is nobody on that side
Scene = tuple[int | None, int | tuple[int, ...] | None, str, str]


def _contract(pk: int) -> Scene:
    c = Contract.objects.only("client_id", "freelancer_id", "title").get(pk=pk)
    return c.client_id, c.freelancer_id, f"/contracts/{c.pk}", c.title


def _counter_offer(pk: int) -> Scene:
    return _contract(CounterOffer.objects.values_list("contract_id", flat=True).get(pk=pk))


def _milestone(pk: int) -> Scene:
    m = Milestone.objects.select_related("contract").get(pk=pk)
    return m.contract.client_id, m.contract.freelancer_id, f"/contracts/{m.contract_id}", m.title


def _proposal(pk: int) -> Scene:
    p = Proposal.objects.select_related("job").get(pk=pk)
    return p.job.client_id, p.freelancer_id, f"/proposals/{p.pk}", p.job.title


def _job(pk: int, then: datetime) -> Scene:
    """The freelancers are those who had bid by then and whose bids live, or ended with the post."""
    j = Job.objects.only("client_id", "title").get(pk=pk)
    concerned = Proposal.objects.filter(job=pk, submitted_at__lte=then).filter(Q(live_key__isnull=False) | Q(state="expired"))
    return j.client_id, tuple(concerned.order_by("pk").values_list("freelancer_id", flat=True)), f"/jobs/{pk}", j.title


def _invitation(pk: int) -> Scene:
    i = Invitation.objects.select_related("job").get(pk=pk)
    return i.job.client_id, None if i.sent_at is None else i.freelancer_id, f"/jobs/{i.job_id}", i.job.title


def _saved_search(pk: int) -> Scene:
    kept = SavedSearch.objects.filter(pk=pk).first()
    if kept is None:  # deleted meanwhile
        return None, None, "", ""
    return None, kept.user_id, _search_page(kept.parameters), kept.name


def _search_page(parameters: dict[str, Any]) -> str:
    """The page of the search with its newest posts first; the bare page when the address would not fit."""
    asked = urlencode({**{k: v for k, v in parameters.items() if not k.startswith(("budget", "currency"))}, "sort": "newest"})
    return f"/jobs?{asked}" if len(asked) <= 190 else "/jobs"


def _dispute(pk: int) -> Scene:
    return _milestone(Dispute.objects.values_list("milestone_id", flat=True).get(pk=pk))


def _refund_request(pk: int) -> Scene:
    return _milestone(RefundRequest.objects.values_list("milestone_id", flat=True).get(pk=pk))


def _work_request(pk: int) -> Scene:
    contract_id, milestone_id = WorkRequest.objects.values_list("contract_id", "milestone_id").get(pk=pk)
    return _contract(contract_id) if milestone_id is None else _milestone(milestone_id)


def _progress(pk: int) -> Scene:
    return _milestone(ProgressReport.objects.values_list("milestone_id", flat=True).get(pk=pk))


def _bonus(pk: int) -> Scene:
    return _contract(Bonus.objects.values_list("contract_id", flat=True).get(pk=pk))


def _review(pk: int) -> Scene:
    return _contract(Review.objects.values_list("contract_id", flat=True).get(pk=pk))


def _profile_entry(pk: int) -> Scene:
    e = ProfileEntry.objects.select_related("freelancer").get(pk=pk)
    return e.freelancer.user_id, e.freelancer.user_id, "/settings/profile", e.title


def _company(pk: int) -> Scene:
    c = CompanyDetails.objects.select_related("profile").get(pk=pk)
    return c.profile.user_id, c.profile.user_id, "/settings/profile", c.profile.company_name


def _export(pk: int) -> Scene:
    user_id = DataExport.objects.values_list("user_id", flat=True).get(pk=pk)
    return user_id, user_id, "/settings/account", ""


def _closing(pk: int) -> Scene:
    closing = AccountClosing.objects.get(pk=pk)
    return closing.user_id, closing.user_id, "/settings/account", f"{closing.closes_at:%Y-%m-%d %H:%M} UTC"


def _timesheet(pk: int) -> Scene:
    return _milestone(Timesheet.objects.values_list("milestone_id", flat=True).get(pk=pk))


def _cap_change(pk: int) -> Scene:
    return _contract(CapChange.objects.values_list("contract_id", flat=True).get(pk=pk))


def _user(pk: int) -> Scene:
    """An account has one side: its owner."""
    return pk, pk, "/settings", ""


def _case(pk: int) -> Scene:
    case = Case.objects.only("about_id", "subject_type", "subject_id").get(pk=pk)
    title = subject(case.subject_type, case.subject_id).title
    return case.about_id, case.about_id, f"/moderation/{appeal_token(pk)}", title


def _checked_text(pk: int) -> Scene:
    text = CheckedText.objects.only("author_id", "subject_type", "subject_id").get(pk=pk)
    there = subject(text.subject_type, text.subject_id)
    return text.author_id, text.author_id, there.link, there.title


def _report(pk: int) -> Scene:
    report = Report.objects.only("reporter_id", "subject_type", "subject_id").get(pk=pk)
    return report.reporter_id, report.reporter_id, "/moderation", subject(report.subject_type, report.subject_id).title


def _entry(pk: int) -> Scene:
    """An entry of a contract's money; of no other are people told."""
    return _contract(Entry.objects.values_list("contract_id", flat=True).get(pk=pk) or 0)


def _difference(pk: int) -> Scene:
    """Whoever takes care of it is told; while nobody does, or a second person is asked for, all staff who may."""
    row = Difference.objects.only("owner_id", "state", "provider", "currency", "effect_minor").get(pk=pk)
    told = staff_who_may("reconcile") if row.owner_id is None or row.state in ("waiting", "crediting") else (row.owner_id,)
    return None, told, f"/admin/payments/difference/{pk}/change/", f"{row.provider}, {row.effect_amount}"


def _run(pk: int) -> Scene:
    row = ReconciliationRun.objects.only("provider", "day").get(pk=pk)
    return None, staff_who_may("reconcile"), f"/admin/payments/reconciliationrun/{pk}/change/", f"{row.provider}, {row.day}"


def _gateway_file(pk: int) -> Scene:
    name = ProcessorFile.objects.values_list("name", flat=True).get(pk=pk)
    return None, staff_who_may("reconcile"), f"/admin/payments/processorfile/{pk}/change/", name


def _fx_rate(pk: int) -> Scene:
    row = FxRate.objects.only("base", "quote", "as_of").get(pk=pk)
    told = tuple(sorted({*staff_who_may("reconcile"), *staff_who_may("rates_set")}))
    return None, told, "/admin/payments/fxrate/", f"{row.base}/{row.quote}, {row.as_of}"


def _debt_write_off(pk: int) -> Scene:
    """The debtor's once it is decided; while it waits, of all staff who may agree."""
    row = DebtWriteOff.objects.select_related("account").get(pk=pk)
    title, debtor = str(Money(row.amount_minor, row.account.currency)), row.account.user_id
    if row.state == "asked":
        return debtor, staff_who_may("reconcile"), "/admin/payments/debtwriteoff/", title
    return debtor, debtor, "/money", title


def _hand_rate(pk: int) -> Scene:
    row = HandRate.objects.only("currency", "per_usd").get(pk=pk)
    return None, staff_who_may("rates_set"), "/admin/payments/handrate/", f"USD/{row.currency}, {row.per_usd.normalize():f}"


def _fee_proposal(pk: int) -> Scene:
    row = FeeProposal.objects.only("version").get(pk=pk)
    return None, staff_who_may("fees_publish"), "/admin/payments/feeproposal/", row.version


def _paid(pk: int) -> Scene:
    p = Payment.objects.only("payer_id", "amount_minor", "currency").get(pk=pk)
    return p.payer_id, p.payer_id, "/money", str(Money(p.amount_minor, p.currency))


def _sent_back(pk: int) -> Scene:
    r = PaymentRefund.objects.select_related("payment").get(pk=pk)
    return r.payment.payer_id, r.payment.payer_id, "/money", str(Money(r.amount_minor, r.currency))


def _chargeback(pk: int) -> Scene:
    c = Chargeback.objects.select_related("payment").get(pk=pk)
    return c.payment.payer_id, c.payment.payer_id, "/money", str(Money(c.amount_minor, c.currency))


def _saved_method(pk: int) -> Scene:
    m = SavedMethod.objects.get(pk=pk)
    return m.user_id, m.user_id, "/money", f"{m.brand or m.provider} {m.last4}".strip()


def _payout(pk: int) -> Scene:
    """Whose it is; and while it waits for a second person to resolve it, all staff who may agree."""
    p = Payout.objects.select_related("resolution").get(pk=pk)
    asked = p.state in ("sent", "failed") and getattr(p, "resolution", None) is not None
    link = f"/admin/payments/payout/{pk}/change/" if asked else "/money"
    return p.payee_id, staff_who_may("payout_decide") if asked else (), link, str(Money(p.amount_minor, p.currency))


def _payout_method(pk: int) -> Scene:
    m = PayoutMethod.objects.get(pk=pk)
    return m.user_id, m.user_id, "/money", m.label or m.provider


def _payout_schedule(pk: int) -> Scene:
    s = PayoutSchedule.objects.get(pk=pk)
    return s.user_id, s.user_id, "/money", s.currency


def _risk_hold(pk: int) -> Scene:
    """Of a payout the payout itself tells."""
    hold = RiskHold.objects.get(pk=pk)
    user = hold.user_id if hold.act == RiskHold.Act.PAYMENT else None
    return user, user, "/money", ""


SCENES: dict[str, Callable[[int], Scene]] = {
    "accounts.user": _user,
    "contracts.contract": _contract,
    "contracts.counteroffer": _counter_offer,
    "contracts.milestone": _milestone,
    "contracts.timesheet": _timesheet,
    "contracts.capchange": _cap_change,
    "jobs.invitation": _invitation,
    "jobs.savedsearch": _saved_search,
    "contracts.refundrequest": _refund_request,
    "contracts.workrequest": _work_request,
    "contracts.progressreport": _progress,
    "contracts.bonus": _bonus,
    "payments.chargeback": _chargeback,
    "payments.entry": _entry,
    "payments.difference": _difference,
    "payments.processorfile": _gateway_file,
    "payments.reconciliationrun": _run,
    "payments.fxrate": _fx_rate,
    "payments.debtwriteoff": _debt_write_off,
    "payments.feeproposal": _fee_proposal,
    "payments.handrate": _hand_rate,
    "payments.payment": _paid,
    "payments.paymentrefund": _sent_back,
    "payments.savedmethod": _saved_method,
    "payments.payout": _payout,
    "payments.payoutmethod": _payout_method,
    "payments.payoutschedule": _payout_schedule,
    "payments.riskhold": _risk_hold,
    "jobs.proposal": _proposal,
    "disputes.dispute": _dispute,
    "trust.review": _review,
    "trust.case": _case,
    "trust.checkedtext": _checked_text,
    "trust.report": _report,
    "accounts.profileentry": _profile_entry,
    "accounts.companydetails": _company,
    "accounts.dataexport": _export,
    "accounts.accountclosing": _closing,
}

#: the same where whom it concerns depends on when it happened
SCENES_THEN: dict[str, Callable[[int, datetime], Scene]] = {"jobs.job": _job}
