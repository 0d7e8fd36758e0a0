"""Shapes of the two searches: what can be asked, and what a hit tells. Types only."""

from __future__ import annotations

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from rest_framework import serializers

from marketplace.accounts.models import FreelancerProfile
from marketplace.core.api.fields import CurrencyField
from marketplace.core.api.serializers import Serializer
from marketplace.jobs.models import Job
from marketplace.jobs.search import people, posts

from .serializers import CategorySerializer, JobCard, SkillSerializer


@cache
def _zones() -> frozenset[str]:
    """Looked up once: it reads the whole folder of zones."""
    return frozenset(available_timezones())


class HitReason(Serializer):
    kind = serializers.ChoiceField(choices=["words", "skill", "filter", "recency", "rating"])
    text = serializers.CharField()


class PriceEstimate(Serializer):
    """What a price is worth in the currency that was asked for, by the stored rates and without spread: an estimate, never a quote."""

    low_minor = serializers.IntegerField()
    high_minor = serializers.IntegerField()
    currency = serializers.CharField()


class FacetCount(Serializer):
    """How many results have this value; the facet's own filter is not counted in."""

    value = serializers.CharField(help_text="Slug or code, as the filter takes it.")
    name = serializers.CharField()
    count = serializers.IntegerField()


class JobHit(JobCard):
    """A post in a search, with the reasons why it is there."""

    position = serializers.IntegerField()
    score = serializers.FloatField()
    reasons = HitReason(many=True)
    estimate = PriceEstimate(allow_null=True, help_text="Set when a budget in another currency was asked for.")


class SearchPage(Serializer):
    next = serializers.CharField(allow_null=True, help_text="Path and query of the next page; null at the end.")
    total = serializers.IntegerField(help_text="How many match in all, by the index.")
    loosened = serializers.BooleanField(help_text="Nothing has all the words: these have some of them.")
    ranking = serializers.CharField(help_text="Name of the published ranking.")
    batch = serializers.UUIDField(help_text="This list; send it with the view of what is opened from it.")
    facets = serializers.DictField(child=FacetCount(many=True), help_text="The facets asked for, most frequent values first.")


class JobSearchResult(SearchPage):
    results = JobHit(many=True)


class Rating(Serializer):
    """Shrunken mean of the reviews with its interval."""

    mean = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    count = serializers.IntegerField()


class FreelancerHit(Serializer):
    """A freelancer in a search, with the reasons why they are there."""

    id = serializers.IntegerField()
    display_name = serializers.CharField()
    country = serializers.CharField()
    title = serializers.CharField()
    summary = serializers.CharField(help_text="The overview's beginning.")
    category = CategorySerializer(allow_null=True)
    skills = SkillSerializer(many=True)
    hourly_rate_minor = serializers.IntegerField(allow_null=True)
    currency = serializers.CharField()
    experience_level = serializers.ChoiceField(choices=FreelancerProfile.Level.choices)
    years_experience = serializers.IntegerField()
    availability = serializers.ChoiceField(choices=FreelancerProfile.Availability.choices)
    hours_per_week = serializers.IntegerField()
    rating = Rating(allow_null=True, help_text="Null before the first opened review.")
    hires = serializers.IntegerField(help_text="How many offers were accepted.")
    position = serializers.IntegerField()
    score = serializers.FloatField()
    reasons = HitReason(many=True)
    estimate = PriceEstimate(allow_null=True, help_text="Set when a rate in another currency was asked for.")


class FreelancerSearchResult(SearchPage):
    results = FreelancerHit(many=True)


class _Search(Serializer):
    """What both searches take."""

    query = serializers.CharField(
        max_length=200, required=False, allow_blank=True, default="", help_text="Words, as people type them: `C#` and `.NET` too."
    )
    category = serializers.CharField(max_length=64, required=False, allow_blank=True, default="", help_text="Slug.")
    skills = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="", help_text="Slugs, by comma.")
    skills_mode = serializers.ChoiceField(choices=["all", "any"], required=False, default="any")
    currency = CurrencyField(required=False, default="USD")
    country = serializers.CharField(max_length=2, required=False, allow_blank=True, default="", help_text="ISO 3166-1 alpha-2.")
    overlap_hours = serializers.IntegerField(
        min_value=1, max_value=8, required=False, help_text="Working hours in common with `time_zone`, of eight."
    )
    time_zone = serializers.CharField(max_length=64, required=False, allow_blank=True, default="", help_text="IANA name; default: yours.")
    rating_min = serializers.FloatField(
        min_value=1,
        max_value=5,
        required=False,
        help_text="Held by the lower end of the rating's interval, so a single review is not enough.",
    )
    worked_before = serializers.BooleanField(required=False, default=False, help_text="Only those one has had a contract with.")
    facets = serializers.CharField(max_length=200, required=False, allow_blank=True, default="", help_text="Names by comma, or `all`.")
    cursor = serializers.CharField(max_length=300, required=False, allow_blank=True, default="", help_text="From `next`.")
    limit = serializers.IntegerField(min_value=1, max_value=100, required=False, default=20, help_text="Hits on a page.")

    facet_names: tuple[str, ...] = ()

    def validate_country(self, value: str) -> str:
        if value and not (len(value) == 2 and value.isascii() and value.isalpha()):
            raise serializers.ValidationError("Use a two-letter code such as DE.")
        return value.upper()

    def validate_time_zone(self, value: str) -> str:
        if value and value not in _zones():
            raise serializers.ValidationError("Use a name such as Europe/Berlin.")
        return value

    def validate_facets(self, value: str) -> tuple[str, ...]:
        names = [n for n in (part.strip() for part in value.split(",")) if n]
        if names == ["all"]:
            return self.facet_names
        if unknown := sorted(set(names) - set(self.facet_names)):
            raise serializers.ValidationError(f"Unknown: {', '.join(unknown)}. There are: {', '.join(self.facet_names)}, or all.")
        return tuple(dict.fromkeys(names))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for what in ("budget", "rate"):
            low, high = attrs.get(f"{what}_min"), attrs.get(f"{what}_max")
            if low is not None and high is not None and high < low:
                raise serializers.ValidationError({f"{what}_max": [f"Must not be below {what}_min."]})
        return attrs


