"""Screening questions: what a client may ask before a bid, how it is stored, and what counts as an answer.

A plain question (text, answer required) is stored as its text alone, as all questions once were; any other as an object with `text`, `kind`,
`required` and, for a choice, `choices`. Answers are texts in the order of the questions; an optional question may be answered by "".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from marketplace.core.checks import Checks

KINDS = ("text", "yes_no", "number", "choice")
MAX_QUESTIONS = 20
MAX_CHOICES = 20
QUESTION_LENGTH, CHOICE_LENGTH, ANSWER_LENGTH = 500, 200, 2000
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,6})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Question:
    """One question; `kind` is one of KINDS, `choices` are there for a choice only."""

    text: str
    kind: str = "text"
    required: bool = True
    choices: tuple[str, ...] = ()

    def stored(self) -> str | dict[str, Any]:
        """The JSON value in which a post keeps it."""
        return self.text if self == Question(self.text) else self.told()

    def told(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {**asdict(self), "choices": list(self.choices)}


def read(stored: Iterable[Any]) -> list[Question]:
    """The questions of a post as they are stored, in either form."""
    return [Question(q) if isinstance(q, str) else Question(q["text"], q["kind"], q["required"], tuple(q["choices"])) for q in stored]


def checked(checks: Checks, field: str, value: Any, known: Iterable[Question] = ()) -> list[str | dict[str, Any]]:
    """The questions to store: texts, or objects with text, kind, required and choices. A text alone that is one of `known` keeps that
    question's kind, so that whoever knows texts only does not flatten the others."""
    if not isinstance(value, list) or len(value) > MAX_QUESTIONS:
        checks.add(field, f"Give a list of at most {MAX_QUESTIONS} questions.")
        return []
    by_text = {q.text: q for q in known}
    found = []
    for i, given in enumerate(value):
        at = f"{field}.{i}"
        if isinstance(given, str):
            text = checks.text(at, given, longest=QUESTION_LENGTH, shortest=1)
            found.append(by_text.get(text, Question(text)).stored())
        elif isinstance(given, Mapping):
            found.append(_typed(checks, at, given).stored())
        else:
            checks.add(at, "Give a text, or an object with text, kind, required and choices.")
    return found


def _typed(checks: Checks, at: str, given: Mapping[str, Any]) -> Question:
    text = checks.text(f"{at}.text", given.get("text"), longest=QUESTION_LENGTH, shortest=1)
    kind = checks.choice(f"{at}.kind", given.get("kind", "text"), KINDS)
    required, choices = given.get("required", True), given.get("choices") or []
    if not isinstance(required, bool):
        checks.add(f"{at}.required", "Use true or false.")
    if not isinstance(choices, list) or len(choices) > MAX_CHOICES:
        checks.add(f"{at}.choices", f"Give a list of at most {MAX_CHOICES} choices.")
        choices = []
    named = tuple(checks.text(f"{at}.choices.{i}", c, longest=CHOICE_LENGTH, shortest=1) for i, c in enumerate(choices))
    if kind == "choice" and len(set(named)) < 2:
        checks.add(f"{at}.choices", "Give at least two different choices.")
    elif len(set(named)) != len(named):
        checks.add(f"{at}.choices", "Each choice once.")
    elif kind != "choice" and named:
        checks.add(f"{at}.choices", "Only a question of kind choice has choices.")
    return Question(text, kind, required is True, named)


def check_answers(checks: Checks, questions: Sequence[Question], answers: Sequence[str]) -> None:
    """Adds to `checks` what is wrong with the answers, each beside its question."""
    if len(answers) != len(questions):
        checks.add("answers", f"Answer each of the {len(questions)} questions, in their order; leave an optional one empty.")
        return
    for i, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        wrong = _wrong(question, answer)
        if wrong:
            checks.add(f"answers.{i}", wrong)


def _wrong(question: Question, answer: str) -> str:
    if not answer:
        return "Please answer this question." if question.required else ""
    if question.kind == "yes_no" and answer not in ("yes", "no"):
        return "Answer yes or no."
    if question.kind == "number" and not _NUMBER.fullmatch(answer):
        return "Answer with a number such as 12 or 2.5."
    if question.kind == "choice" and answer not in question.choices:
        return f"Choose one of: {', '.join(question.choices)}."
    return ""
