"""Asking to pay past the platform, and asking people to pay for work: sets of words that stand near each other."""

from __future__ import annotations

from dataclasses import dataclass

from .contact import finding
from .finding import WARN, Finding
from .scan import BLANK, MARK, WORD, Tokens

#: tokens between two words of a phrase, at most
GAP = 10


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that follow each other, each one of a set, with at most `gap` tokens between two; none of `unless` before or among them."""

    code: str
    steps: tuple[frozenset[str], ...]
    gap: int = GAP
    unless: frozenset[str] = frozenset()


def _of(*words: str) -> frozenset[str]:
    return frozenset(words)


_PLATFORM = _of("platform", "openlance", "upwork", "fiverr", "freelancer", "site", "website", "system", "plataforma", "plattform", "plateforme",
                "платформы", "сайта", "биржи", "jukwaa")  # fmt: skip
_PAYING = _of("pay", "paid", "payment", "payments", "paying", "payout", "transfer", "money", "deal", "deals", "hire", "billing", "pagar", "pago", "pagamento",
              "bezahlen", "zahlen", "zahlung", "payer", "paiement", "оплата", "оплату", "оплатить", "заплачу", "платеж", "malipo", "lipa")  # fmt: skip
_OUTSIDE = _of("outside", "off", "fuera", "fora", "außerhalb", "ausserhalb", "dehors", "hors", "вне", "мимо", "nje")
_SOFTWARE = _of("gateway", "integration", "integrate", "stripe", "api", "checkout", "users", "customers", "feature", "module")
_FEE = _of("fee", "fees", "deposit", "charge", "взнос", "tarifa", "gebühr", "frais", "taxa")
_YOU = _of("you", "your", "applicant", "applicants", "candidate", "candidates", "freelancers", "freelancer")
_BEFORE = _of("before", "to", "upfront", "first", "prior", "advance")
_JOINING = _of(
    "registration", "application", "training", "onboarding", "processing", "joining", "security", "enrollment", "activation", "verification"
)
_STARTING = _of("apply", "applying", "start", "starting", "begin", "join", "joining", "hired", "hiring", "onboarding", "work", "working")

PHRASES = (
    Phrase("outside_payment", (_PAYING, _OUTSIDE, _PLATFORM), unless=_SOFTWARE),
    Phrase("outside_payment", (_OUTSIDE, _PLATFORM, _PAYING), unless=_SOFTWARE),
    Phrase("outside_payment", (_PAYING, _of("directly", "direkt", "directement", "directamente", "напрямую", "diretamente"),
                               _of("paypal", "bank", "venmo", "zelle", "cashapp", "crypto", "usdt", "bitcoin", "wise", "payoneer", "western", "карту", "card", "mpesa")),
           unless=_SOFTWARE),
    Phrase("outside_payment", (_of("pay", "paid", "payment", "send"), _of("via", "through", "by", "with", "over", "using", "in"),
                               _of("usdt", "zelle", "venmo", "cashapp", "moneygram", "western", "giftcard", "giftcards", "gift")), gap=6, unless=_SOFTWARE),
    Phrase("outside_payment", (_of("avoid", "save", "skip", "bypass", "dodge", "without", "evitar", "sparen", "éviter"), _PLATFORM | _of("upwork", "service", "the", "their"),
                               _of("fee", "fees", "commission", "commissions", "cut", "comisión", "gebühren", "commission", "taxas")), gap=4),
    Phrase("outside_payment", (_of("без"), _of("комиссии", "комиссий")), gap=4),
    Phrase("paid_to_apply", (_YOU, _of("pay", "send", "transfer", "deposit", "buy", "purchase"), _FEE | _of("deposit"), _BEFORE | _STARTING), unless=_of("we", "refund")),
    Phrase("paid_to_apply", (_of("pay", "send", "transfer"), _JOINING, _FEE), gap=6, unless=_of("customers", "users", "students", "tenants", "integrate", "members", "attendees", "they", "can", "allow")),
    Phrase("paid_to_apply", (_JOINING, _FEE, _of("required", "refundable", "refunded", "mandatory", "must"), ), gap=6, unless=_of("customers", "users", "students", "tenants", "tenant", "members")),
    Phrase("paid_to_apply", (_of("buy", "purchase"), _of("starter", "training", "equipment", "kit", "software"), _BEFORE, _STARTING), gap=8, unless=_of("we", "customers", "users")),
    Phrase("paid_to_apply", (_of("оплатить", "внести"), _of("взнос", "залог", "депозит", "обучение")), gap=6),
    Phrase("paid_to_apply", (_of("pagar", "depositar"), _of("inscripción", "registro", "depósito", "cuota", "inscrição")), gap=6),
)  # fmt: skip
#: in scripts without blanks, and where the words are enough by themselves: found as they stand
NEEDLES = {
    "outside_payment": ("平台外付款", "平台外", "私下交易", "绕过平台", "線下付款", "プラットフォーム外", "플랫폼 밖", "خارج المنصة", "خارج الموقع", "प्लेटफॉर्म के बाहर", "प्लेटफ़ॉर्म के बाहर",
                        "off-platform payment", "off platform payment"),
    "paid_to_apply": ("先交押金", "报名费", "培训费", "保证金", "رسوم التسجيل", "पंजीकरण शुल्क", "登録料"),
}  # fmt: skip
_BY_FIRST: dict[str, list[Phrase]] = {}
for _phrase in PHRASES:
    for _word in _phrase.steps[0]:
        _BY_FIRST.setdefault(_word, []).append(_phrase)


def phrases(t: Tokens) -> list[Finding]:
    """Every phrase and needle found; findings may overlap."""
    found = []
    for i in range(len(t)):
        if t.kind(i) == WORD:
            for phrase in _BY_FIRST.get(t.word(i), ()):
                last = _follow(t, phrase, i)
                if last is not None:
                    found.append(finding(t, phrase.code, WARN, i, last))
    return [*found, *_needles(t)]


def _follow(t: Tokens, phrase: Phrase, i: int) -> int | None:
    """The last token of the phrase that begins at i."""
    if any(t.word(k) in phrase.unless for k in range(max(0, i - GAP), i)):
        return None
    at = i
    for wanted in phrase.steps[1:]:
        for k in range(at + 1, at + 2 + phrase.gap):
            word = t.word(k)
            if word in wanted and t.kind(k) == WORD:
                at = k
                break
            if word in phrase.unless or (t.kind(k) == MARK and word in ".!?" and t.kind(k + 1) == BLANK) or not word:
                return None
        else:
            return None
    if any(t.word(k) in phrase.unless for k in range(at + 1, at + 5)):
        return None
    return at


def _needles(t: Tokens) -> list[Finding]:
    folded = t.text.casefold()
    if len(folded) != len(t.text):
        folded = "".join(c.lower() if len(c.lower()) == 1 else c for c in t.text)  # offsets must stay
    found = []
    for code, needles in NEEDLES.items():
        for needle in needles:
            start = folded.find(needle)
            if start >= 0:
                end = start + len(needle)
                found.append(Finding(code, WARN, start, end, t.text[start:end]))
    return found
