"""manage.py sandbox_event: let something happen at the sandbox gateway and notify us of it, signed, as a real gateway would."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from marketplace.payments import services
from marketplace.payments.providers import sandbox

_STATES = {
    "succeed": "succeeded",
    "fail": "failed",
    "cancel": "cancelled",
    "charge_back": "charged_back",
    "win": "won",
    "lose": "lost",
}


class Command(BaseCommand):
    help = (
        "Confirm, fail, cancel or charge back a sandbox payment by its provider reference, dispute it, decide a dispute (win, lose), let a "
        "refund or payout fail afterwards; and handle the notification."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ref", help="the provider_ref of the payment, refund, payout or dispute")
        parser.add_argument("what", choices=sorted([*_STATES, "dispute"]))

    def handle(self, *args: Any, **options: Any) -> None:
        ref, what = options["ref"], options["what"]
        if what == "dispute":
            ref, kind = sandbox.dispute(ref), "dispute.created"
        else:
            sandbox.change(ref, _STATES[what], "authentication_failed" if what == "fail" else "")
            kind = f"{ref.split('_')[1]}.{_STATES[what]}"
        body = json.dumps({"id": f"evt_{uuid.uuid4().hex}", "type": kind, "object": ref}).encode()
        stored = services.webhook_receive(
            provider="sandbox",
            path_token=sandbox.webhook_path_token(),
            raw_body=body,
            headers={"Sandbox-Signature": sandbox.sign(body)},
        )
        handled = services.webhook_handle(webhook_id=stored.pk)
        self.stdout.write(f"{stored.kind}: {'handled' if handled else 'stored for later'}")
