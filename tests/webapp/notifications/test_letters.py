"""Letters: at the pace people chose, never in their quiet hours, once, in their language, and easy to end."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client, override_settings

from marketplace.contracts.models import Contract
from marketplace.core import clock
from marketplace.core.models import Event
from marketplace.core.tasks import drain
from marketplace.notifications import letters, policies, schedule, services
from marketplace.notifications.models import InboxItem, Letter, Preference
from marketplace.payments.reasons import WORDS
from tests.webapp.people import Person


def verified(user: Any) -> Any:
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


@pytest.fixture
def reader(bob: Any) -> Any:
    """Bob, whose address is verified."""
    return verified(bob)


def test_an_event_becomes_one_letter_however_often_it_is_delivered(reader: Any, offer: Contract) -> None:
    event = Event.objects.get(kind="contract.offer")
    assert [services.tell(event=event) for _ in range(2)] == [1, 0]
    assert [services.send_due() for _ in range(2)] == [1, 0]
    (letter,) = mail.outbox
    assert (letter.subject, letter.to) == ("You have an offer for “A web shop”.", ["bob@example.org"])
    assert f"http://localhost:8000/contracts/{offer.pk}" in letter.body


def test_nobody_without_a_verified_address_or_suspended_is_written_to(bob: Any, offer: Contract) -> None:
    drain()
    assert services.send_due() == 0
    verified(bob)
    bob.is_active = False
    bob.save()
    Letter.objects.update(state="waiting", due_at=clock.now())
    assert services.send_due() == 0
    assert mail.outbox == []
    assert set(Letter.objects.filter(user=bob).values_list("state", flat=True)) == {"dropped"}


def test_a_daily_reader_gets_one_letter_with_everything_at_their_hour(reader: Any, offer: Contract, days: Callable[[float], Any]) -> None:
    reader.time_zone = "Africa/Nairobi"
    reader.save()
    services.preference_put(actor=reader, pace="daily", digest_at=480)
    drain()
    again = Event.objects.get(kind="contract.offer")
    item = InboxItem.objects.create(user=reader, event_id=10**9, kind="milestone.fund", text="“B” is funded.", created_at=again.occurred_at)
    services._write(item)
    assert services.send_due() == 0
    due = Letter.objects.filter(user=reader).values_list("due_at", flat=True)
    assert {(d.hour, d.minute) for d in due} == {(5, 0)}
    days(1)
    assert services.send_due() == 2
    (letter,) = mail.outbox
    assert letter.subject == "2 things happened on Openlance"
    assert "“B” is funded." in letter.body and "A web shop" in letter.body


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "quiet", "now", "due"),
    [
        ("UTC", (1320, 420), "2026-05-01T21:59:59", "2026-05-01T21:59:59"),
        ("UTC", (1320, 420), "2026-05-01T22:00:00", "2026-05-02T07:00:00"),
        ("UTC", (1320, 420), "2026-05-02T06:59:59", "2026-05-02T07:00:00"),
        ("UTC", (1320, 420), "2026-05-02T07:00:00", "2026-05-02T07:00:00"),
        ("UTC", (720, 780), "2026-05-02T12:30:00", "2026-05-02T13:00:00"),
        ("UTC", (600, 600), "2026-05-02T10:00:00", "2026-05-02T10:00:00"),
        # Berlin's clocks go forward in this night: its 07:00 is 05:00 UTC, not 06:00
        ("Europe/Berlin", (1320, 420), "2026-03-28T22:30:00", "2026-03-29T05:00:00"),
        # and back in this one
        ("Europe/Berlin", (1320, 420), "2026-10-24T21:30:00", "2026-10-25T06:00:00"),
        ("UTC", (1320, 420), "2028-02-28T23:00:00", "2028-02-29T07:00:00"),
        # an hour that is repeated: quiet hours that ended, or began, in its first round are not opened, or closed, by the second
        ("Europe/Berlin", (1320, 150), "2026-10-25T00:29:59", "2026-10-25T00:30:00"),
        ("Europe/Berlin", (1320, 150), "2026-10-25T01:15:00", "2026-10-25T01:15:00"),
        ("Europe/Berlin", (150, 420), "2026-10-25T01:15:00", "2026-10-25T06:00:00"),
        # one that is skipped: who comes late waits for the same end as who came before it
        ("Europe/Berlin", (1320, 150), "2026-03-29T00:50:00", "2026-03-29T01:30:00"),
        ("Europe/Berlin", (1320, 150), "2026-03-29T01:10:00", "2026-03-29T01:30:00"),
    ],
)
def test_quiet_hours_end_at_the_persons_own_morning(zone: str, quiet: tuple[int, int], now: str, due: str) -> None:
    preference = Preference(quiet_from=quiet[0], quiet_to=quiet[1])
    assert schedule.due_at(preference, "contracts", zone, at(now)) == at(due)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-05-01T07:59:59", "2026-05-01T08:00:00"),
        ("2026-05-01T08:00:00", "2026-05-02T08:00:00"),
        ("2028-02-28T09:00:00", "2028-02-29T08:00:00"),
    ],
)
def test_the_daily_letter_is_due_at_the_next_digest_hour(now: str, due: str) -> None:
    assert schedule.due_at(Preference(pace="daily"), "contracts", "UTC", at(now)) == at(due)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        # 02:30 comes twice in this night of Berlin's: the first is the digest's
        ("2026-10-25T00:29:59", "2026-10-25T00:30:00"),
        ("2026-10-25T01:15:00", "2026-10-26T01:30:00"),
        # and is skipped in this one
        ("2026-03-29T00:50:00", "2026-03-29T01:30:00"),
        ("2026-03-29T01:10:00", "2026-03-29T01:30:00"),
        ("2026-03-29T01:30:00", "2026-03-30T00:30:00"),
    ],
)
def test_a_night_has_one_digest_hour_and_it_is_never_over(db: None, now: str, due: str) -> None:
    preference = Preference(pace="daily", digest_at=150)
    assert schedule.due_at(preference, "contracts", "Europe/Berlin", at(now)) == at(due)


def test_a_topic_may_have_its_own_pace(db: None) -> None:
    preference = Preference(pace="off", by_topic={"disputes": "instant"})
    now = at("2026-05-01T10:00:00")
    assert schedule.due_at(preference, "contracts", "UTC", now) is None
    assert schedule.due_at(preference, "disputes", "UTC", now) == now


def test_letters_about_the_account_come_whatever_was_chosen(reader: Any) -> None:
    services.preference_put(actor=reader, pace="off")
    item = InboxItem.objects.create(user=reader, event_id=1, kind="user.suspend", text="Suspended.", created_at=clock.now())
    services._write(item)
    assert services.send_due() == 1
    assert "List-Unsubscribe" not in mail.outbox[0].extra_headers


def test_german_readers_are_told_in_german(reader: Any, alice: Any, offer: Contract) -> None:
    reader.language = "de"
    reader.save()
    drain()
    services.send_due()
    assert InboxItem.objects.get(user=reader).text == "Man bietet Ihnen einen Vertrag an: „A web shop“."
    assert mail.outbox[0].body.startswith("Guten Tag Bob,")


def test_every_translated_sentence_is_of_a_known_kind_with_the_same_blanks() -> None:
    for name, text in policies.words("de").items():
        if name.startswith("letter_"):
            continue
        if name.startswith("reason_"):
            assert name.removeprefix("reason_") in WORDS and "{" not in text, name
            continue
        english = policies.RULES[name][1]
        assert ("{title}" in text, "{reason}" in text) == ("{title}" in english, "{reason}" in english), name
    assert policies.words("../de") == {} == policies.words("xx")


@override_settings(EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend", EMAIL_HOST="127.0.0.1", EMAIL_PORT=9)
def test_a_mail_server_that_is_away_is_asked_again_later_and_at_last_given_up(
    reader: Any, offer: Contract, days: Callable[[float], Any]
) -> None:
    drain()
    for attempt in range(1, letters.MAX_ATTEMPTS + 1):
        assert services.send_due() == 0
        letter = Letter.objects.get(user=reader)
        assert (letter.attempts, letter.last_error) == (attempt, "ConnectionRefusedError")
        assert letter.state == ("dropped" if attempt == letters.MAX_ATTEMPTS else "waiting")
        assert services.send_due() == 0
        assert Letter.objects.get(user=reader).attempts == attempt, "not before its next time"
        days(1)
    assert smtplib.SMTPException  # the backend that was used is the real one


def test_a_letter_that_comes_late_keeps_out_of_quiet_hours(reader: Any, offer: Contract, days: Callable[[float], Any]) -> None:
    drain()
    now = clock.now()
    minute = now.hour * 60 + now.minute
    services.preference_put(actor=reader, quiet_from=(minute - 60) % 1440, quiet_to=(minute + 60) % 1440)
    account = InboxItem.objects.create(user=reader, event_id=1, kind="user.suspend", text="Suspended.", created_at=now)
    services._write(account)
    assert services.send_due() == 1
    assert "Suspended." in mail.outbox[0].body and "offer" not in mail.outbox[0].body
    waiting = Letter.objects.get(user=reader, state="waiting")
    assert waiting.attempts == 0 and waiting.due_at > now
    days(1 / 12)
    assert services.send_due() == 1


def test_a_letter_whose_sender_died_is_sent_by_another_after_the_lease(reader: Any, offer: Contract, days: Callable[[float], Any]) -> None:
    drain()
    (claimed,) = letters._claimed(list(Letter.objects.filter(user=reader).values_list("pk", flat=True)))
    assert services.send_due() == 0
    days(1)
    assert services.send_due() == 1
    assert letters._mark([claimed], state="dropped") == 0, "the first sender writes nothing more"
    assert Letter.objects.get(user=reader).state == "sent"


def test_one_click_ends_a_topic_without_signing_in_and_only_that(reader: Any, offer: Contract) -> None:
    drain()
    services.send_due()
    link = mail.outbox[0].extra_headers["List-Unsubscribe"].strip("<>")
    assert mail.outbox[0].extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = link.removeprefix("http://localhost:8000")
    strict = Client(enforce_csrf_checks=True)
    looked = strict.get(path)
    assert looked.status_code == 200 and b"contracts" in looked.content
    assert not Preference.objects.exists(), "looking changes nothing"
    assert strict.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert strict.post(path).status_code == 200
    assert Preference.objects.get(user=reader).by_topic == {"contracts": "off"}
    item = InboxItem.objects.create(user=reader, event_id=1, kind="dispute.open", text="Disputed.", created_at=clock.now())
    services._write(item)
    assert Letter.objects.get(item=item).topic == "disputes"


def test_a_link_that_is_not_ours_changes_nothing(db: None) -> None:
    # signed in here, not among the parameters: a signature holds the second it was made in, and workers collect at different seconds
    foreign = letters.signing.dumps([1, "account"], salt="other")
    for token in ("x", "WzEsImFjY291bnQiXQ:1:1", foreign):
        assert Client().post(f"/unsubscribe/{token}").status_code == 404
        assert not Preference.objects.exists()


def test_a_subject_stays_on_one_line(reader: Any) -> None:
    item = InboxItem.objects.create(user=reader, event_id=1, kind="contract.offer", text="A\r\nBcc: x@example.org", created_at=clock.now())
    services._write(item)
    assert services.send_due() == 1
    assert mail.outbox[0].subject == "A Bcc: x@example.org" and mail.outbox[0].bcc == []


def test_settings_are_read_put_and_refused_with_the_field(bob: Any, charlie: Any) -> None:
    person = Person(bob)
    assert person.get("me/notification-settings").json() == {
        "pace": "instant", "by_topic": {}, "quiet_from": None, "quiet_to": None, "digest_at": 480,
    }  # fmt: skip
    wanted = {"pace": "daily", "by_topic": {"disputes": "instant"}, "quiet_from": 1320, "quiet_to": 420, "digest_at": 540}
    assert person.put("me/notification-settings", wanted).json() == wanted
    assert person.get("me/notification-settings").json() == wanted
    assert Person(charlie).get("me/notification-settings").json()["pace"] == "instant"
    for wrong, field in (
        ({"pace": "often"}, "pace"),
        ({"quiet_from": 1}, "quiet_to"),
        ({"quiet_from": 1440, "quiet_to": 1}, "quiet_from"),
        ({"by_topic": {"account": "off"}}, "by_topic"),
    ):
        answer = person.put("me/notification-settings", wrong)
        assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert person.get("me/notification-settings").json() == wanted


def test_all_is_read_at_once_and_only_ones_own(alice: Any, bob: Any, offer: Contract) -> None:
    drain()
    assert Person(bob).post("me/inbox/read-all").json() == {"read": 1}
    assert Person(bob).post("me/inbox/read-all").json() == {"read": 0}
    assert InboxItem.objects.filter(user=alice, read_at__isnull=False).count() == 0
