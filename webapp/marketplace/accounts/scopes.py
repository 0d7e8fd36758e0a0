"""What a program's token, and staff acting as somebody else, may do: the one table. Whatever is not in it is refused to both.

Belongs here: routes by name. Not here: what a person may do with an object, which the services decide as ever.
"""

from __future__ import annotations

#: what a token may be given, with the words for the person who gives it
SCOPES: dict[str, str] = {
    "read": "see what you see, except your security settings",
    "write": "change your profile, posts, proposals and work",
    "money": "fund, approve, refund, pay out, and settle disputes",
}

#: requests that change something and that the scope `write` opens, by the name of the route
WRITE = frozenset(
    {
        "activity-views",
        "cap-changes-decline",
        "cap-changes-withdraw",
        "contract-review",
        "contracts-accept",
        "contracts-counter-offers",
        "contracts-decline",
        "contracts-pause",
        "contracts-pause-request",
        "contracts-resume",
        "counter-offers-accept",
        "counter-offers-decline",
        "counter-offers-withdraw",
        "dispute-appeal",
        "dispute-evidence",
        "dispute-withdraw",
        "file",
        "files",
        "invitation-accept",
        "invitation-decline",
        "job",
        "job-close",
        "job-invitations",
        "job-proposals",
        "job-publish",
        "job-quote",
        "job-renew",
        "jobs",
        "me",
        "me-certifications",
        "me-certifications-entry",
        "me-certifications-order",
        "me-client-profile",
        "me-education",
        "me-education-entry",
        "me-education-order",
        "me-experience",
        "me-experience-entry",
        "me-experience-order",
        "me-freelancer-profile",
        "me-hidden-job",
        "me-inbox-read",
        "me-inbox-read-all",
        "me-notification-settings",
        "me-portfolio",
        "me-portfolio-entry",
        "me-portfolio-order",
        "me-saved-job",
        "me-saved-search",
        "me-saved-searches",
        "me-shortlist",
        "me-shortlist-item",
        "me-shortlists",
        "milestone-dispute",
        "milestones-extension",
        "milestones-progress",
        "milestones-progress-request",
        "milestones-request-changes",
        "milestones-start",
        "milestones-submit",
        "milestones-tasks",
        "proposal",
        "proposal-decline",
        "proposal-shortlist",
        "proposal-withdraw",
        "proposals-offer",
        "reports",
        "review",
        "review-reply",
        "tasks",
        "text-check",
        "time-entries",
        "weeks-entries",
        "work-requests-accept",
        "work-requests-decline",
        "work-requests-withdraw",
    }
)
#: requests after which money may have moved, or moves by itself: hours fund their weeks from the wallet, as much as their cap says
MONEY = frozenset(
    {
        "cap-changes-accept",
        "contracts-bonus",
        "contracts-cancel",
        "contracts-cap-changes",
        "contracts-hours",
        "contracts-hours-stop",
        "dispute-accept",
        "dispute-offer",
        "dispute-respond",
        "milestones-approve",
        "milestones-approve-part",
        "milestones-fund",
        "milestones-refund",
        "milestones-refund-request",
        "me-exchange-quote-use",
        "me-exchange-quotes",
        "me-payments",
        "me-wallet-refunds",
        "payment-cancel",
        "payment-refresh",
        "payment-refunds",
        "payout-schedule",
        "payouts",
        "refund-requests-accept",
        "refund-requests-refuse",
        "refund-requests-withdraw",
        "weeks-answer",
        "weeks-question",
        "weeks-submit",
    }
)
#: of WRITE, what staff may do as somebody else: help with the profile, drafts and settings. In whatever else is there the person speaks,
#: promises or judges, which nobody does in another's name
HELP = frozenset(
    {
        "activity-views",
        "file",
        "files",
        "job-quote",
        "jobs",
        "me",
        *(
            f"me-{section}{what}"
            for section in ("certifications", "education", "experience", "portfolio")
            for what in ("", "-entry", "-order")
        ),
        "me-client-profile",
        "me-freelancer-profile",
        "me-hidden-job",
        "me-inbox-read",
        "me-inbox-read-all",
        "me-notification-settings",
        "me-saved-job",
        "me-saved-search",
        "me-saved-searches",
        "me-shortlist",
        "me-shortlist-item",
        "me-shortlists",
        "text-check",
    }
)
#: where even reading is closed: security settings, staff's desks, whole copies of an account
CLOSED = ("me/tokens", "me/sessions", "me/exports", "me/close", "me/calendar-feed", "staff/", "audit")
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def scope_of(method: str, route: str, name: str | None) -> str | None:
    """The scope that opens a request to `route` (below api/v1/) with the URL name `name`, or None when none does."""
    if any(route == closed or route.startswith(closed if closed.endswith("/") else closed + "/") for closed in CLOSED):
        return None
    if method in SAFE:
        return "read"
    if name in MONEY:
        return "money"
    return "write" if name in WRITE else None