def _amount() -> serializers.IntegerField:
    return serializers.IntegerField(min_value=0, max_value=10**12, required=False, help_text="Minor units of `currency`.")


class JobSearch(_Search):
    """The query string of a search for posts."""

    facet_names = posts.FACETS

    pricing = serializers.ChoiceField(choices=Job.Pricing.choices, required=False, allow_blank=True, default="")
    level = serializers.ChoiceField(choices=Job.Level.choices, required=False, allow_blank=True, default="")
    budget_min = _amount()
    budget_max = _amount()
    posted_within_days = serializers.IntegerField(min_value=1, max_value=366, required=False, help_text="Opened in the last so many days.")
    location = serializers.CharField(
        max_length=2, required=False, allow_blank=True, default="", help_text="Posts open to people there: ISO 3166-1 alpha-2."
    )
    proposals_max = serializers.IntegerField(min_value=0, max_value=10**6, required=False, help_text="At most so many proposals so far.")
    hire_rate_min = serializers.IntegerField(
        min_value=0, max_value=100, required=False, help_text="Percent of the client's ended posts with a hire."
    )
    payment_verified = serializers.BooleanField(
        required=False, default=False, help_text="Only posts of clients whose means of payment is verified."
    )
    sort = serializers.ChoiceField(choices=["relevance", "newest", "budget"], required=False, default="relevance")

    validate_location = _Search.validate_country


class FreelancerSearch(_Search):
    """The query string of a search for freelancers."""

    facet_names = people.FACETS

    level = serializers.ChoiceField(choices=FreelancerProfile.Level.choices, required=False, allow_blank=True, default="")
    availability = serializers.ChoiceField(choices=FreelancerProfile.Availability.choices, required=False, allow_blank=True, default="")
    rate_min = _amount()
    rate_max = _amount()
    language = serializers.CharField(max_length=8, required=False, allow_blank=True, default="", help_text="ISO 639 code.")
    years_min = serializers.IntegerField(min_value=0, max_value=80, required=False, help_text="Years of experience.")
    hires_min = serializers.IntegerField(min_value=0, max_value=10**6, required=False, help_text="Hired at least so many times.")
    hours_min = serializers.IntegerField(min_value=0, max_value=100, required=False, help_text="Hours a week.")
    sort = serializers.ChoiceField(
        choices=["relevance", "rating", "rate", "newest"], required=False, default="relevance", help_text="`rate`: the lowest first."
    )


class SuggestedFreelancers(Serializer):
    """Who fits a post, best first, by the ranking of the search for freelancers."""

    ranking = serializers.CharField()
    batch = serializers.CharField(help_text="Send it with a profile that was opened from this list.")
    results = FreelancerHit(many=True)


class PriceGuideQuery(Serializer):
    category = serializers.CharField(max_length=64, help_text="Slug.")
    skills = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="", help_text="Slugs, by comma.")
    pricing = serializers.ChoiceField(choices=Job.Pricing.choices)
    currency = CurrencyField(required=False, default="USD")


class QuartilesOut(Serializer):
    """Numbers of like posts, by nearest rank. Prices in minor units, for hourly posts an hour."""

    low = serializers.IntegerField(help_text="A quarter of the posts lies at or below it.")
    median = serializers.IntegerField()
    high = serializers.IntegerField(help_text="A quarter of the posts lies at or above it.")
    count = serializers.IntegerField(help_text="How many posts it is of.")


class PriceGuide(Serializer):
    """What like posts were agreed at, and how many bids they drew in their first week. Null where too few people stand behind the numbers."""

    alike_in = serializers.ListField(child=serializers.CharField(), help_text="What the posts have in common: skills, category, pricing.")
    currency = serializers.CharField()
    price = QuartilesOut(allow_null=True)
    bids = QuartilesOut(allow_null=True)
    note = serializers.CharField(allow_blank=True, help_text="Why the group is broader than asked for, or there is none.")
