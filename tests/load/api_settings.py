"""The services profile with one more route: the bare view that `make bench NAME=api` compares with."""

from config.settings.services import *  # noqa: F403

ROOT_URLCONF = "tests.load.api_urls"
ALLOWED_HOSTS = ["127.0.0.1"]
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
# The cast signs in with a password alone.
STAFF_SECOND_FACTOR = False
# Counted as in production, and never reached.
API_PACE = {kind: (10**9, seconds) for kind, (_, seconds) in API_PACE.items()}  # noqa: F405
