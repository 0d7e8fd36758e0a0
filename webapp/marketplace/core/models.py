"""Tables of the core: outbox, idempotency, uploaded files, tombstones of hard deletes, the movable clock."""

from __future__ import annotations

from django.db import models

from .fields import JsonValue, StampedField, StampedModel


def _state_in(column: str) -> models.GeneratedField:
    return models.GeneratedField(expression=JsonValue(column, "$.state"), output_field=models.CharField(max_length=64), db_persist=True)


class Event(models.Model):
    """One fact, append-only: who did what to which object, what it was before and after, and why."""

    aggregate_type = models.CharField(max_length=64)
    aggregate_id = models.BigIntegerField()
    version = models.PositiveIntegerField(help_text="Allotted under the aggregate's lock, from 1, without gaps.")
    kind = models.CharField(max_length=64)
    actor_id = models.BigIntegerField(null=True, help_text="accounts_user.id; null is the system (a clock, a webhook).")
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    #: What the data platform reads of `before` and `after`; the rest of them stays here.
    state_before = _state_in("before")
    state_after = _state_in("after")
    reason = models.CharField(max_length=500, blank=True)
    occurred_at = models.DateTimeField(help_text="Business time.")
    created_at = StampedField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["aggregate_type", "aggregate_id", "version"], name="event_version_once"),
        ]
        indexes = [
            models.Index(fields=["kind", "id"], name="event_kind"),
            models.Index(fields=["created_at", "id"], name="event_stamp"),
        ]

    def __str__(self) -> str:
        return f"{self.aggregate_type}:{self.aggregate_id} v{self.version} {self.kind}"


class Delivery(models.Model):
    """That one handler has to see one event, and how that went."""

    class State(models.TextChoices):
        PENDING = "pending"
        CLAIMED = "claimed"
        DONE = "done"
        DEAD = "dead"

    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="deliveries")
    handler = models.CharField(max_length=100)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(help_text="Business time; a claim's lease ends here too.")
    last_error = models.CharField(max_length=1000, blank=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [models.UniqueConstraint(fields=["event", "handler"], name="delivery_once")]
        indexes = [models.Index(fields=["state", "next_try_at"], name="delivery_due")]

    def __str__(self) -> str:
        return f"{self.handler} ← {self.event_id} ({self.state})"


class IdempotencyRecord(models.Model):
    """The answer given to one Idempotency-Key, so that the same request twice has one effect and one answer."""

    actor_key = models.CharField(max_length=80, help_text="'user:<id>' or a hash of the anonymous session.")
    key = models.CharField(max_length=128)
    request_hash = models.CharField(max_length=64, help_text="sha256 of method, path and body.")
    response_status = models.PositiveSmallIntegerField(null=True, help_text="Null while the first request is at work.")
    response_body = models.JSONField(null=True)
    claimed_at = models.DateTimeField(help_text="Wall clock: when the request that owns the key began.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["actor_key", "key"], name="idempotency_key_once")]
        indexes = [models.Index(fields=["claimed_at"], name="idempotency_age")]

    def __str__(self) -> str:
        return f"{self.actor_key} {self.key}"


class DeletedRow(models.Model):
    """A hard delete of an extracted table, written by the database in the same transaction (core.triggers), so that the platform learns of it."""

    table_name = models.CharField(max_length=64)
    row_id = models.BigIntegerField()
    reason = models.CharField(max_length=200)
    updated_at = StampedField()

    class Meta:
        indexes = [models.Index(fields=["updated_at", "id"], name="deleted_row_stamp")]

    def __str__(self) -> str:
        return f"{self.table_name}:{self.row_id}"


class BusinessClock(models.Model):
    """The one row (id 1) that says how far demo and test time run ahead of the wall clock."""

    offset_seconds = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"+{self.offset_seconds} s"


class StaffAction(models.Model):
    """No table: what the permissions of policies.STAFF_ACTIONS hang on, so that Django's own groups and pickers manage them."""

    class Meta:
        managed = False
        default_permissions = ()


class StoredFile(StampedModel):
    """An uploaded file. It belongs to its owner alone until a service attaches it to one object; from then on whoever sees the object
    may read it (see core.files)."""

    owner_id = models.BigIntegerField(help_text="accounts_user.id; core knows no higher app.")
    name = models.CharField(max_length=255, help_text="As the owner called it, without folders.")
    content_type = models.CharField(max_length=100)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    stored_as = models.CharField(max_length=100, help_text="Below MEDIA_ROOT.")
    uploaded_at = models.DateTimeField(help_text="Business time.")
    attached_type = models.CharField(max_length=64, blank=True, help_text="Label of the object's model, such as contracts.submission.")
    attached_id = models.BigIntegerField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="stored_file_stamp"),
            models.Index(fields=["attached_type", "attached_id"], name="file_attached"),
            models.Index(fields=["owner_id", "id"], name="file_owner"),
        ]

    def __str__(self) -> str:
        return f"file {self.pk} of user {self.owner_id}"


class StaffAct(StampedModel):
    """One field that staff changed, or one thing that staff did, append-only: written by core.audit in the transaction of the act."""

    actor_id = models.BigIntegerField(help_text="accounts_user.id of whoever of staff acted.")
    action = models.CharField(max_length=64, help_text="One of policies.STAFF_ACTIONS.")
    object_type = models.CharField(max_length=64, help_text="Label of the object's model, such as accounts.user.")
    object_id = models.BigIntegerField()
    field = models.CharField(max_length=64, blank=True, help_text="Empty when the act changed no field, such as looking or impersonating.")
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.CharField(max_length=500)
    at = models.DateTimeField(help_text="Business time.")

    class Meta:
        indexes = [
            models.Index(fields=["updated_at", "id"], name="staff_act_stamp"),
            models.Index(fields=["object_type", "object_id", "id"], name="staff_act_object"),
            models.Index(fields=["actor_id", "id"], name="staff_act_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.action} of {self.object_type}:{self.object_id} by {self.actor_id}"


class FeatureSetting(models.Model):
    """What staff put in place of a setting of the installation; null is the setting itself. See core.features."""

    name = models.CharField(max_length=40, unique=True)
    value = models.JSONField(null=True)

    def __str__(self) -> str:
        return self.name


class BulkAct(models.Model):
    """One act of staff on many objects, and how far it has come. See core.bulk."""

    name = models.CharField(max_length=40)
    actor_id = models.BigIntegerField(help_text="accounts_user.id of whoever of staff acts.")
    object_ids = models.JSONField()
    reason = models.CharField(max_length=500)
    place = models.PositiveIntegerField(default=0, help_text="How many of the objects have been tried.")
    done = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0, help_text="How many were given up after faults of ours.")
    tries = models.PositiveSmallIntegerField(default=0, help_text="How often the object at its place has failed by a fault of ours.")
    refusals = models.JSONField(default=list, help_text='[{"object_id", "code", "message"}] of those refused or failed, the first 200.')
    created_at = models.DateTimeField(help_text="Business time.")
    claimed_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["finished_at", "id"], name="bulk_act_open")]

    def __str__(self) -> str:
        return f"{self.name} of {len(self.object_ids)}"
