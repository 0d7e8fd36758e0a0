"""One finding, and what its code says to the writer."""

from __future__ import annotations

from dataclasses import dataclass

WARN, NOTE = "warn", "note"
#: what a writer reads; the code is stable
REASONS = {
    "email": "This looks like an e-mail address. Contact details can be exchanged once there is a contract.",
    "phone": "This looks like a phone number. Contact details can be exchanged once there is a contract.",
    "messenger": "This invites to talk on another messenger. Until there is a contract, please talk here: it protects both sides.",
    "handle": "This looks like a name on another service. Contact details can be exchanged once there is a contract.",
    "link": "This is a link. That is fine for samples of work; please do not use it to exchange contact details.",
    "outside_payment": "This seems to ask for paying outside the platform: such money is not protected, and asking for it breaks the rules.",
    "paid_to_apply": "This seems to ask people to pay for applying or for starting. Nobody pays to work here.",
    "duplicate": "The same text was sent before. Please write for this one reader, or change what you sent.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """`text[start:end]` in code points, why it was found, and whether it is worth a person's attention (WARN) or only a word (NOTE)."""

    code: str
    level: str
    start: int
    end: int
    excerpt: str

    @property
    def reason(self) -> str:
        return REASONS[self.code]
