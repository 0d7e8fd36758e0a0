"""Shapes of posts, search hits and proposals. Types only: the rules are the services'."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from marketplace.core.api.fields import CurrencyField, MinorUnits, WholeNumber
from marketplace.core.api.files import FileIds, FileOut
from marketplace.core.api.schema import Amount, FeeTermsSerializer
from marketplace.core.api.serializers import Serializer
from marketplace.jobs.models import BidCreditMovement, Job, JobMark
from marketplace.jobs.questions import CHOICE_LENGTH, KINDS, MAX_CHOICES, MAX_QUESTIONS, QUESTION_LENGTH
from marketplace.jobs.states import INVITATION, JOB, PROPOSAL


class CategorySerializer(Serializer):
    slug = serializers.CharField()
    name = serializers.CharField()


class SkillSerializer(Serializer):
    slug = serializers.CharField()
    name = serializers.CharField()


class SkillInCategory(SkillSerializer):
    category = serializers.CharField(source="category.slug")


class ClientCard(Serializer):
    """The client as freelancers see them before a contract."""

    id = serializers.IntegerField()
    display_name = serializers.CharField()
    country = serializers.CharField()


class JobCard(Serializer):
    """A post in a list."""

    id = serializers.IntegerField()
    state = serializers.ChoiceField(choices=JOB.choices)
    title = serializers.CharField()
    summary = serializers.CharField(help_text="The description's beginning.")
    category = CategorySerializer()
    skills = SkillSerializer(many=True)
    pricing = serializers.ChoiceField(choices=Job.Pricing.choices)
    currency = serializers.CharField()
    budget_min_minor = serializers.IntegerField(allow_null=True)
    budget_max_minor = serializers.IntegerField(allow_null=True)
    duration_days = serializers.IntegerField(allow_null=True)
    experience_level = serializers.ChoiceField(choices=Job.Level.choices, allow_blank=True)
    location_country = serializers.CharField()
    proposal_count = serializers.IntegerField()
    opened_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    client = ClientCard()


class QuestionShape(Serializer):
    """A screening question. Answers are texts: yes or no, a number such as 2.5, or one of the choices."""

    text = serializers.CharField(max_length=QUESTION_LENGTH)
    kind = serializers.ChoiceField(choices=KINDS, required=False, default="text")
    required = serializers.BooleanField(required=False, default=True)  # type: ignore[assignment]  # the question's, not the field's
    choices = serializers.ListField(
        child=serializers.CharField(max_length=CHOICE_LENGTH),
        required=False,
        default=list,
        max_length=MAX_CHOICES,
        help_text="For kind choice.",
    )


class JobDetail(JobCard):
    """A whole post; `actions` are what the viewer may do with it now."""

    description = serializers.CharField()
    visibility = serializers.ChoiceField(choices=Job.Visibility.choices)
    preferred_start = serializers.DateField(allow_null=True)
    screening_questions = serializers.ListField(child=serializers.CharField(), help_text="The texts of `questions`.")
    questions = QuestionShape(many=True)
    files = FileOut(many=True)
    attributes = serializers.DictField()
    source = serializers.CharField()  # type: ignore[assignment]  # a field of the answer, not the base's attribute
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    my_proposal = serializers.IntegerField(allow_null=True, help_text="The viewer's latest proposal on it.")
    my_mark = serializers.ChoiceField(choices=JobMark.Kind.choices, allow_null=True, help_text="Whether the viewer saved or hid it.")
    moderation_reason = serializers.CharField(help_text="For the client and staff: why it is in review or was removed.")
    duplicate_of = serializers.IntegerField(
        allow_null=True, help_text="For the client and staff: the near-identical post that was confirmed."
    )
    actions = serializers.ListField(child=serializers.CharField())


class MyJobs(Serializer):
    """A page of one's own posts."""

    results = JobCard(many=True)
    next = serializers.CharField(allow_null=True, help_text="Path and query of the next page.")
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="How many posts there are in each state.")


class JobTerms(Serializer):
    """What a post says; what is not sent stays. Amounts are minor units of `currency`."""

    title = serializers.CharField(max_length=200)
    description = serializers.CharField(max_length=20000)
    category = serializers.CharField(max_length=64, help_text="Slug.")
    skills = serializers.ListField(child=serializers.CharField(max_length=80), required=False, help_text="Slugs.")
    pricing = serializers.ChoiceField(choices=Job.Pricing.choices)
    currency = CurrencyField(required=False)
    budget_min_minor = MinorUnits(allow_null=True, required=False)
    budget_max_minor = MinorUnits(allow_null=True, required=False)
    duration_days = WholeNumber(min_value=1, max_value=3650, allow_null=True, required=False)
    experience_level = serializers.ChoiceField(choices=Job.Level.choices, allow_blank=True, required=False)
    location_country = serializers.CharField(max_length=2, allow_blank=True, required=False)
    visibility = serializers.ChoiceField(choices=Job.Visibility.choices, required=False)
    preferred_start = serializers.DateField(allow_null=True, required=False)
    screening_questions = serializers.ListField(
        child=serializers.CharField(max_length=QUESTION_LENGTH),
        required=False,
        help_text="Plain questions; a text that is there already keeps its kind.",
    )
    questions = QuestionShape(many=True, required=False, help_text="Typed questions, instead of screening_questions.")
    file_ids = FileIds()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "questions" in attrs and "screening_questions" in attrs:
            raise serializers.ValidationError({"questions": ["Send either questions or screening_questions."]})
        if len(attrs.get("questions", ())) > MAX_QUESTIONS:
            raise serializers.ValidationError({"questions": [f"Give at most {MAX_QUESTIONS} questions."]})
        if "questions" in attrs:
            attrs["screening_questions"] = attrs.pop("questions")
        return attrs


