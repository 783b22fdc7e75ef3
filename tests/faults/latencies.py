"""What to make of many durations."""

from collections.abc import Collection


def percentile(durations: Collection[float], percent: float) -> float:
    """The duration that so many percent are not above."""
    return sorted(durations)[min(len(durations) - 1, int(len(durations) * percent / 100))]
