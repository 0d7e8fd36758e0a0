"""What sqlfluff takes for dbt's own macros that depend on the engine."""


def type_string() -> str:
    return "varchar"


def datediff(first: str, second: str, part: str) -> str:
    return f"datediff('{part}', {first}, {second})"