class ConfirmDuplicate(Serializer):
    """`confirm_duplicate`: the client knows that another post of theirs says nearly the same, and means it."""

    confirm_duplicate = serializers.BooleanField(required=False, default=False)


class JobWrite(JobTerms, ConfirmDuplicate):
    """A new post. Amounts are minor units of `currency`; leave them out when the price is open."""


class Reason(Serializer):
    """Why somebody ended something; the other side reads it."""

    reason = serializers.CharField(max_length=500, allow_blank=True, required=False, default="")


class Invite(Serializer):
    freelancer = WholeNumber(min_value=1, max_value=2**63 - 1, help_text="User id.")
    message = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="")


class Invited(Serializer):
    """`sent_at` is null while the post is not open: the freelancer hears of it when it opens."""

    id = serializers.IntegerField()
    state = serializers.ChoiceField(choices=INVITATION.choices)
    job = serializers.IntegerField(source="job_id")
    freelancer = serializers.IntegerField(source="freelancer_id")
    message = serializers.CharField()
    created_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True)


class QuoteAsk(Serializer):
    amount_minor = MinorUnits()
    currency = CurrencyField()
    delivery_days = WholeNumber(
        min_value=1, max_value=3650, allow_null=True, required=False, default=None, help_text="The clearing date counts from then."
    )


class QuoteSerializer(Serializer):
    """gross = fee + tax + net exactly; `payee_net` is the net in the freelancer's currency."""

    gross = Amount()
    fee = Amount()
    tax = Amount()
    withheld = Amount(required=False, help_text="Kept back for the freelancer's own authorities, where the law says so.")
    net = Amount()
    payee_net = Amount()
    fee_schedule = serializers.CharField()
    fee_terms = FeeTermsSerializer(
        required=False, help_text="Where the fee goes by what the contract has paid: the fee of the whole, however it is paid."
    )
    fx_rate_id = serializers.IntegerField(allow_null=True)
    fx_rate = serializers.CharField(allow_null=True)
    spread_bps = serializers.IntegerField()
    clears_in_days = serializers.IntegerField()
    clears_on = serializers.DateField(
        allow_null=True, help_text="When it can be paid out if work handed in on time is approved the same day."
    )
    clears_on_if_silent = serializers.DateField(allow_null=True, help_text="The same when silence approves it.")
    expires_at = serializers.DateTimeField()


class QuotedCredits(Serializer):
    """What sending the bid costs in bid credits, and what the freelancer has."""

    cost = serializers.IntegerField()
    balance = serializers.IntegerField()
    enough = serializers.BooleanField()
    next_grant_at = serializers.DateTimeField()
    rule = serializers.CharField(allow_blank=True, help_text="The version of the published cost rule.")


class BidQuoteSerializer(QuoteSerializer):
    """All that a bid brings and costs, before it is sent."""

    credits = QuotedCredits()


class MilestoneTerms(Serializer):
    title = serializers.CharField(max_length=200)
    amount_minor = MinorUnits()
    due_in_days = WholeNumber(min_value=1, max_value=3650, allow_null=True, required=False, default=None)
    acceptance = serializers.ListField(child=serializers.CharField(max_length=300), required=False, default=list)


class ProposalTerms(Serializer):
    """The terms of a bid, all optional: what is not sent stays."""

    cover_letter = serializers.CharField(max_length=10000, required=False, help_text="Cannot change once sent.")
    amount_minor = MinorUnits(required=False)
    currency = CurrencyField(required=False)
    delivery_days = WholeNumber(min_value=1, max_value=3650, allow_null=True, required=False)
    milestones = MilestoneTerms(many=True, required=False)
    answers = serializers.ListField(
        child=serializers.CharField(max_length=2000, allow_blank=True),
        required=False,
        help_text="In the order of the questions; empty for an optional one left out.",
    )


class ProposalWrite(ProposalTerms):
    """A bid. For a fixed price the milestones sum to the amount; without milestones the whole work is one."""

    cover_letter = serializers.CharField(max_length=10000)
    amount_minor = MinorUnits()
    currency = CurrencyField()
    file_ids = FileIds()


class FreelancerCard(Serializer):
    id = serializers.IntegerField()
    display_name = serializers.CharField()
    country = serializers.CharField()


