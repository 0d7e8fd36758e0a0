"""ASGI: `/ws` in the services profile, everything in the embedded one."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.embedded")
application = ProtocolTypeRouter({"http": get_asgi_application()})
