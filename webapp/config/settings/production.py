"""Production: everything secret must be in the environment, or the process does not start."""

import os

from django.core.exceptions import ImproperlyConfigured

from .base import *  # noqa: F403
from .base import IDP_OIDC_PRIVATE_KEY, SECRET_KEY, mysql_database

for _name, _value in {
    "OPENLANCE_SECRET_KEY": SECRET_KEY,
    "OPENLANCE_OIDC_PRIVATE_KEY_FILE": IDP_OIDC_PRIVATE_KEY,
}.items():
    if not _value:
        raise ImproperlyConfigured(f"{_name} is not set: production does not start without it.")
DATABASES = {"default": mysql_database()}
BUSINESS_CLOCK_MOVABLE = False
BUSINESS_CLOCK_FOR_EVERYBODY = False
STAFF_SECOND_FACTOR = True
# The sandbox makes money out of test tokens: a production that is only a trial must ask for it by name.
PAYMENT_PROVIDERS = [name for name in os.environ.get("OPENLANCE_PAYMENT_PROVIDERS", "").split(",") if name]
# Rates out of a package are of the day it was made: only a trial, which moves no real money, may ask for them by name.
FX_PACKAGED_RATES = os.environ.get("OPENLANCE_FX_PACKAGED_RATES", "") == "1"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 31536000
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
