"""`manage.py ensure_signins`: the three ready sign-ins of a demo, made or found, and printed."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from marketplace.simulation.signins import PASSWORD_VARIABLE, ensure_signins


class Command(BaseCommand):
    help = f"Make ready sign-ins for a client, a freelancer and an admin; the password comes from {PASSWORD_VARIABLE} or is made up and printed."

    def handle(self, *args: Any, **options: Any) -> None:
        for found in ensure_signins():
            self.stdout.write(f"{found.role:<12} {found.email:<32} {found.password or '(as set before)'}")
