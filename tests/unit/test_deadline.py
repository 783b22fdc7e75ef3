"""How long a thread may wait."""

from concurrent.futures import ThreadPoolExecutor
from time import monotonic

from service_layer.deadline import DEFAULT_TIMEOUT, seconds_left, set_deadline


def left_after(moment: float | None) -> float:
    with ThreadPoolExecutor(1) as thread:
        thread.submit(set_deadline, moment).result()
        return thread.submit(seconds_left).result()


def test_a_thread_for_which_nobody_waits_has_time_for_each_wait() -> None:
    assert left_after(None) == DEFAULT_TIMEOUT


def test_a_deadline_leaves_less_and_less_and_then_nothing() -> None:
    assert 0 < left_after(monotonic() + 60) <= 60
    assert left_after(monotonic() - 1) == 0


def test_one_thread_s_deadline_is_not_another_s() -> None:
    left_after(monotonic() - 1)
    assert seconds_left() == DEFAULT_TIMEOUT
