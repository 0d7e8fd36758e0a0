"""From what people write to a skill or a typed attribute. Pure: reads the taxonomy's files, never the database.

A mention is tried whole first, then by rules that each take one thing off (a parenthesis, a version, a plural, a trailing word
such as "development"); an attribute is looked for before any rule shortens the text, so that "English" stays a language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from babel import Locale

from .folding import clean, fold
from .source import Taxonomy, source

LONGEST = 200
SHORTEST_STEM = 3

_COMPANY = re.compile(
    r"(?:business|company|organi[sz]ation|team|startup|enterprise)?\b.*?(\d[\d,.]*)\s*(?:-|–|to|\+|or more)\s*(\d[\d,.]*)?\s*(?:employees|people|staff)\b\)?",
    re.I,
)
_YEARS = re.compile(r"(\d{1,2})\s*(?:\+|(?:-|–|to)\s*\d{1,2})?\s*(?:years?|yrs?)\b(?:.*\bexperience\b)?", re.I)
_PARENTHESIS = re.compile(r"^(.*?)\s*\(([^()]*)\)\s*(.*)$")
_VERSION = re.compile(r"\s*\bv?\d+(?:\.\d+|\.x)*\+?$", re.I)
_LANGUAGE_LEVEL = re.compile(
    r"\b(?:native|fluent|fluency|conversational|bilingual|basic|intermediate|advanced|professional|proficient|proficiency|business|spoken|written|speaking|"
    r"speaker|language|level|in|or|american|british|us|uk|canadian|australian|castilian|latin|brazilian|european|simplified|traditional|mandarin|cantonese|modern|standard)\b"
    r"|\b[abc][12]\b|[-–:()/]",
    re.I,
)
_LANGUAGE_PAIR = re.compile(r"(.+?)\s+(?:to|into|-|–|>)\s+(.+?)(?:\s+(?:translation|translator))?", re.I)
_LANGUAGE_WORK = {
    "translation": "translation",
    "translator": "translation",
    "tutoring": "language-tutoring",
    "tutor": "language-tutoring",
    "teaching": "language-tutoring",
    "lessons": "language-tutoring",
}
_TAILS = (
    "development", "developer", "developers", "dev", "programming", "programmer", "engineering", "engineer", "coding", "consulting", "consultation",
    "consultant", "expert", "specialist", "services", "service", "solutions", "administration", "administrator", "management", "manager", "api", "sdk",
    "integration", "software", "platform", "framework", "library", "tool", "tools", "app", "apps", "application", "customization", "configuration",
    "plugin", "plugins", "theme", "template", "templates", "extension", "script", "setup", "installation", "support", "automation", "optimization",
    "migration", "language", "skills", "basics", "design", "designer", "strategy", "project", "training", "system", "systems", "online",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Match:
    """What a mention means. `kind` "skill" carries skill_slug, "attribute" carries attribute and value, "unknown" neither.

    `rule` says how it was found: exact, parenthesis, version, tail, plural, pattern, language.
    """

    kind: Literal["skill", "attribute", "unknown"]
    skill_slug: str | None = None
    attribute: str | None = None
    value: str | None = None
    rule: str = "exact"


UNKNOWN = Match("unknown", rule="none")


@lru_cache(maxsize=65_536)
def normalise(text: str) -> Match:
    """Match one mention ("React.js", "Business with 10-99 Employees", "Spanish"). Never raises for any string.

    Guarantees: the same answer for every spelling that folds to the same key and is found whole; a skill_slug is one of the
    taxonomy's. Text longer than LONGEST characters is prose, hence unknown.
    """
    text = clean(text[: 8 * LONGEST])
    if not text or len(text) > LONGEST:
        return UNKNOWN
    taxonomy = source()
    return _whole(taxonomy, text, "exact") or _patterned(text) or _shortened(taxonomy, text) or UNKNOWN


def _whole(taxonomy: Taxonomy, text: str, rule: str) -> Match | None:
    key = fold(text)
    if slug := taxonomy.by_key.get(key):
        return Match("skill", skill_slug=slug, rule=rule)
    for attribute, values in taxonomy.attributes.items():
        if value := values.get(key):
            return Match("attribute", attribute=attribute, value=value, rule=rule)
    if code := _languages().get(key):
        return Match("attribute", attribute="language", value=code, rule=rule)
    return None


@lru_cache(maxsize=1)
def _languages() -> dict[str, str]:
    """Folded English name → ISO 639-1 code, from CLDR by way of Babel, with the names people use that CLDR does not."""
    names = {fold(name): code for code, name in Locale("en").languages.items() if len(code) == 2}
    return names | {
        "mandarin": "zh",
        "cantonese": "zh",
        "farsi": "fa",
        "tagalog": "tl",
        "filipino": "tl",
        "castilian": "es",
        "bengali": "bn",
        "flemish": "nl",
    }


def _patterned(text: str) -> Match | None:
    """Company sizes, years of experience, languages with a level or dialect, language pairs and lessons."""
    if found := _COMPANY.fullmatch(text):
        low, high = (part.replace(",", "").replace(".", "") if part else "" for part in found.groups())
        return Match("attribute", attribute="company_size", value=f"{low}-{high}" if high else f"{low}+", rule="pattern")
    if found := _YEARS.match(text):
        return Match("attribute", attribute="experience_years", value=str(int(found.group(1))), rule="pattern")
    languages = _languages()
    bare = " ".join(_LANGUAGE_LEVEL.sub(" ", text).split())
    if code := languages.get(fold(bare)):
        return Match("attribute", attribute="language", value=code, rule="language")
    head, _, tail = bare.rpartition(" ")
    if head and fold(head) in languages and (slug := _LANGUAGE_WORK.get(tail.casefold())):
        return Match("skill", skill_slug=slug, rule="language")
    if (pair := _LANGUAGE_PAIR.fullmatch(text)) and all(fold(side) in languages for side in pair.groups()):
        return Match("skill", skill_slug="translation", rule="language")
    return None


def _shortened(taxonomy: Taxonomy, text: str) -> Match | None:
    for rule, shorter in _shorter(text):
        if (match := _whole(taxonomy, shorter, rule)) and (match.kind == "skill" or rule in {"parenthesis", "plural"}):
            return match
    return None


def _shorter(text: str) -> Iterator[tuple[str, str]]:
    """Every form of `text` with one or two things taken off, the mildest first."""
    if found := _PARENTHESIS.fullmatch(text):
        before, inside, after = (part.strip() for part in found.groups())
        yield "parenthesis", f"{before} {after}".strip()
        # Two or three letters in brackets abbreviate the unknown words before them, not what else they may stand for.
        if len(fold(inside)) > SHORTEST_STEM:
            yield "parenthesis", inside
    bare = _VERSION.sub("", text).strip()
    if bare and bare != text:
        yield "version", bare
    if len(bare) > SHORTEST_STEM + 1:
        yield "plural", bare[:-1] if bare.endswith(("s", "S")) else f"{bare}s"
    words = bare.split()
    while len(words) > 1 and words[-1].casefold() in _TAILS:
        words = words[:-1]
        yield "tail", " ".join(words)
