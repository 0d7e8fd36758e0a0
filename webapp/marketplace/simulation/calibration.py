"""Every number that shapes the sample market, each with its source or the word "assumed".

Sources: [posts] = 500 public freelance posts of May–June 2024, [budgets] = 4,051 public titles with level; only aggregate facts
(medians, shares) were taken, measured over all rows that state the value. Belongs here: parameters. Not here: how they are used.
"""

from __future__ import annotations

from dataclasses import dataclass

DAY = 86_400
HOUR = 3_600


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes of one market. `lists_per_day` is the mean number of job lists shown at the end of the history."""

    name: str
    freelancers: int
    clients: int
    jobs: int
    days: int
    lists_per_day: float
    list_length: int
    bid_intercept: float


# Sizes: assumed; they keep a demo within 60,000 impressions and give medium its 100,000 proposals.
SCALES = {
    "tiny": Scale("tiny", 60, 35, 140, 240, 4.5, 12, 3.5),
    "small": Scale("small", 300, 150, 800, 450, 9.8, 14, 3.5),
    "medium": Scale("medium", 4_000, 1_800, 9_000, 450, 130.0, 14, 3.3),
    "large": Scale("large", 20_000, 8_000, 42_000, 450, 950.0, 14, 4.1),
}

# --- people ---------------------------------------------------------------------------------------------------------
#: share of people who were there on the first day; the others join over the whole history. Assumed.
FOUNDING_SHARE = 0.35
#: country, weight among freelancers, weight among clients, currency, time zone, hours from UTC (standard time), languages.
#: Client weights of US, IN, GB, CA, AU, DE: [posts] 169, 47, 41, 28, 17, 15 of 500; the others and all freelancer weights: assumed.
COUNTRIES = (
    ("US", 14, 169, "USD", "America/New_York", -5, ("en",)),
    ("IN", 18, 47, "INR", "Asia/Kolkata", 5.5, ("en", "hi")),
    ("GB", 7, 41, "GBP", "Europe/London", 0, ("en",)),
    ("CA", 4, 28, "USD", "America/Toronto", -5, ("en", "fr")),
    ("AU", 2, 17, "USD", "Australia/Sydney", 10, ("en",)),
    ("DE", 6, 15, "EUR", "Europe/Berlin", 1, ("de", "en")),
    ("PK", 9, 6, "USD", "Asia/Karachi", 5, ("en",)),
    ("PH", 9, 4, "USD", "Asia/Manila", 8, ("en",)),
    ("KE", 7, 8, "KES", "Africa/Nairobi", 3, ("en", "sw")),
    ("NL", 3, 12, "EUR", "Europe/Amsterdam", 1, ("en",)),
    ("FR", 4, 9, "EUR", "Europe/Paris", 1, ("fr", "en")),
    ("JP", 3, 10, "JPY", "Asia/Tokyo", 9, ("ja", "en")),
    ("BR", 5, 4, "USD", "America/Sao_Paulo", -3, ("pt", "en")),
    ("UA", 6, 4, "USD", "Europe/Kyiv", 2, ("en",)),
    ("ES", 3, 6, "EUR", "Europe/Madrid", 1, ("es", "en")),
)
#: price level of a freelancer's country, as a factor on the hourly rate. Assumed.
COUNTRY_PRICE = {"US": 1.6, "GB": 1.5, "CA": 1.4, "AU": 1.5, "DE": 1.5, "NL": 1.5, "FR": 1.4, "JP": 1.3, "ES": 1.1, "BR": 0.8, "UA": 0.85}
COUNTRY_PRICE_DEFAULT = 0.6
#: US dollars one unit costs, to put latent prices into other currencies. Assumed round figures; ledger money uses stored rates.
USD_PER_UNIT = {"USD": 1.0, "EUR": 1.08, "GBP": 1.27, "INR": 0.012, "KES": 0.0077, "JPY": 0.0067}
#: entry, intermediate, expert among jobs: [budgets] 181, 2607, 1263 of 4,051.
LEVEL_SHARES = (0.045, 0.643, 0.312)
#: the same among freelancers: assumed flatter, because beginners apply more often than they are sought.
FREELANCER_LEVEL_SHARES = (0.22, 0.5, 0.28)
LEVEL_PRICE = (0.6, 1.0, 1.6)  # assumed
AVAILABILITY_SHARES = (0.7, 0.2, 0.1)  # available, partly, unavailable: assumed
SKILLS_OF_FREELANCER = (4, 11)  # least and most: assumed
#: share of clients who never answer anybody; sd of latent qualities is 1 by definition. Assumed.
GHOSTING_CLIENTS = 0.12
ACTIVITY_SIGMA = 0.8  # log-normal spread of how often people look: assumed

# --- jobs -----------------------------------------------------------------------------------------------------------
#: asked hourly range: median low end 20 USD, sd of its logarithm 0.70, median ratio high/low 2.06 [posts, 201 rows with a range].
HOURLY_LOW_MEDIAN_USD = 20.0
HOURLY_SIGMA = 0.55  # the part of 0.70 that is not explained by level and field here: assumed
HOURLY_RATIO = 2.06
#: fixed budget: median 100 USD, quartiles 50 and 500, sd of the logarithm 1.76 [posts, 181 rows]; half of that spread is scope here.
FIXED_MEDIAN_USD = 180.0  # above the measured 100, because milestones need work to divide: assumed
FIXED_SIGMA = 1.25
FIXED_MIN_USD = 30.0
FIXED_MAX_USD = 12_000.0
#: of the posts that state a price, 201 are hourly and 181 fixed [posts]; fixed is raised because only milestones move money. Assumed.
HOURLY_SHARE = 0.3
#: share of posts without any price. [posts] 118 of 500; the product asks for a price, so fewer here: assumed.
UNKNOWN_PRICE_SHARE = 0.07
#: skills named by a post: median 5, quartiles 4 and 7 [posts].
SKILLS_OF_JOB = (2, 9)
SKILLS_OF_JOB_MEAN = 5.0
#: Monday … Sunday. Assumed: business days with a slow week-end.
WEEKDAY = (1.2, 1.25, 1.2, 1.15, 1.0, 0.55, 0.5)
#: January … December. Assumed: a strong start of the year, a slow August and December.
SEASON = (1.15, 1.1, 1.1, 1.0, 1.0, 0.95, 0.9, 0.8, 1.05, 1.1, 1.05, 0.75)
GROWTH_A_YEAR = 0.5  # assumed
CLOSED_EARLY_SHARE, INVITED_SHARE = 0.05, 0.03  # assumed
#: of the posts of the last weeks: not published yet, held for review. Assumed.
RECENT_DRAFTS, RECENT_REVIEWS = 0.18, 0.08
DECISION_DAYS_MEDIAN, DECISION_SIGMA = 5.0, 0.7  # from opening to the offer: assumed
MIN_BIDS_TO_DECIDE = 1

# --- who bids -------------------------------------------------------------------------------------------------------
#: coefficients of the true bid probability, given that the post was looked at. All assumed: they are the truth to be learnt.
BID = {
    "cover": 4.2,
    "category": 0.9,
    "price": -1.1,
    "level": -0.55,
    "zone": -0.06,
    "client": 0.9,
    "competition": -0.28,
    "age": -0.045,
    "country": 0.25,
    "available": 0.8,
    "unknown_price": -0.4,
    "noise": 0.45,
}
COVER_CENTRE = 0.62
#: share of looked-at posts that are opened (a view row) besides all that are bid on. Assumed.
VIEW_SHARE = 0.3
SEARCH_SHARE = 0.35  # share of lists that come from a search: assumed
#: the order of historic lists: a published rule with noise, so that orders vary. Assumed.
RANKING = "rules-0"
RANKING_NOISE = 0.9

# --- who is hired ---------------------------------------------------------------------------------------------------
#: coefficients of a client's utility of a bid; all assumed.
HIRE = {
    "cover": 3.0,
    "category": 0.6,
    "price": -1.4,
    "quality": 0.75,
    "reputation": 1.1,
    "experience": 0.28,
    "level": -0.35,
    "zone": -0.07,
    "responsive": 0.3,
}
HIRE_BASE = 0.74  # share of answering clients who hire when they have bids: assumed
OFFER_ACCEPTED, SECOND_OFFER = 0.92, 0.7  # assumed
WITHDRAWN_SHARE = 0.025  # assumed
SEEN_HOURS_MEDIAN, SEEN_SIGMA = 14.0, 1.0  # assumed
SHORTLIST_SHARE = 0.3  # of seen proposals, the best: assumed

# --- delivery -------------------------------------------------------------------------------------------------------
#: every share and delay of delivery is assumed.
MILESTONES_PER_STEP_USD = 450.0
MOST_STEP_DAYS = 28
#: days between the steps of a proposal
STEP_SLACK_DAYS = 2
MAX_MILESTONES = 4
FUND_HOURS_MEDIAN = 9.0
START_HOURS_MEDIAN = 10.0
LATE_BASE = -0.9
CHANGE_BASE = -1.2
CLOCK_APPROVAL_SHARE = 0.13
APPROVE_HOURS_MEDIAN = 30.0
REFUND_BASE, DISPUTE_BASE = -3.6, -4.0
CARD_DECLINED = 0.03
NEVER_FUNDED = 0.03
REVIEW_BY_CLIENT, REVIEW_BY_FREELANCER = 0.72, 0.62
PAYOUT_EVERY_DAYS = 14
PAYOUT_SHARE = 0.85
PAYOUT_FAILED = 0.03
PAYOUT_MIN_USD = 40.0

# --- reputation known to both sides ---------------------------------------------------------------------------------
PRIOR_MEAN, PRIOR_WEIGHT = 4.3, 4.0  # assumed shrinkage

# --- planted fraud: share of jobs or people, assumed ------------------------------------------------------------------
FRAUD_SHARES = {
    "contact_before_contract": 0.012,
    "pay_outside": 0.01,
    "paid_to_apply": 0.008,
    "fake_job": 0.01,
    "duplicate_job": 0.012,
    "bid_spam": 0.012,
    "review_swap": 0.008,
    "self_hiring_ring": 0.006,
    "account_takeover": 0.006,
    "card_testing": 0.006,
}
