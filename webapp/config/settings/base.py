"""Settings common to all profiles. Secrets come from the environment only."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from celery.schedules import crontab

REPO = Path(__file__).resolve().parents[3]
WEBAPP = REPO / "webapp"
VAR = Path(os.environ.get("OPENLANCE_VAR", REPO / "var"))

SECRET_KEY = os.environ.get("OPENLANCE_SECRET_KEY", "")
DEBUG = False
BASE_URL = os.environ.get("OPENLANCE_BASE_URL", "http://localhost:8000").rstrip("/")
DASHBOARDS_URL = os.environ.get("OPENLANCE_DASHBOARDS_URL", "http://localhost:8501").rstrip("/")
ALLOWED_HOSTS = [h for h in os.environ.get("OPENLANCE_ALLOWED_HOSTS", "localhost,127.0.0.1").split(",") if h]
CSRF_TRUSTED_ORIGINS = [BASE_URL]

#: sign-in through others, each on as soon as the environment holds its credentials
SOCIAL_PROVIDERS = ("google", "github", "gitlab", "linkedin_oauth2", "microsoft")

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    *(f"allauth.socialaccount.providers.{name}" for name in SOCIAL_PROVIDERS),
    "allauth.headless",
    "allauth.idp.oidc",
    "marketplace.core",
    "marketplace.activity",
    "marketplace.accounts",
    "marketplace.payments",
    "marketplace.jobs",
    "marketplace.contracts",
    "marketplace.messaging",
    "marketplace.matching",
    "marketplace.disputes",
    "marketplace.trust",
    "marketplace.notifications",
]

MIDDLEWARE = [
    "marketplace.activity.middleware.RequestLatencyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "marketplace.accounts.middleware.SecondFactorMiddleware",
    "marketplace.accounts.middleware.UnreadableSignInMiddleware",
    "marketplace.accounts.impersonation.TraceMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [REPO / "webapp" / "config" / "templates"],  # before the apps: what the mails say
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

UNFOLD = {
    "SITE_TITLE": "Openlance staff",
    "SITE_HEADER": "Openlance staff",
    "SITE_SYMBOL": "handshake",
    "SHOW_HISTORY": False,  # core.audit holds what staff did, with reasons
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {"show_search": True, "show_all_applications": True},
}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
STATIC_URL = "/static/"
STATIC_ROOT = VAR / "static"
FRONTEND_DIST = WEBAPP / "frontend" / "dist"
STATICFILES_DIRS = [("app", FRONTEND_DIST)] if FRONTEND_DIST.is_dir() else []
WHITENOISE_USE_FINDERS = True

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "/sign-in"
LOGIN_REDIRECT_URL = "/"

ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_MAX_LENGTH = 191
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_ADAPTER = "marketplace.accounts.adapters.AccountAdapter"
HEADLESS_CLIENTS = ["browser", "app"]
HEADLESS_FRONTEND_URLS = {
    "account_confirm_email": f"{BASE_URL}/verify-email/{{key}}",
    "account_reset_password": f"{BASE_URL}/password-reset",
    "account_reset_password_from_key": f"{BASE_URL}/password-reset/{{key}}",
    "account_signup": f"{BASE_URL}/sign-up",
    "socialaccount_login_error": f"{BASE_URL}/sign-in",
}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
# An address is a way in: adding, choosing and removing one asks for a fresh proof of who one is, as second factors do.
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
HEADLESS_SERVE_SPECIFICATION = True
HEADLESS_SPECIFICATION_TEMPLATE_NAME = None  # its page loads from elsewhere; ours is /api/docs/sign-in

SOCIALACCOUNT_ADAPTER = "marketplace.accounts.adapters.SocialAccountAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_STORE_TOKENS = False


def social_providers(environ: Mapping[str, str]) -> dict[str, dict]:
    """allauth's SOCIALACCOUNT_PROVIDERS from OPENLANCE_<PROVIDER>_CLIENT_ID and …_CLIENT_SECRET; a provider lacking either is off."""
    found = {}
    for name in SOCIAL_PROVIDERS:
        stem = f"OPENLANCE_{name.removesuffix('_oauth2').upper()}_CLIENT"
        if environ.get(f"{stem}_ID") and environ.get(f"{stem}_SECRET"):
            found[name] = {"APPS": [{"client_id": environ[f"{stem}_ID"], "secret": environ[f"{stem}_SECRET"], "key": ""}]}
    return found


