"""Contact details: e-mail addresses, phone numbers, names on other services, invitations to other messengers, links; plain and disguised.

Each rule starts at one token and looks a bounded number of tokens ahead and back, so the whole is linear in the text.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import words as known
from .finding import NOTE, WARN, Finding
from .scan import BLANK, DIGITS, MARK, WORD, Tokens

EXCERPT = 80
#: tokens that a rule looks ahead or back
NEAR, FAR = 8, 14
#: pieces of one address, groups of one number
MOST_PIECES, MOST_GROUPS = 12, 12
_OPEN, _CLOSE = "([{<", ")]}>"


def finding(tokens: Tokens, code: str, level: str, first: int, last: int) -> Finding:
    """From token `first` to token `last`, both within."""
    start, end = tokens.starts[first], tokens.ends[last]
    return Finding(code, level, start, end, tokens.text[start : min(end, start + EXCERPT)])


def contacts(t: Tokens) -> list[Finding]:
    """Every contact detail of the text; findings may overlap."""
    return [*_emails(t), *_numbers(t), *_spelled_numbers(t), *_links(t), *_messengers(t)]


# --- e-mail -------------------------------------------------------------------------------------------------------------------


def _sign(t: Tokens, i: int, words: frozenset[str], char: str) -> tuple[int, bool, bool] | None:
    """A spelled or bracketed sign at i, such as " (at) ", "[dot]", " @ ": (token after it, whether spelled, whether set off by brackets)."""
    blank_before = t.kind(i) == BLANK
    j = i + 1 if blank_before else i
    bracket = t.kind(j) == MARK and t.word(j) in _OPEN
    j = t.skip_blank(j + 1) if bracket else j
    spelled = t.kind(j) == WORD and t.word(j) in words
    if not spelled and not (t.kind(j) == MARK and t.word(j) == char):
        return None
    j += 1
    if bracket:
        j = t.skip_blank(j)
        if not (t.kind(j) == MARK and t.word(j) in _CLOSE):
            return None
        j += 1
    elif blank_before != (t.kind(j) == BLANK):
        return None  # "home. Thanks": a sign stands tight, or free on both sides
    return t.skip_blank(j), spelled, bracket


def _label(t: Tokens, i: int) -> tuple[int, str]:
    """A piece of a domain from i: (token after it, its text, empty when there is none)."""
    j = i
    while j - i < 6 and (t.kind(j) in (WORD, DIGITS) or (j > i and t.kind(j) == MARK and t.word(j) in "-_")):
        j += 1
    return j, "".join(t.words[k][:64] for k in range(i, j))


def _domain(t: Tokens, i: int) -> tuple[int, list[str], bool]:
    """Labels joined by dots: (token after them, the labels, whether a dot was spelled or bracketed)."""
    j, label = _label(t, i)
    labels, disguised = [label], False
    while label and len(labels) < 5:
        sign = _sign(t, j, known.DOT_WORDS, ".")
        if sign is None:
            break
        after, label = _label(t, sign[0])
        if label:
            labels.append(label)
            j, disguised = after, disguised or sign[1] or sign[2]
    return j, labels, disguised


def _emails(t: Tokens) -> Iterator[Finding]:
    i = 0
    while i < len(t):
        found = _email(t, i) if t.kind(i) in (WORD, DIGITS) else None
        if found is None:
            i += 1
            continue
        yield finding(t, "email", WARN, found[0], found[1])
        i = found[1] + 1


def _email(t: Tokens, i: int) -> tuple[int, int] | None:
    """First and last token of an address whose local part ends with token i."""
    sign = _sign(t, i + 1, known.AT_WORDS, "@")
    if sign is None or t.word(i) in known.NOT_LOCAL:
        return None
    begin = i
    while i - begin < MOST_PIECES and (t.kind(begin - 1) in (WORD, DIGITS) or (t.kind(begin - 1) == MARK and t.word(begin - 1) in "._%+-")):
        begin -= 1
    end, labels, disguised = _domain(t, sign[0])
    if not labels[0]:
        return None
    plain_word = sign[1] and not sign[2]
    tight = not sign[1] and not sign[2] and t.kind(i + 1) != BLANK
    top = labels[-1]
    if len(labels) > 1:
        real = top.isalpha() and len(top) >= 2 if tight else top in known.TLDS
        if real and (not plain_word or disguised or labels[0] in known.MAIL_HOSTS):
            return begin, end - 1
    elif labels[0] in (known.MAIL_HOSTS if not plain_word else known.PLAIN_MAIL_HOSTS):
        odd = any(t.kind(k) != WORD for k in range(begin, i + 1))
        if not plain_word or odd or _near(t, begin, known.MAIL_CUES, NEAR):
            return begin, end - 1
    return None


def _near(t: Tokens, i: int, words: frozenset[str], most: int) -> bool:
    """Whether one of the `most` tokens before i is one of the words."""
    return any(t.word(k) in words for k in range(max(0, i - most), i))


# --- phone numbers --------------------------------------------------------------------------------------------------------------


def _numbers(t: Tokens) -> Iterator[Finding]:
    i = 0
    while i < len(t):
        if t.kind(i) != DIGITS:
            i += 1
            continue
        groups, separators, end = _groups(t, i)
        first, paren, plus = i, False, False
        if t.word(first - 1) == "(" and separators[:1] == [")"]:
            first, paren = first - 1, True
        if t.word(first - 1) == "+" and t.kind(first - 2) not in (WORD, DIGITS) and t.word(first - 2) != "+":
            first, plus = first - 1, True
        elif t.word(t.skip_blank(first - 1, -1)) == "+" and paren:
            first, plus = t.skip_blank(first - 1, -1), True
        if _is_phone(t, first, end, groups, separators, paren, plus):
            yield finding(t, "phone", WARN, first, end - 1)
        i = end


def _groups(t: Tokens, i: int) -> tuple[list[str], list[str], int]:
    """Digits from i with what stands between them: (groups, separators, token after the last group)."""
    groups, separators, end = [t.word(i)[:40]], [], i + 1
    while len(groups) < MOST_GROUPS:
        j, between = end, ""
        while j - end < 4 and t.kind(j) in (MARK, BLANK) and (t.word(j) in "-./()" or t.word(j) == " "):
            between += t.word(j)
            j += 1
        # " - " joins a range, not a number; ")" closes what "(" opened before the first group
        if t.kind(j) != DIGITS or between not in ("-", ".", "/", " ", ")", ") ", ")-", " (", "(", ") (", "-(", " )"):
            break
        groups.append(t.word(j)[:40])
        separators.append(between.strip() or " ")
        end = j + 1
    return groups, separators, end


def _is_date(groups: list[str]) -> bool:
    """Whether the groups begin or end like a calendar date."""
    if len(groups) < 3:
        return False
    numbers = [int(g) for g in groups[:3]]
    lengths = [len(g) for g in groups[:3]]
    if lengths[0] == 4 and lengths[1] <= 2 and lengths[2] <= 2:
        return 1900 <= numbers[0] <= 2100 and 1 <= numbers[1] <= 12 and 1 <= numbers[2] <= 31
    if lengths[0] <= 2 and lengths[1] <= 2 and lengths[2] == 4:
        return 1900 <= numbers[2] <= 2100 and 1 <= numbers[0] <= 31 and 1 <= numbers[1] <= 31
    return False


def _is_no_phone(groups: list[str], separators: list[str]) -> bool:
    """Shapes that are something else, whatever is said before them: dates, years, times of day, IP addresses, thousands, decimals, ISBNs."""
    lengths = [len(g) for g in groups]
    whole = "".join(groups)
    if _is_date(groups) or all(n == 4 and "1900" <= g <= "2100" for g, n in zip(groups, lengths, strict=True)):
        return True
    if 2 <= len(groups) <= 2 and lengths == [4, 4] and all(int(g[:2]) < 25 and int(g[2:]) < 60 and g[3] in "05" for g in groups):
        return True
    if set(separators) == {"."} and (len(groups) == 2 or (len(groups) == 4 and all(int(g) <= 255 for g in groups))):
        return True
    thousands = len(groups) > 1 and lengths[0] <= 3 and all(n == 3 for n in lengths[1:]) and len(set(separators)) == 1
    if thousands and separators[0] in (".", " ") and not whole.startswith("0"):
        return True
    if len(whole) == 13 and whole[:3] in ("978", "979"):
        return True
    return (
        max(lengths) <= 2
        and not (len(groups) >= 5 and whole.startswith("0") and len(set(separators)) == 1)
        and not (len(groups) >= 9 and max(lengths) == 1 and len(set(groups)) > 3 and whole.startswith("0"))
    )


def _is_phone(t: Tokens, first: int, end: int, groups: list[str], separators: list[str], paren: bool, plus: bool) -> bool:
    count = sum(map(len, groups))
    if not 7 <= count <= 15:
        return False
    after = t.skip_blank(end)
    tight = (
        t.kind(end) == WORD or t.word(end) in ("%", ":", "@", "_") or (t.word(end) in (".", ",", "-", "/") and t.kind(end + 1) == DIGITS)
    )
    if tight or t.word(after) in known.MONEY or t.word(after) in known.MONEY_SIGNS:
        return False
    before = t.skip_blank(first - 1, -1)
    if t.word(before) in known.MONEY_SIGNS or t.word(before) in known.MONEY or t.word(first - 1) in ("/", ".", ",", "_", "@"):
        return False
    if _is_no_phone(groups, separators) and not (plus and len(groups) > 1 and count >= 9):
        return False
    cue = _phone_cue(t, first)
    if t.kind(first - 1) == WORD or (t.word(first - 1) in ("-", ":") and t.kind(first - 2) in (WORD, DIGITS)):
        return cue == "strong" and count >= 8  # "tel:0712345678", but not "ABC-1234567"
    if _near(t, first, known.NOT_PHONE, NEAR):
        return plus and count >= 10
    if plus:
        return count >= 10 or (count >= 8 and len(groups) > 1)
    if cue:
        return count >= (7 if cue == "strong" else 9)
    return _shaped(groups, separators, paren, count)


def _phone_cue(t: Tokens, first: int) -> str:
    """strong, weak or empty: what the words before say."""
    found = ""
    for k in range(max(0, first - NEAR), first):
        word = t.word(k)
        if word in known.PHONE_CUES or (t.kind(k) == WORD and not word.isascii() and any(c in word[-8:] for c in known.JOINED_CUES)):
            return "strong"
        if word in known.WEAK_PHONE_CUES:
            found = "weak"
    return found


def _shaped(groups: list[str], separators: list[str], paren: bool, count: int) -> bool:
    """Whether a number without any word beside it is written as phone numbers are."""
    lengths, whole = tuple(map(len, groups)), "".join(groups)
    if paren:
        return 9 <= count <= 12 and 2 <= lengths[0] <= 5
    if lengths == (3, 3, 4):
        return groups[0][0] not in "01" and len(set(separators)) <= 2
    if lengths == (1, 3, 3, 4):
        return groups[0] == "1"
    if lengths == (5, 5):
        return whole[0] in "6789"
    if whole.startswith("00"):
        return 11 <= count <= 15 and (len(groups) > 1 or whole[2] != "0")
    if whole.startswith("0") and whole[1] != "0":
        if len(groups) == 1:
            return count in (10, 11)
        return 9 <= count <= 12 and len(groups) <= 5 and min(lengths) >= 2 and len(set(separators[1:])) <= 1 and "." not in separators[:1]
    return whole.startswith("0") and len(groups) >= 9


def _spelled_numbers(t: Tokens) -> Iterator[Finding]:
    """Digits written as words, seven and more of them."""
    i = 0
    while i < len(t):
        if t.word(i) not in known.DIGIT_WORDS:
            i += 1
            continue
        before = t.skip_blank(i - 1, -1)
        first = before if t.kind(before) == DIGITS and len(t.word(before)) <= 4 else i
        digits: list[str] = []
        j, end, said = first, i, 0
        while j - i < 48 and len(digits) < 16:
            word = t.word(j)
            if word in known.DIGIT_WORDS:
                digits.append(known.DIGIT_WORDS[word])
                said += 1
            elif t.kind(j) == DIGITS and len(word) <= 4:
                digits.append(word)
            elif t.kind(j) == BLANK or word in ("-", ",", "."):
                j += 1
                continue
            else:
                break
            end = j
            j += 1
        whole = "".join(digits)
        if said >= 4 and 7 <= len(whole) <= 15 and whole not in "0123456789" and whole not in "9876543210":
            yield finding(t, "phone", WARN, first, end)
        i = end + 1


# --- links ----------------------------------------------------------------------------------------------------------------------


def _links(t: Tokens) -> Iterator[Finding]:
    i = 0
    while i < len(t):
        last = _link(t, i) if t.kind(i) in (WORD, DIGITS) and t.word(i - 1) not in ("@", ".", "-", "/") else None
        if last is None:
            i += 1
            continue
        host = i + 4 if t.word(i) in ("http", "https") else i
        _, labels, _ = _domain(t, host)
        name = ".".join(labels[1:] if labels[0] == "www" else labels)
        chat = name in known.CHAT_HOSTS or ".".join(labels[-2:]) in known.CHAT_HOSTS
        yield finding(t, "messenger" if chat else "link", WARN if chat else NOTE, i, last)
        i = last + 1


def _link(t: Tokens, i: int) -> int | None:
    """The last token of an address of the web that begins at i."""
    if t.word(i) in ("http", "https") and [t.word(i + k) for k in (1, 2, 3)] == [":", "/", "/"]:
        end = i + 4
        if t.kind(end) not in (WORD, DIGITS):
            return None
    else:
        labels: list[str] = []
        end = i
        while len(labels) < 5:
            after, label = _label(t, end)
            if not label:
                return None
            labels.append(label)
            if t.word(after) != "." or t.kind(after + 1) not in (WORD, DIGITS):
                end = after
                break
            end = after + 1
        if len(labels) < 2 or labels[-1] not in known.TLDS or (labels[-1] == "net" and labels[-2] in known.TECHNIQUES_NET):
            return None
        if t.word(end) == "@":
            return None
    stop = end + 60
    while end < stop and t.kind(end) not in (BLANK, "") and t.word(end) not in "<>\"'()[]{}":
        end += 1
    last = end - 1
    while t.kind(last) == MARK and t.word(last) in ".,;:!?" and last > i:
        last -= 1
    return last


# --- other messengers ---------------------------------------------------------------------------------------------------------------


def _messengers(t: Tokens) -> Iterator[Finding]:
    for i in range(len(t)):
        if t.kind(i) != WORD or t.word(i) not in known.MESSENGERS:
            continue
        name = _name_after(t, i)
        if name is not None:
            yield finding(t, "handle", WARN, i, name)
            continue
        begin = _invited(t, i)
        if begin is not None:
            yield finding(t, "messenger", WARN, begin, i)


def _name_after(t: Tokens, i: int) -> int | None:
    """The last token of a name on the messenger at i: "telegram: @jo_k", "my skype id is jo.k", "WeChat jo_k88"."""
    j, asked, at_sign, colon = i + 1, False, False, False
    while j - i < 10:
        word, kind = t.word(j), t.kind(j)
        if word in known.NAME_WORDS:
            asked = True
        elif word == "@":
            at_sign = True
        elif word in (":", "="):
            colon = True
        elif word == "-" and not asked and not at_sign:
            pass
        elif kind != BLANK and word not in known.NAME_FILLERS:
            break
        j += 1
    if "\n" in t.word(j - 1):
        return None
    end, odd = j, False
    while end - j < 8 and (
        t.kind(end) in (WORD, DIGITS) or (t.kind(end) == MARK and t.word(end) in "._-" and t.kind(end + 1) in (WORD, DIGITS))
    ):
        odd = odd or t.kind(end) == DIGITS or t.word(end) in ("_", ".")
        end += 1
    if end == j or (t.kind(j) == DIGITS and end == j + 1 and len(t.word(j)) < 5):
        return None
    plain = t.word(j) in known.NO_NAMES
    tight_name = end - j > 1 and odd
    alone = (
        colon
        and not plain
        and t.word(i) not in known.ORDINARY
        and (t.kind(end) == "" or t.word(end) in ("\n", ".", ",", ")") or "\n" in t.word(end))
    )
    if at_sign or (asked and not plain and colon) or (asked and odd) or (colon and tight_name and t.word(i) not in known.ORDINARY) or alone:
        return end - 1
    return end - 1 if tight_name and "_" in [t.word(k) for k in range(j, end)] else None


def _invited(t: Tokens, i: int) -> int | None:
    """Where an invitation to the messenger at i begins: "message me on WhatsApp", "пишите в телеграм"; None for products that use it."""
    before = t.skip_blank(i - 1, -1)
    if t.word(before) in ("my", "мой", "mein", "meu", "mon") or (t.word(before) == "mi" and t.kind(before) == WORD):
        return before
    if t.word(before) not in known.THROUGH:
        return None
    verb, person = None, False
    for k in range(before - 1, max(-1, before - 1 - FAR), -1):
        word = t.word(k)
        if word in (".", "!", "?") or "\n" in word:
            break
        if word in known.THIRD_PERSONS:
            return None
        person = person or word in known.TO_ME or word in known.OF_ME
        if word in known.INVITES:
            verb = k
    return verb if verb is not None and person else None
