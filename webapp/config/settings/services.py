"""Development and small installations: MySQL or MariaDB, and Redis."""

import os

from .base import *  # noqa: F403
from .base import INSTALLED_APPS, SECRET_KEY, mysql_database

if not SECRET_KEY:
    SECRET_KEY = "services-profile-without-a-server"  # noqa: S105
INSTALLED_APPS = [*INSTALLED_APPS, "marketplace.simulation"]
DATABASES = {"default": mysql_database()}
BUSINESS_CLOCK_MOVABLE = os.environ.get("OPENLANCE_MOVABLE_CLOCK", "") == "1"