class JobLine(Serializer):
    """The post that a proposal belongs to."""

    id = serializers.IntegerField()
    title = serializers.CharField()
    state = serializers.ChoiceField(choices=JOB.choices)
    pricing = serializers.ChoiceField(choices=Job.Pricing.choices)
    client = ClientCard()


class Receipt(Serializer):
    """What became of a bid: opened or not and when, its place under the published ranking, the outcome with its reason."""

    opened = serializers.BooleanField()
    opened_at = serializers.DateTimeField(allow_null=True)
    position_when_opened = serializers.IntegerField(allow_null=True, help_text="From 1, when the client first opened it; null before.")
    among_when_opened = serializers.IntegerField(allow_null=True, help_text="How many bids were live then.")
    position = serializers.IntegerField(allow_null=True, help_text="From 1 among the live bids; null once decided.")
    among = serializers.IntegerField()
    ranking = serializers.CharField()
    answer_due_at = serializers.DateTimeField(allow_null=True, help_text="Without an answer until then it counts as ghosted.")
    ghosted_at = serializers.DateTimeField(allow_null=True)
    outcome = serializers.CharField(allow_null=True, help_text="The final state, null while it is open.")
    outcome_at = serializers.DateTimeField(allow_null=True)
    outcome_reason = serializers.CharField()
    credits_spent = serializers.IntegerField()
    credits_returned = serializers.IntegerField()
    credits_returned_at = serializers.DateTimeField(allow_null=True)
    credits_returned_reason = serializers.CharField()


class ReceiptFact(Serializer):
    """One thing that happened to a bid."""

    at = serializers.DateTimeField()
    what = serializers.CharField()
    by = serializers.ChoiceField(choices=["freelancer", "client", "staff", "clock"])
    reason = serializers.CharField()


class WholeReceipt(Receipt):
    """The receipt with everything that happened to the bid, in order."""

    proposal = serializers.IntegerField()
    state = serializers.ChoiceField(choices=PROPOSAL.choices)
    sent_at = serializers.DateTimeField()
    history = ReceiptFact(many=True)


class ProposalVersionSerializer(Serializer):
    """Terms of a bid as they held from `sent_at` until `replaced_at` (null: they hold now)."""

    number = serializers.IntegerField()
    sent_at = serializers.DateTimeField()
    replaced_at = serializers.DateTimeField(allow_null=True)
    amount_minor = serializers.IntegerField()
    currency = serializers.CharField()
    delivery_days = serializers.IntegerField(allow_null=True)
    milestones = MilestoneTerms(many=True)
    answers = serializers.ListField(child=serializers.CharField())
    quote = QuoteSerializer()


class ProposalVersions(Serializer):
    results = ProposalVersionSerializer(many=True)


class CreditMovementSerializer(Serializer):
    """One change of the balance; `rule` is the cost rule's version, or why credits came back."""

    number = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=BidCreditMovement.Kind.choices)
    change = serializers.IntegerField()
    balance = serializers.IntegerField(help_text="After it.")
    rule = serializers.CharField()
    at = serializers.DateTimeField()
    proposal = serializers.IntegerField(source="proposal_id", allow_null=True)
    job_title = serializers.CharField(source="proposal.job.title", default="")


class CreditBand(Serializer):
    up_to_usd_minor = serializers.IntegerField(allow_null=True, help_text="Null: no end.")
    credits = serializers.IntegerField()


class CreditRuleSerializer(Serializer):
    """What a bid costs: by the upper end of the post's budget in US cents; by the hour and without a budget one price each."""

    version = serializers.CharField()
    active_from = serializers.DateTimeField()
    monthly = serializers.IntegerField(help_text="On the first of each month (UTC) the balance is filled up to this.")
    bands = CreditBand(many=True)
    hourly = serializers.IntegerField()
    unknown = serializers.IntegerField()
    returns = serializers.DictField(child=serializers.CharField(), help_text="When a bid's credits come back, each bid's once.")


class BidCredits(Serializer):
    """A freelancer's bid credits, the newest movements first."""

    balance = serializers.IntegerField()
    monthly = serializers.IntegerField()
    next_grant_at = serializers.DateTimeField()
    rule = CreditRuleSerializer(allow_null=True)
    results = CreditMovementSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="Path and query of the next page.")


class ProposalSerializer(Serializer):
    id = serializers.IntegerField()
    state = serializers.ChoiceField(choices=PROPOSAL.choices)
    job = JobLine()
    freelancer = FreelancerCard()
    cover_letter = serializers.CharField()
    amount_minor = serializers.IntegerField()
    currency = serializers.CharField()
    delivery_days = serializers.IntegerField(allow_null=True)
    milestones = MilestoneTerms(many=True)
    answers = serializers.ListField(child=serializers.CharField())
    quote = QuoteSerializer()
    submitted_at = serializers.DateTimeField()
    shortlisted_at = serializers.DateTimeField(allow_null=True)
    offered_at = serializers.DateTimeField(allow_null=True)
    bid_credits = serializers.IntegerField(help_text="What sending it cost.")
    files = FileOut(many=True)
    receipt = Receipt()
    actions = serializers.ListField(child=serializers.CharField(), help_text="What the viewer may do now.")
