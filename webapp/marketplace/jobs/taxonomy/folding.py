"""How spellings are made comparable. Belongs here: text to key. Not here: what a key means (normaliser)."""

from __future__ import annotations

import html
import re
import unicodedata

# A dot counts only where the text begins with it: ".NET" is not "net", while "Node.js", "NodeJS", "Node JS" and "Node .js" are one.
_LEADING_DOT = re.compile(r"^[^\w.+#]*\.(?=[^\W_])")
_KEPT_DOT = "\ue000"
_AND = re.compile(r"\s*&\s*")
_DROPPED = re.compile(rf"[^\w+#{_KEPT_DOT}]|_")
_SPACES = re.compile(r"\s+")
_ENTITY_ROUNDS = 3


def clean(text: str) -> str:
    """Readable text: HTML entities resolved (also doubly escaped), compatibility forms composed, control characters and
    runs of space turned into one space. `clean(clean(x)) == clean(x)`."""
    for _ in range(_ENTITY_ROUNDS):
        resolved = html.unescape(text)
        if resolved == text:
            break
        text = resolved
    text = unicodedata.normalize("NFKC", text)
    text = "".join(" " if unicodedata.category(c) in {"Cc", "Cf", "Co", "Cs"} else c for c in text)
    return _SPACES.sub(" ", text).strip()


def fold(text: str) -> str:
    """The key under which spellings are compared: lower case, without accents, spaces and punctuation; `+`, `#` and the
    text's leading dot stay, `&` reads "and". Empty when nothing is left. `fold(fold(x)) == fold(x)`."""
    text = _AND.sub(" and ", clean(text))
    text = unicodedata.normalize("NFKD", text).casefold()
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    text = _DROPPED.sub("", _LEADING_DOT.sub(_KEPT_DOT, text)).replace(_KEPT_DOT, ".")
    return unicodedata.normalize("NFC", text)
