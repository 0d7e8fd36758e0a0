"""What people write on the sample market: titles, descriptions, letters, messages, from templates of our own.

The words depend on the field of work and the skills, so that text carries signal; every text is drawn from a stream.
"""

from __future__ import annotations

from collections.abc import Sequence

from numpy.random import Generator

FIRST = [
    "Amara",
    "Ben",
    "Chloe",
    "Daniel",
    "Elena",
    "Farid",
    "Grace",
    "Hiro",
    "Ines",
    "Jonas",
    "Kavya",
    "Liam",
    "Maya",
    "Noor",
    "Omar",
    "Priya",
    "Quentin",
    "Rosa",
    "Samuel",
    "Tara",
    "Umar",
    "Vera",
    "Wanjiru",
    "Xenia",
    "Yusuf",
    "Zoe",
    "Akira",
    "Bianca",
    "Carlos",
    "Dalia",
    "Erik",
    "Fatima",
    "Goran",
    "Hana",
    "Isaac",
    "Julia",
    "Kofi",
    "Leila",
    "Mateo",
    "Nadia",
    "Oscar",
    "Petra",
    "Rahul",
    "Sofia",
    "Tomas",
]
LAST = [
    "Abbott",
    "Bianchi",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Gupta",
    "Haddad",
    "Ito",
    "Jansen",
    "Kamau",
    "Lopez",
    "Mehta",
    "Novak",
    "Okafor",
    "Patel",
    "Quinn",
    "Rossi",
    "Silva",
    "Tanaka",
    "Ueda",
    "Varga",
    "Weber",
    "Xavier",
    "Yilmaz",
    "Zhang",
    "Achieng",
    "Bauer",
    "Chowdhury",
    "Dias",
    "Evans",
    "Ferreira",
    "Gomez",
    "Hughes",
    "Ivanov",
    "Jensen",
    "Khan",
    "Larsen",
    "Moreau",
    "Nair",
]
FIRM_A = [
    "North",
    "Blue",
    "Bright",
    "Cedar",
    "Delta",
    "Ember",
    "Field",
    "Granite",
    "Harbor",
    "Iron",
    "Juniper",
    "Kite",
    "Lumen",
    "Maple",
    "Nimbus",
    "Orchard",
    "Pine",
    "Quarry",
    "River",
    "Stone",
]
FIRM_B = [
    "Works",
    "Labs",
    "Studio",
    "Partners",
    "Trading",
    "Logistics",
    "Health",
    "Retail",
    "Media",
    "Systems",
    "Foods",
    "Travel",
    "Energy",
    "Books",
    "Robotics",
    "Learning",
]

THINGS = (
    "an online shop", "a booking system", "our customer portal", "a small clinic", "an internal dashboard", "a mobile product",
    "our support desk", "a language school", "a logistics company", "our newsletter", "a data archive", "a property listing",
    "our quarterly campaign", "a research project", "a subscription service", "a restaurant group", "a charity", "our billing process",
)  # fmt: skip
OPENERS = (
    "We are looking for somebody who can take {thing} forward.", "Our small team needs help with {thing}.",
    "This is about {thing}; the first version exists and must become reliable.", "We start from nothing with {thing} and want a clean base.",
    "A colleague left and {thing} needs a careful pair of hands.", "We know what we want for {thing}, but not how to build it well.",
)  # fmt: skip
SCOPES = (
    "You will work mostly with {a} and {b}.", "Solid experience in {a} is needed; {b} comes up every week.",
    "The existing work uses {a}, and we want to add {b}.", "Please show us something you have done with {a}. Knowing {b} is a plus.",
    "The core of it is {a}; around it there is some {b}.",
)  # fmt: skip
TERMS = (
    "Deliver in small steps that we can look at.", "Please write down what you decide, we will maintain it ourselves.",
    "We answer within a day and decide quickly.", "One short call a week is enough, the rest in writing.",
    "We have a fixed date and cannot move it.", "Tests and a short hand-over are part of the work.",
    "Tell us honestly what you would leave out.", "If this goes well there is more to do afterwards.",
    "Working hours overlap 0900 - 1200 eastern, otherwise your own.", "Our office number of staff is small: three people read every bid.",
)  # fmt: skip
LEVEL_WORDS = {
    "entry": "A beginner who learns fast is welcome.",
    "intermediate": "You have done this a few times before.",
    "expert": "We need deep experience and somebody who leads technically.",
}
TITLES = (
    "{a} for {thing}", "{a} and {b}: help with {thing}", "{level} {a} specialist wanted", "Improve {thing} ({a}, {b})",
    "{category}: {a} needed for {thing}", "Looking for {a} help, {thing}", "Build {thing} with {a}", "{a} expert to review {thing}",
)  # fmt: skip
LETTERS = (
    "Hello, I have worked with {a} for {years} years and read your post closely.", "Good day. Your description of the work matches my last project in {a}.",
    "I can start this week. My strongest skill here is {a}.", "Thank you for the clear post. I would begin with a short plan and then use {a}.",
    "Hi, I did something close to this last year, with {a} and {b}.",
)  # fmt: skip
LETTER_TAILS = (
    "I suggest {n} steps, each of which you can check on its own.", "My price includes one round of changes and a written hand-over.",
    "I would ask two questions about the scope before we fix the dates.", "You find similar work in my profile.",
    "I work {zone} hours and answer the same day.", "If you like we can begin with the first part only.",
)  # fmt: skip
STEPS = ("Plan and first draft", "Main part", "Integration and review", "Final version and hand-over")
ACCEPTANCE = (
    "Works as described in the post", "Reviewed together once", "A short written hand-over is there", "No open faults that we both know of",
    "Source files are delivered", "Agreed examples give the expected result",
)  # fmt: skip
SUBMISSIONS = ("Everything of this step is done, please look at it.", "Here is the work; the notes explain each decision.",
               "Finished as agreed. I tested it with your examples.", "The second version with your remarks worked in.")  # fmt: skip
