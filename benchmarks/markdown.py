"""Tables and figures for a page in Markdown."""

from math import isnan


def table(rows: list[list[str]]) -> str:
    """The first row is the head; what begins with a figure in the second row is set to the right."""
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    sides = ["--:" if cell.strip("*−")[:1].isdigit() else "---" for cell in rows[1]]
    return "\n".join([head, f"| {' | '.join(sides)} |", *body, ""])


def number(value: float, form: str, unit: str = "") -> str:
    """A dash for what is not a number."""
    return "–" if isnan(value) else format(value, form).replace("-", "−") + unit


def strong(text: str) -> str:
    return f"**{text}**"


def filled_in(text: str, **values: object) -> str:
    """The text with each ``<name>`` replaced by its value."""
    for name, value in values.items():
        text = text.replace(f"<{name}>", str(value))
    return text