SOCIALACCOUNT_PROVIDERS = social_providers(os.environ)
# Staff without TOTP or passkey reach only what lets them set one up. Off where the sample staff of a demo sign in.
STAFF_SECOND_FACTOR = os.environ.get("OPENLANCE_STAFF_SECOND_FACTOR", "1") != "0"
IMPERSONATION_MINUTES = 30
API_TOKEN_DAYS = 90
API_TOKEN_MAX_DAYS = 365
API_TOKENS_MOST = 20

_key_file = os.environ.get("OPENLANCE_OIDC_PRIVATE_KEY_FILE", "")
IDP_OIDC_PRIVATE_KEY = Path(_key_file).read_text() if _key_file else ""
IDP_OIDC_ADAPTER = "marketplace.accounts.adapters.OIDCAdapter"
IDP_OIDC_ACCESS_TOKEN_EXPIRES_IN = 8 * 3600
IDP_OIDC_REFRESH_TOKEN_EXPIRES_IN = 14 * 24 * 3600
IDP_OIDC_RP_INITIATED_LOGOUT_ASKS_FOR_OP_LOGOUT = False
OIDC_DASHBOARDS_SECRET = os.environ.get("OPENLANCE_OIDC_DASHBOARDS_SECRET", "")

REDIS_URL = os.environ.get("OPENLANCE_REDIS_URL", "redis://localhost:6379/0")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},  # a Redis that hangs is as good as none
    }
}
ACTIVITY_BUFFER = "redis"
CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}}

EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = os.environ.get("OPENLANCE_EMAIL_DIR", str(VAR / "mail"))
DEFAULT_FROM_EMAIL = "Openlance <no-reply@openlance.example>"

