"""Tests: MariaDB and Redis as the runner started them; with OPENLANCE_TEST_DB=sqlite the parity suite's SQLite."""

import os
import tempfile
from pathlib import Path

from .base import *  # noqa: F403
from .base import INSTALLED_APPS, mysql_database, sqlite_database

SECRET_KEY = "only-for-tests"  # noqa: S105
DEBUG = False
# the provider that signs in whom the request names: it stands for Google and the like, and is in no other settings
INSTALLED_APPS = [*INSTALLED_APPS, "marketplace.simulation", "allauth.socialaccount.providers.dummy"]
DATABASES = {"default": sqlite_database() if os.environ.get("OPENLANCE_TEST_DB") == "sqlite" else mysql_database()}
DATABASES["default"]["CONN_MAX_AGE"] = 0
BUSINESS_CLOCK_MOVABLE = True
# Most tests sign staff in with a password alone; those of the second factor switch it on.
STAFF_SECOND_FACTOR = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
ALLOWED_HOSTS = ["*"]
if not os.environ.get("OPENLANCE_REDIS_URL"):
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
ACTIVITY_BUFFER = "memory"
# A folder of this process's own, taken away when it ends.
_search = tempfile.TemporaryDirectory(prefix="openlance-search-")
SEARCH_DIR = Path(_search.name)
_uploads = tempfile.TemporaryDirectory(prefix="openlance-uploads-")
MEDIA_ROOT = Path(_uploads.name)
# Wake-ups run nothing by themselves in tests: tests call core.tasks.drain, which is what the worker does.
CELERY_BROKER_URL = os.environ.get("OPENLANCE_REDIS_URL", "memory://")
FEATURES_STALE_SECONDS = 0.0
PREPARED_CHECKED = True
# Tests ask faster than people; those of the pace set their own.
API_PACE = {}
