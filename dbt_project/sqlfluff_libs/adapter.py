"""What sqlfluff takes for dbt's `adapter`: an expression that names what it was given stands for the words of one engine."""

from collections.abc import Callable


def quote(name: str) -> str:
    return f'"{name}"'


def dispatch(name: str, package: str = "") -> Callable[..., str]:
    if name == "calendar":
        return lambda *given: "select 1 as day"
    return lambda *given: f"greatest({given[0]}, {given[-1] if name == 'seconds_between' else 0})"