# How many proxies of ours stand before the house: what X-Forwarded-For says beyond them is the caller's word, and not believed.
PROXIES = int(os.environ.get("OPENLANCE_PROXIES", "0"))
ALLAUTH_TRUSTED_PROXY_COUNT = PROXIES

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "marketplace.accounts.authentication.SessionTokenAuthentication",
        "marketplace.accounts.authentication.BearerAuthentication",
        "marketplace.accounts.authentication.CookieAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["marketplace.core.api.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["marketplace.core.api.parsers.JSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["marketplace.core.api.throttles.PaceThrottle"],
    "NUM_PROXIES": PROXIES,
    "DEFAULT_SCHEMA_CLASS": "marketplace.core.api.schema.AutoSchema",
    "EXCEPTION_HANDLER": "marketplace.core.api.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
#: requests a window of seconds: what a person reads and writes, what an anonymous address asks for, and what costs much or is easily abused
API_PACE = {
    "read": (1200, 60),
    "write": (240, 60),
    "address": (300, 60),
    "search": (240, 60),
    "upload": (60, 60),
    "download": (60, 600),
    "statement_page": (10, 600),
    "payment": (20, 3600),
    "funding": (60, 3600),
    "export": (10, 3600),
    "proposal": (60, 3600),
    "invitation": (120, 3600),
    "report": (30, 3600),
    "text_check": (120, 60),
    "token": (30, 3600),
    "letter": (60, 600),
    "transparency": (60, 60),
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Openlance API",
    "DESCRIPTION": (
        "An open freelancing marketplace. Amounts are whole minor units with an ISO 4217 code; instants are UTC.\n\n"
        "Signing up, in and out, passwords, second factors and passkeys have their own document: "
        "[/api/docs/sign-in](/api/docs/sign-in). Programs of yours send `Authorization: Bearer olp_…`, made at `/api/v1/me/tokens`."
    ),
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "marketplace.core.api.schema.hold_refusals"],
    # in the order in which a piece of work meets them
    "TAGS": [
        {"name": "accounts", "description": "Oneself: name, language, what one buys as; programs and devices that are signed in."},
        {"name": "profiles", "description": "What a freelancer shows: skills, certifications, work, education."},
        {"name": "jobs", "description": "Posts, and the search for them and for freelancers."},
        {"name": "kept", "description": "Saved and hidden posts, saved searches with alerts, shortlists."},
        {"name": "matching", "description": "Recommendations and suggestions of the models."},
        {"name": "invitations", "description": "Asking somebody to bid."},
        {"name": "proposals", "description": "Bids, their receipts and bid credits."},
        {"name": "offers", "description": "Other terms for an offer."},
        {"name": "contracts", "description": "Offer, milestones, funding, work handed in, approval and what happens if nobody acts."},
        {"name": "hours", "description": "Weeks of hourly contracts."},
        {"name": "payments", "description": "Balances, payments, payouts and the fee schedule."},
        {"name": "transparency", "description": "What everybody may read of the house's money."},
        {"name": "reconciliation", "description": "Our books against the gateways': days, differences, files. For finance staff."},
        {"name": "statements", "description": "Every change of one's accounts with the balance after it, now or at a past instant."},
        {"name": "documents", "description": "Invoices, credit notes and receipts, what stands on them, and fees given back."},
        {"name": "payouts", "description": "Places to be paid, when that happens by itself, and what rules hold."},
        {"name": "money oversight", "description": "For finance staff: all money, what nobody knows the end of, notifications, rules."},
        {"name": "files", "description": "Upload first, then attach by id."},
        {"name": "trust", "description": "Reviews and reputation."},
        {"name": "disputes", "description": "From the claim to the money moved."},
        {"name": "moderation", "description": "Reports, cases, decisions and appeals."},
        {"name": "notifications", "description": "The inbox, and what is sent when."},
        {"name": "exports", "description": "All of one's own data."},
        {"name": "closing", "description": "Leaving."},
        {"name": "staff", "description": "People, groups, checks, settings and the audit."},
        {"name": "activity", "description": "What was opened from which list."},
        {"name": "core", "description": "Health and the clock."},
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    # folded by topic: nearly 200 routes unfolded at once keep a small machine busy for ten seconds
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "persistAuthorization": True, "docExpansion": "none", "filter": True},
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "DocumentKindEnum": "marketplace.payments.billing_models.Document.Kind",
        "DocumentAboutEnum": "marketplace.payments.billing_models.Document.About",
        "ProcessorProviderEnum": ["mpesa", "paypal", "stripe"],
        "PublicCheckNameEnum": ["invariants", "replay", "reconciliation"],
        "PublicMeasureEnum": ["escrow", "wallets", "freelancers", "in_transit", "clearing", "paid_out", "fees"],
        "DifferenceKindEnum": "marketplace.payments.reconciliation_models.Difference.Kind",
        "FeeProposalStateEnum": "marketplace.payments.states.FEE_PROPOSAL.choices",
        "DifferenceStateEnum": "marketplace.payments.states.DIFFERENCE.choices",
        "DifferenceAccountEnum": "marketplace.payments.reconciliation_models.Difference.Account",
        "ReconciliationStateEnum": "marketplace.payments.states.RECONCILIATION.choices",
        "ReportSubjectEnum": "marketplace.trust.subjects.REPORTABLE",
        "PaceEnum": "marketplace.notifications.models.Preference.Pace",
        "PayoutPaceEnum": "marketplace.payments.risk_models.PayoutSchedule.Pace",
        "RiskActEnum": "marketplace.payments.risk_models.RiskHold.Act",
        "RiskHoldStateEnum": "marketplace.payments.states.RISK_HOLD.choices",
        "PaymentStateEnum": "marketplace.payments.states.PAYMENT.choices",
        "RefundStateEnum": "marketplace.payments.states.REFUND.choices",
        "ChargebackStateEnum": "marketplace.payments.states.CHARGEBACK.choices",
        "PayoutStateEnum": "marketplace.payments.states.PAYOUT.choices",
        "PayoutMethodStateEnum": "marketplace.payments.states.PAYOUT_METHOD.choices",
        "WebhookStateEnum": "marketplace.payments.oversight.WEBHOOK_STATES",
        "HoldAgeEnum": "marketplace.contracts.api.hold_views.AGES",
        "HealthEnum": ["ok", "failing"],
        "CheckStateEnum": "marketplace.accounts.states.CERTIFICATION.choices",
        "ExportStateEnum": "marketplace.accounts.states.EXPORT.choices",
        "ClosingStateEnum": "marketplace.accounts.states.CLOSING.choices",
        "LevelEnum": ["entry", "intermediate", "expert"],
        "JobStateEnum": "marketplace.jobs.states.JOB.choices",
        "InvitationStateEnum": "marketplace.jobs.states.INVITATION.choices",
        "ProposalStateEnum": "marketplace.jobs.states.PROPOSAL.choices",
        "AuthorSideEnum": "marketplace.trust.models.Review.Side",
        "ModerationStateEnum": "marketplace.trust.states.CASE.choices",
        "ModerationActEnum": "marketplace.trust.states.ACT_CHOICES",
        "ModerationReasonEnum": "marketplace.trust.models.ReasonCode",
        "ModerationSubjectEnum": "marketplace.trust.models.SubjectType",
        "FindingLevelEnum": ["warn", "note"],
        "DisputeStateEnum": "marketplace.disputes.states.DISPUTE.choices",
        "MilestoneStateEnum": "marketplace.contracts.states.MILESTONE.choices",
        "CapChangeStateEnum": "marketplace.contracts.states.CAP_CHANGE.choices",
        "BidCreditKindEnum": "marketplace.jobs.models.BidCreditMovement.Kind",
        "CounterOfferStateEnum": "marketplace.contracts.states.COUNTER_OFFER.choices",
        "ContractStateEnum": "marketplace.contracts.states.CONTRACT.choices",
        "RefundRequestStateEnum": "marketplace.contracts.states.REFUND_REQUEST.choices",
        "WorkRequestStateEnum": "marketplace.contracts.states.WORK_REQUEST.choices",
        "WorkRequestKindEnum": "marketplace.contracts.models.WorkRequest.Kind",
        "RestToEnum": "marketplace.contracts.models.RefundRequest.To",
    },
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
}

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    "deliver-events": {"task": "marketplace.core.tasks.deliver_events", "schedule": 5.0},
    "work-bulk-acts": {"task": "marketplace.core.tasks.work_bulk_acts", "schedule": 30.0},
    "forget-uploads": {"task": "marketplace.core.tasks.forget_uploads", "schedule": crontab(minute="53")},
    "forget-answers": {"task": "marketplace.core.tasks.forget_answers", "schedule": crontab(minute="41")},
    "auto-approve": {"task": "marketplace.contracts.tasks.auto_approve_due", "schedule": 60.0},
    "open-weeks": {"task": "marketplace.contracts.tasks.open_weeks_due", "schedule": 60.0},
    "close-weeks": {"task": "marketplace.contracts.tasks.close_weeks_due", "schedule": 60.0},
    "grant-questions": {"task": "marketplace.contracts.tasks.grant_questions_due", "schedule": 60.0},
    "clear-released": {"task": "marketplace.contracts.tasks.clear_due", "schedule": 60.0},
    "answer-refunds": {"task": "marketplace.contracts.tasks.grant_refunds_due", "schedule": 60.0},
    "remind-sides": {"task": "marketplace.contracts.tasks.remind_due", "schedule": 300.0},
    "limit-holds": {"task": "marketplace.contracts.tasks.limit_holds", "schedule": 300.0},
    "expire-jobs": {"task": "marketplace.jobs.tasks.expire_due", "schedule": 300.0},
    "look-through-searches": {"task": "marketplace.jobs.tasks.look_through_searches", "schedule": 60.0},
    "reread-search": {"task": "marketplace.jobs.tasks.reread_search", "schedule": 300.0},
    "move-merged-skills": {"task": "marketplace.jobs.tasks.move_merged_skills", "schedule": 300.0},
    "ghost-proposals": {"task": "marketplace.jobs.tasks.ghost_due", "schedule": 300.0},
    "grant-bid-credits": {"task": "marketplace.jobs.tasks.grant_due", "schedule": 300.0},
    "expire-offers": {"task": "marketplace.contracts.tasks.expire_offers_due", "schedule": 60.0},
    "advance-disputes": {"task": "marketplace.disputes.tasks.advance_due", "schedule": 60.0},
    "open-reviews": {"task": "marketplace.trust.tasks.open_due", "schedule": 300.0},
    "advance-moderation": {"task": "marketplace.trust.tasks.advance_due", "schedule": 60.0},
    "poll-gateway-events": {"task": "marketplace.payments.tasks.poll_events", "schedule": 300.0},
    "poll-payments": {"task": "marketplace.payments.tasks.poll_unsettled", "schedule": 60.0},
    "reconcile": {"task": "marketplace.payments.tasks.reconcile_due", "schedule": 600.0},
    "alarm-differences": {"task": "marketplace.payments.tasks.alarm_differences", "schedule": 600.0},
    "publish-totals": {"task": "marketplace.payments.tasks.publish_totals", "schedule": 600.0},
    "ask-gateways-about-people": {"task": "marketplace.payments.tasks.poll_people", "schedule": 300.0},
    "deliver-sandbox-news": {"task": "marketplace.payments.tasks.deliver_sandbox_news", "schedule": 5.0},
    "pay-out-schedules": {"task": "marketplace.payments.tasks.run_schedules", "schedule": 300.0},
    "look-after-rates": {"task": "marketplace.payments.tasks.look_after_rates", "schedule": crontab(hour="5,17", minute="20")},
    "lapse-risk-holds": {"task": "marketplace.payments.tasks.lapse_risk_holds", "schedule": 300.0},
    "forget-traces": {"task": "marketplace.payments.tasks.forget_traces", "schedule": crontab(minute="37")},
    "issue-documents": {"task": "marketplace.payments.tasks.issue_documents", "schedule": 300.0},
    "end-impersonations": {"task": "marketplace.accounts.tasks.end_due_impersonations", "schedule": 60.0},
    "forget-tokens": {"task": "marketplace.accounts.tasks.forget_expired_tokens", "schedule": crontab(minute="29")},
    "sweep-exports": {"task": "marketplace.accounts.tasks.sweep_exports", "schedule": 60.0},
    "close-accounts": {"task": "marketplace.accounts.tasks.close_due", "schedule": 60.0},
    "flush-activity": {"task": "marketplace.activity.tasks.flush", "schedule": 5.0},
    "send-letters": {"task": "marketplace.notifications.tasks.send_letters", "schedule": 15.0},
    "ledger-check": {"task": "marketplace.payments.tasks.ledger_check", "schedule": crontab(minute="17")},
}

