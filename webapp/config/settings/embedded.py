"""Trying it: SQLite and a Redis that comes with the Python packages. Needs Python only."""

from .base import *  # noqa: F403
from .base import INSTALLED_APPS, SECRET_KEY, sqlite_database

if not SECRET_KEY:
    # Commands such as makemigrations run without secrets; the runner always sets a generated key before anything is served.
    SECRET_KEY = "embedded-profile-without-a-server"  # noqa: S105
INSTALLED_APPS = [*INSTALLED_APPS, "marketplace.simulation"]
DATABASES = {"default": sqlite_database()}
BUSINESS_CLOCK_MOVABLE = True
BUSINESS_CLOCK_FOR_EVERYBODY = True
# The sample administrator of a demo has a password and nothing else.
STAFF_SECOND_FACTOR = False
