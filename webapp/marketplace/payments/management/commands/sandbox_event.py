"""manage.py sandbox_event: let something happen at the sandbox gateway and notify us of it, signed, as a real gateway would."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from marketplace.payments import services
from marketplace.payments.providers import sandbox

_STATES = {"succeed": "succeeded", "fail": "failed", "cancel": "cancelled", "charge_back": "charged_back"}


class Command(BaseCommand):
    help = "Confirm, fail, cancel or charge back a sandbox payment by its provider reference, and handle the notification."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ref", help="the payment's provider_ref")
        parser.add_argument("what", choices=sorted(_STATES))

    def handle(self, *args: Any, **options: Any) -> None:
        what = options["what"]
        sandbox.change(options["ref"], _STATES[what], "authentication_failed" if what == "fail" else "")
        body = json.dumps({"id": f"evt_{uuid.uuid4().hex}", "type": f"payment.{_STATES[what]}", "object": options["ref"]}).encode()
        stored = services.webhook_receive(
            provider="sandbox",
            path_token=sandbox.webhook_path_token(),
            raw_body=body,
            headers={"Sandbox-Signature": sandbox.sign(body)},
        )
        handled = services.webhook_handle(webhook_id=stored.pk)
        self.stdout.write(f"{stored.kind}: {'handled' if handled else 'stored for later'}")
