"""Two people of the sample house whose every personal value is a word of its own, so that it can be found wherever it went.

    python -m tests.house_people        in the sample house's environment: marks them, and writes people.json into its folder

A freelancer who has bid and a client who has posted; nothing keeps their accounts open. `tests/pipelines/test_erasure.py` lets them leave.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

PREFIX = "zq"
#: what the platform reads of them, in the clear; what lies behind files, places and tax numbers it reads as hashes
READ = {"title", "overview", "level", "queryfreelancer", "queryclient", "filterfreelancer", "filterclient", "parameter", "device"}
#: what it never reads: names, addresses, and what people write to each other
NEVER_READ = {
    *(
        "namefreelancer",
        "nameclient",
        "mailfreelancer",
        "mailclient",
        "messagefreelancer",
        "messageclient",
        "inboxfreelancer",
        "inboxclient",
    ),
    *(
        "entry",
        "story",
        "file",
        "cover",
        "saved",
        "label",
        "iban",
        "legal",
        "street",
        "company",
        "about",
        "site",
        "shortlist",
        "note",
        "reason",
    ),
    # what stays in the product's columns, and in what its events say of them
    *("answer", "part", "outcome", "card", "task", "attached"),
}
#: a real form of a tax number, which is extracted as a hash
VAT_ID = "DE136695976"
PLACE = hashlib.sha256(b"the place that a freelancer is paid to").hexdigest()


def mark() -> dict[str, Any]:
    """Mark both people; returns who they are and what of them must stay, being the other side's record too."""
    from marketplace.accounts import closing
    from marketplace.accounts.models import ClientProfile, FreelancerProfile
    from marketplace.jobs.models import Job, Proposal

    def free(users: Any, acts: Any) -> int:
        return next(pk for pk in users if acts(pk) > 3 and not closing.obstacles_of(pk))

    users = FreelancerProfile.objects.exclude(overview="").order_by("pk").values_list("user_id", flat=True)
    freelancer = free(users, lambda pk: Proposal.objects.filter(freelancer=pk).count())
    users = ClientProfile.objects.filter(import_source="").order_by("pk").values_list("user_id", flat=True)
    client = free(users, lambda pk: Job.objects.filter(client=pk).exclude(opened_at=None).count())
    _freelancer(freelancer)
    _client(client, freelancer)
    kept = Job.objects.filter(client=client).exclude(opened_at=None).order_by("pk").first()
    assert kept is not None
    return {"freelancer": freelancer, "client": client, "kept_job": kept.pk, "kept_title": kept.title}


def _named(user_id: int, what: str) -> Any:
    from marketplace.accounts.models import SignIn, User
    from marketplace.activity.models import Search
    from marketplace.core import clock
    from marketplace.messaging.models import Message
    from marketplace.notifications.models import InboxItem

    user = User.objects.get(pk=user_id)
    user.display_name, user.email = f"{PREFIX}name{what}", f"{PREFIX}mail{what}@example.org"
    user.save()
    SignIn.objects.create(user=user, device=f"{PREFIX}device phone", at=clock.now())
    words = {"query": f"{PREFIX}query{what}", "filters": {"skills": [f"{PREFIX}filter{what}"]}}
    if not Search.objects.filter(user_id=user_id).update(**words):
        Search.objects.create(user_id=user_id, surface="jobs", hits=1, searched_at=clock.now(), **words)
    last = Message.objects.filter(author=user).order_by("pk").last()
    assert last is not None
    Message.objects.filter(pk=last.pk).update(text=f"{PREFIX}message{what}")
    InboxItem.objects.create(user=user, event_id=1, kind="job.publish", text=f"{PREFIX}inbox{what}", created_at=clock.now())
    return user