# The defaults of the domain; every number is a setting.
BUSINESS_CLOCK_MOVABLE = False
BUSINESS_CLOCK_FOR_EVERYBODY = False
# switches and numbers that staff may change while the house runs: core.features
SIGN_UP_OPEN = True
POSTING_OPEN = True
PROPOSALS_OPEN = True
FUNDING_OPEN = True
PAYOUTS_OPEN = True
FEATURES_STALE_SECONDS = 5.0
JOB_OPEN_DAYS = 30
# posts of one client whose texts are alike by so many per cent are near-identical
JOB_DUPLICATE_PERCENT = 80
JOB_MAX_INVITATIONS = 50
MAX_JOB_MARKS = 1000
MAX_SAVED_SEARCHES = 50
SAVED_SEARCH_INSTANT_MINUTES = 5
# o'clock UTC: from then on the night's pass over the search indexes is due
SEARCH_REREAD_HOUR = 3
MAX_SHORTLISTS = 50
MAX_SHORTLISTED = 200
GHOSTED_AFTER_DAYS = 14
OFFER_EXPIRES_DAYS = 7
COUNTER_OFFERS_MOST = 10
# the first published rule of bid credits (jobs.credits): budgets in US cents up to which a bid costs so many; None: no end
BID_CREDITS_MONTHLY = 60
BID_CREDITS_BY_BUDGET: list[tuple[int | None, int]] = [(500_00, 2), (5_000_00, 4), (None, 6)]
BID_CREDITS_HOURLY = 4
BID_CREDITS_UNKNOWN_BUDGET = 4
AUTO_APPROVE_DAYS = 14
CLEARING_DAYS = 5
REVIEW_WINDOW_DAYS = 14
# counted from the Monday 00:00 UTC on which the week is over
TIMESHEET_CLOSES_AFTER_MINUTES = 12 * 60
TIMESHEET_REVIEW_ENDS_AFTER_MINUTES = 5 * 24 * 60 - 1
TIMESHEET_LEAST_REVIEW_HOURS = 48
TIMESHEET_ANSWER_DAYS = 3
TIMESHEET_DECIDE_DAYS = 4
MODERATION_DECISION_DAYS = 3
MODERATION_HOLD_DAYS = 5
MODERATION_SECOND_DAYS = 2
MODERATION_CLAIM_MINUTES = 30
MODERATION_APPEAL_DAYS = 14
MODERATION_APPEAL_DECISION_DAYS = 7
# suspensions always wait for a second person, removals do when the account holds or has earned at least this much
MODERATION_HIGH_VALUE_USD_MINOR = 5_000_00
MODERATION_RERATE_BPS = 1000
REPORTS_A_DAY = 20
TEXT_WARNINGS_BEFORE_CASE = 3
TEXT_WARNING_DAYS = 30
DISPUTE_RESPONSE_BUSINESS_DAYS = 5
DISPUTE_HOLIDAYS: list[str] = []
DISPUTE_NEGOTIATION_DAYS = 14
DISPUTE_PROPOSAL_DAYS = 3
#: a message that got no answer in these days counts against the other side in the computed split
DISPUTE_ANSWER_DAYS = 3
DISPUTE_EVIDENCE_DAYS = 7
DISPUTE_DECISION_DAYS = 5
DISPUTE_APPEAL_DAYS = 7
SMALL_CLAIM_USD_MINOR = 100_00
#: where the bands end by which precedents compare amounts; above the last one is a band too
DISPUTE_AMOUNT_BANDS_USD_MINOR = [100_00, 500_00, 2_000_00, 10_000_00]
HOLD_ALARM_DAYS = 60
HOLD_LIMIT_DAYS = 75
FUND_AHEAD_DAYS = 45
REFUND_ANSWER_DAYS = 7
REFUND_REQUESTS_PER_VERSION = 3
BONUS_DAYS = 60
REMIND_HOURS = 24
MAX_MILESTONE_TASKS = 200
FREELANCER_FEE_BPS = 1000
FEE_TAX_BPS = 0
#: who supplies the platform's service and issues its invoices. Without a VAT id or a registration no tax is charged; `registrations` are countries
#: (or "EU", the One-Stop-Shop) to the number there; `withholds` are countries whose law makes the installation keep tax back from payees
SELLER = {
    "name": "Openlance (demonstration)",
    "street": "1 Example Street",
    "postcode": "10115",
    "city": "Berlin",
    "country": "DE",
    "email": "billing@openlance.example",
    "vat_id": "",
    "company_number": "HRB 000000",
    "currency": "EUR",
    "registrations": {},
    "withholds": [],
    **json.loads(os.environ.get("OPENLANCE_SELLER", "{}")),
}
#: the published table of payments/tax_tables by which new money is taxed
TAX_TABLE = "2026-1"
# a day is compared with the gateways so many hours after its end (UTC); days that were missed for so long are made up for
RECONCILE_AFTER_HOURS = 6
RECONCILE_CATCH_UP_DAYS = 7
# what one side alone has is in flight for so long before it is a difference; days that lie further apart than this have shifted
RECONCILE_GRACE_HOURS = 24
RECONCILE_SHIFT_DAYS = 2
# a payout or refund whose bank has not answered is in flight for so long
RECONCILE_UNSETTLED_DAYS = 10
# after how many days finance staff are told of a difference that is open; weekly from then on
RECONCILE_ALARM_DAYS = [2, 7, 14]
# bookings of more than this need a second person
RECONCILE_SECOND_ABOVE_USD_MINOR = 500_00
RECONCILE_FILE_MAX_BYTES = 200 * 2**20
# totals behind which fewer people stand are not published
TRANSPARENCY_LEAST_PEOPLE = 5
LEDGER_CHECKS_KEPT_DAYS = 90
FX_SPREAD_BPS = 100
# how many days after its own a rate may price an exchange, by source; the ECB's of a Thursday stands until the Tuesday after Easter
FX_MAX_AGE_DAYS = {"ecb": 5, "ecb_cross": 5, "admin": 30}
# so many days before its last one whoever may set rates is told of a rate that people use
FX_WARN_DAYS = 1
# the ECB's history (eurofxref-hist.zip or .csv), a path or an address, that is read by itself; empty: nothing is read
FX_RATES_FILE = os.environ.get("OPENLANCE_FX_RATES_FILE", "")
# a rate set by hand that differs by more than so much from the last known, or from that of so many days ago, needs a second person; beyond
# the factor it is taken for a slip unless whoever sets it says otherwise
FX_HAND_SECOND_PERCENT = 10
FX_HAND_SECOND_DAYS = 7
FX_HAND_FACTOR = 3
#: what is owed can be written off when nothing of it has moved for so long
DEBT_WRITE_OFF_DAYS = 180
# the rates that come with the packages are good at any age: for trying and showing things
FX_PACKAGED_RATES = True
QUOTE_MINUTES = 15
FIRST_PAYOUT_HOLD_HOURS = 24
# a paid payout is asked about for so many days more, every so many hours: the payee's bank may send it back
PAYOUT_RETURN_DAYS = 10
PAYOUT_PAID_ASKED_HOURS = 6
# a payment whose gateway has not told its fee yet is asked about for so many days, as often
PAYMENT_FEE_DAYS = 3
# a payout by these gateways that is sent for longer than so many hours is one whose end nobody knows
PAYOUT_UNKNOWN_HOURS = {"mpesa": 6}
# a payout that was sent so long ago may be resolved as failed by two people who read its end at the gateway
PAYOUT_RESOLVE_HOURS = 24
# a place to be paid that is added after another one waits so long before anything is sent there
PAYOUT_METHOD_WAIT_HOURS = 72
PAYOUT_LEAST_USD_MINOR = 10_00
PAYOUT_SMALL_EVERY_DAYS = 30
# off: no velocity rule holds anything, they only count
VELOCITY_HOLDS = True
# of each rule: hold, shadow (counts, holds nothing) or off
VELOCITY_MODES = {
    "card_testing": "hold",
    "small_payments": "hold",
    "method_changed": "hold",
    "new_payee_large": "hold",
    "refund_ping_pong": "hold",
}
# the rules' thresholds (docs/payments.md); after a hold that staff released a rule says nothing about that person for `cleared_days`
VELOCITY: dict[str, dict[str, int]] = {
    "card_testing": {
        "minutes": 60,
        "declined": 8,
        "cards": 4,
        "tiny": 10,
        "tiny_usd_minor": 2_00,
        "ends_hours": 72,
        "cleared_days": 1,
    },
    "small_payments": {"hours": 24, "count": 20, "small_usd_minor": 20_00, "cleared_days": 30},
    "method_changed": {"hours": 168, "percent": 80, "usd_minor": 1_000_00, "cleared_days": 7},
    "new_payee_large": {"payouts": 1, "usd_minor": 5_000_00, "cleared_days": 30},
    "refund_ping_pong": {"days": 30, "count": 4, "percent": 80, "ends_hours": 72, "cleared_days": 30},
}
# payments that prompt a phone, within so many minutes: `phone` unpaid ones at one number, whoever asks, and `payer` by one person
PHONE_PROMPTS = {"minutes": 60, "phone": 4, "payer": 20}
PAYMENT_TRACE_DAYS = 90
# the bodies of notifications, which may name people; what a notification was about stays
WEBHOOK_BODY_DAYS = 90
# notifications that could not be verified, kept one by one a gateway and day; more are only counted
WEBHOOK_REFUSALS_A_DAY = 200
DATA_EXPORT_DAYS = 7
DATA_EXPORTS_PER_DAY = 3
CLOSING_GRACE_DAYS = 14
SEARCH_DIR = VAR / "search"
BUNDLES = Path(os.environ.get("OPENLANCE_BUNDLES", VAR / "bundles"))
# a list of recommendations that takes the model longer is answered by the documented rules
MATCHING_DEADLINE_SECONDS = 0.1
# which gateways may be there at all; one without its credentials is not offered
PAYMENT_PROVIDERS = ["sandbox", "stripe", "paypal", "mpesa"]


