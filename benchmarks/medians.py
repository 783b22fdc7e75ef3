"""Medians and ratios of what could not always be measured, and is not a number then."""

from collections.abc import Iterable
from math import isnan, nan
from statistics import median


def middle(values: Iterable[float]) -> float:
    """The median of those that are numbers; not a number where there are none."""
    numbers = [value for value in values if not isnan(value)]
    return median(numbers) if numbers else nan


def ratio(value: float, other: float) -> float:
    """Not a number where there is nothing to compare with."""
    return value / other if other else nan