def _freelancer(user_id: int) -> None:
    from marketplace.accounts.models import FreelancerProfile, ProfileEntry
    from marketplace.core import clock, files
    from marketplace.jobs.models import Proposal, SavedSearch
    from marketplace.payments import levies
    from marketplace.payments.risk_models import PayoutMethod

    user, now = _named(user_id, "freelancer"), clock.now()
    profile = FreelancerProfile.objects.get(user=user)
    profile.title = f"{PREFIX}title {profile.title}"[:120]
    profile.overview = f"{PREFIX}overview {profile.overview}"
    profile.languages = [{"language": "de", "level": f"{PREFIX}level"}]
    profile.save()
    entry = ProfileEntry.objects.create(
        freelancer=profile, section="portfolio", position=1, title=f"{PREFIX}entry", description=f"{PREFIX}story", created_at=now
    )
    content = io.BytesIO(f"{PREFIX}file".encode())
    file = files.file_upload(actor=user, name=f"{PREFIX}file.txt", content_type="text/plain", content=content)
    files.attach(actor=user, file_ids=[file.pk], to=entry)
    bid = Proposal.objects.filter(freelancer=user).order_by("pk").first()
    assert bid is not None
    parts = [{"title": f"{PREFIX}part", "amount_minor": bid.amount_minor}]
    texts = {"cover_letter": f"{PREFIX}cover", "answers": [f"{PREFIX}answer"], "milestones": parts, "outcome_reason": f"{PREFIX}outcome"}
    Proposal.objects.filter(pk=bid.pk).update(**texts)
    SavedSearch.objects.create(
        user=user, name=f"{PREFIX}saved", parameters={"q": f"{PREFIX}parameter"}, created_at=now, looked_at=now, look_at=now
    )
    place = PayoutMethod.objects.create(
        user=user, provider="sandbox", state="ready", digest=PLACE, label=f"{PREFIX}label", details={"iban": f"{PREFIX}iban"}, added_at=now, usable_at=now
    )  # fmt: skip
    levies.tax_profile_put(actor=user, country="DE", legal_name=f"{PREFIX}legal", street=f"{PREFIX}street", vat_id=VAT_ID)
    _tell(bid, "proposal.update", {"answers": [], "milestones": []}, {"answers": [f"{PREFIX}answer"], "milestones": parts})
    _tell(place, "payout_method.default", {}, {"user_id": user_id, "provider": "sandbox", "label": f"{PREFIX}label"})
    _tell(user, "user.update", {"vat_id": VAT_ID}, {"last4": f"{PREFIX}card", "state": "open"})
    _tell(bid.job, "job.update", {"files": []}, {"files": [f"{PREFIX}attached.txt"]})
    _tell(bid, "work_task.add", {"title": f"{PREFIX}task"}, {"task_id": 1, "title": f"{PREFIX}task"})


def _tell(aggregate: Any, kind: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    """An event that says more than any service of today: older ones do, and a later one may."""
    from django.db import transaction

    from marketplace.core import events

    with transaction.atomic():
        events.record(aggregate=aggregate, kind=kind, actor_id=None, before=before, after=after)


def _client(user_id: int, freelancer: int) -> None:
    from marketplace.accounts.models import ClientProfile, CompanyDetails
    from marketplace.core import clock
    from marketplace.jobs.models import Shortlist, ShortlistItem

    user = _named(user_id, "client")
    profile = ClientProfile.objects.get(user=user)
    profile.company_name, profile.about = f"{PREFIX}company", f"{PREFIX}about"
    profile.save()
    CompanyDetails.objects.update_or_create(profile=profile, defaults={"website": f"https://{PREFIX}site.example"})
    shortlist = Shortlist.objects.create(client=user, name=f"{PREFIX}shortlist", created_at=clock.now())
    ShortlistItem.objects.create(shortlist=shortlist, freelancer_id=freelancer, note=f"{PREFIX}note", added_at=clock.now())


def close(people: list[int]) -> None:
    """What the people and the house's clocks do: they ask to leave, their grace passes, what they left is erased by every app."""
    from marketplace.accounts import closing, tasks
    from marketplace.accounts.models import AccountClosing, User
    from marketplace.core import clock
    from marketplace.core.tasks import drain

    for person in people:
        closing.closing_request(actor=User.objects.get(pk=person), reason=f"{PREFIX}reason")
    clock.advance(15 * 86400)
    tasks.close_due()
    drain()
    states = set(AccountClosing.objects.filter(user__in=people).values_list("state", flat=True))
    assert states == {"erased"}, states


def main() -> None:
    """Mark, or with `close` and numbers of people let these leave."""
    import django

    django.setup()
    if sys.argv[1:2] == ["close"]:
        close([int(number) for number in sys.argv[2:]])
    else:
        (Path(os.environ["OPENLANCE_VAR"]) / "people.json").write_text(json.dumps(mark()))


if __name__ == "__main__":
    main()