def payment_credentials(environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """gateway → what OPENLANCE_<GATEWAY>_<NAME> says, names in lower case; nothing of money's keys is ever in a file of ours."""
    found: dict[str, dict[str, str]] = {}
    for name, value in environ.items():
        for provider in ("stripe", "paypal", "mpesa"):
            prefix = f"OPENLANCE_{provider.upper()}_"
            if name.startswith(prefix) and value:
                found.setdefault(provider, {})[name.removeprefix(prefix).lower()] = value
    return found


PAYMENT_CREDENTIALS = payment_credentials(os.environ)
# the sandbox notifies this house by HTTP, as a real gateway would
SANDBOX_NOTIFIES = os.environ.get("OPENLANCE_SANDBOX_NOTIFIES", BASE_URL).rstrip("/")
SAVED_METHODS_MOST = 20
PAYOUT_METHODS_MOST = 20
MAX_AMOUNT_MINOR = 10**12
# a payment that waits for its payer is given up after so long
PAYMENT_WAITS_HOURS = 72
WEBHOOK_RETRY_DAYS = 7
# how far back a gateway's own list of events is read at most: PayPal and Stripe keep thirty days
GATEWAY_EVENTS_DAYS = 29

MEDIA_ROOT = Path(os.environ.get("OPENLANCE_UPLOADS", VAR / "uploads"))
FILE_MAX_BYTES = 50 * 1024 * 1024
# uploads that nothing was sent with yet: how many and how large a person may have, and how long they stay
FILE_MAX_WAITING = 100
FILE_MAX_WAITING_BYTES = 1024**3
FILE_WAITING_HOURS = 48
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
SECURE_CONTENT_TYPE_NOSNIFF = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"

MYSQL_OPTIONS = {
    "charset": "utf8mb4",
    "isolation_level": "read committed",
    "init_command": "SET time_zone = '+00:00', sql_mode = 'STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO', innodb_lock_wait_timeout = 10",
}


def mysql_database() -> dict:
    """The operational database of the services, test and production profiles, from the environment."""
    options = dict(MYSQL_OPTIONS)
    socket = os.environ.get("OPENLANCE_DB_SOCKET", "")
    if socket:
        options["unix_socket"] = socket
    return {
        "ENGINE": "marketplace.core.mysql",
        "NAME": os.environ.get("OPENLANCE_DB_NAME", "openlance"),
        "USER": os.environ.get("OPENLANCE_DB_USER", "root"),
        "PASSWORD": os.environ.get("OPENLANCE_DB_PASSWORD", ""),
        "HOST": "" if socket else os.environ.get("OPENLANCE_DB_HOST", "127.0.0.1"),
        "PORT": os.environ.get("OPENLANCE_DB_PORT", "3306"),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
        "TEST": {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_unicode_ci"},
    }


def sqlite_database() -> dict:
    """The operational database of the embedded profile: one file, write-ahead log, immediate transactions."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("OPENLANCE_SQLITE", str(VAR / "db.sqlite3")),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
        },
    }


# Each prepared statement is compared with the queryset it was made of; only tests pay for that.
PREPARED_CHECKED = False
