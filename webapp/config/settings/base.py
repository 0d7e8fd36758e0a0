"""Settings common to all profiles. Secrets come from the environment only."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured

from .domain import *  # noqa: F403

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


def _verified_tls(authority: str) -> dict:
    """The driver's options for a connection whose certificate was signed by `authority` for the very host (as in `pipelines/tls.py`)."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(authority)
    except OSError as fault:
        raise ImproperlyConfigured(f"OPENLANCE_DB_TLS_CA: no CA certificate can be read from {authority} ({fault.strerror})") from fault
    return {"ssl": {"ca": str(Path(authority).absolute())}, "ssl_mode": "VERIFY_IDENTITY"}


def mysql_database() -> dict:
    """The operational database of the services, test and production profiles, from the environment."""
    options = dict(MYSQL_OPTIONS)
    socket = os.environ.get("OPENLANCE_DB_SOCKET", "")
    if socket:
        options["unix_socket"] = socket
    elif authority := os.environ.get("OPENLANCE_DB_TLS_CA", ""):
        options |= _verified_tls(authority)
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
