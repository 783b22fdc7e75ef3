"""The order in which waiting threads are served."""

from queue import Queue
from threading import Thread

import pytest

from adapters.fair_queue import FairQueue


def waiting(queue: FairQueue[str], threads: int) -> tuple[list[Thread], Queue[tuple[int, str]]]:
    """Start threads that wait one after the other; return them and a queue of what each one got."""
    received: Queue[tuple[int, str]] = Queue()
    started = []
    for n in range(threads):
        thread = Thread(target=lambda n=n: received.put((n, queue.get(timeout=30))))
        thread.start()
        while len(queue._waiting) <= n:  # until this thread waits
            pass
        started.append(thread)
    return started, received


def test_threads_are_served_in_order_even_before_one_that_asks_again_at_once() -> None:
    queue = FairQueue[str]()
    threads, received = waiting(queue, 4)
    for n in range(4):
        queue.put(f"element {n}")
        with pytest.raises(TimeoutError):  # another thread already has it
            queue.get(timeout=0)
        assert received.get(timeout=30) == (n, f"element {n}")
    for thread in threads:
        thread.join()


def test_the_element_that_was_put_back_last_is_returned_first() -> None:
    queue = FairQueue(["cold", "warm"])
    assert (queue.get(timeout=0), queue.get(timeout=0)) == ("warm", "cold")


def test_a_thread_that_times_out_loses_no_element() -> None:
    queue = FairQueue[str]()
    with pytest.raises(TimeoutError):
        queue.get(timeout=0.001)
    queue.put("element")
    assert len(queue) == 1
    assert queue.get(timeout=0) == "element"