CHANGES = ("Please adjust the points we talked about.", "Two of the agreed items are not there yet.", "Close, but the result differs from the example.",
           "The hand-over is missing, the rest is good.")  # fmt: skip
GOOD = (
    "Careful work and clear words.",
    "On time and exactly as agreed.",
    "Would gladly work together again.",
    "Thought along and warned us early.",
)
FAIR = ("Good in the end, some delays.", "The result is fine, answers could be faster.", "Mostly as agreed.")
POOR = ("Many rounds were needed.", "The work stopped half way.", "Not what we had agreed on.")
CHAT = (
    "Thank you for your bid. When could you begin?", "I can begin on Monday, and the first part takes a week.", "Could you show one similar piece of work?",
    "Of course, it is in my profile under finished work.", "How do you handle changes in the middle?", "Small ones are included, larger ones we agree on first.",
    "We meet 0900 - 1200 eastern on Tuesdays, does that fit?", "Yes, that fits well.", "The price is fine for us.", "Then I wait for the offer.",
    "Is version 2.10.4567 of the format all right?", "Yes, and order 20231204 is the example to use.",
)  # fmt: skip


def pick(rng: Generator, among: Sequence[str]) -> str:
    """One of several texts."""
    return among[int(rng.integers(len(among)))]


def person(rng: Generator) -> str:
    return f"{pick(rng, FIRST)} {pick(rng, LAST)}"


def firm(rng: Generator) -> str:
    return f"{pick(rng, FIRM_A)} {pick(rng, FIRM_B)}"


def profile(rng: Generator, skills: Sequence[str], level: str, category: str) -> tuple[str, str]:
    """Title and overview of a freelancer."""
    a, b = skills[0], skills[1 % len(skills)]
    title = pick(rng, ("{a} specialist", "{level} {a} and {b}", "{category}: {a}", "{a} · {b}")).format(
        a=a, b=b, level={"entry": "Junior", "intermediate": "Experienced", "expert": "Senior"}[level], category=category
    )
    overview = (
        f"I work in {category.lower()} and use {', '.join(skills[:5])}. "
        f"{pick(rng, ('I like clear agreements', 'I deliver in small steps', 'I explain what I do', 'I ask before I guess'))} and "
        f"{pick(rng, ('keep dates', 'write things down', 'answer the same day', 'test what I hand over'))}."
    )
    return title[:120], overview


def post(rng: Generator, skills: Sequence[str], level: str, category: str) -> tuple[str, str]:
    """Title and description of a job."""
    a, b, thing = skills[0], skills[1 % len(skills)], pick(rng, THINGS)
    title = pick(rng, TITLES).format(a=a, b=b, thing=thing, level=level.capitalize(), category=category)
    lines = [pick(rng, OPENERS).format(thing=thing), pick(rng, SCOPES).format(a=a, b=b)]
    if len(skills) > 2:
        lines.append(f"Also useful: {', '.join(skills[2:])}.")
    lines += [LEVEL_WORDS[level], *dict.fromkeys(pick(rng, TERMS) for _ in range(2))]
    return title[:200], "\n".join(lines)


def letter(rng: Generator, skills: Sequence[str], years: int, steps: int) -> str:
    """A cover letter that names skills its writer has."""
    a, b = skills[0], skills[1 % len(skills)]
    head = pick(rng, LETTERS).format(a=a, b=b, years=max(1, years))
    return f"{head}\n{pick(rng, LETTER_TAILS).format(n=steps, zone='flexible')}"


def verdict(rng: Generator, rating: int) -> str:
    """A review's text that fits its stars."""
    return pick(rng, GOOD if rating >= 4 else FAIR if rating == 3 else POOR)


#: the same words under every post: what bid spam looks like
SPAM_LETTER = "Dear sir, I am expert in all skills and can start now. Please see my profile and send me a message."
