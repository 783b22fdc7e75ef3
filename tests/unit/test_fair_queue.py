"""First come, first served."""

from queue import Queue
from threading import Thread

import pytest

from adapters.fair_queue import FairQueue


def waiting(queue: FairQueue[str], threads: int) -> tuple[list[Thread], Queue[tuple[int, str]]]:
    """Threads that have asked one after the other, and where they tell what they got."""
    told: Queue[tuple[int, str]] = Queue()
    started = []
    for n in range(threads):
        thread = Thread(target=lambda n=n: told.put((n, queue.get(timeout=30))))
        thread.start()
        while len(queue._waiting) <= n:  # it has asked once it waits
            pass
        started.append(thread)
    return started, told


def test_who_asked_first_is_served_first_even_before_who_asks_again() -> None:
    queue = FairQueue[str]()
    threads, told = waiting(queue, 4)
    for n in range(4):
        queue.put(f"thing {n}")
        with pytest.raises(TimeoutError):  # putting back and asking at once gains nothing
            queue.get(timeout=0)
        assert told.get(timeout=30) == (n, f"thing {n}")
    for thread in threads:
        thread.join()


def test_what_nobody_waits_for_is_kept_and_the_last_comes_first() -> None:
    queue = FairQueue(["cold", "warm"])
    assert (queue.get(timeout=0), queue.get(timeout=0)) == ("warm", "cold")


def test_who_gives_up_loses_nothing_for_the_others() -> None:
    queue = FairQueue[str]()
    with pytest.raises(TimeoutError):
        queue.get(timeout=0.001)
    queue.put("thing")
    assert len(queue) == 1
    assert queue.get(timeout=0) == "thing"
