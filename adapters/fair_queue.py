"""A blocking queue that serves waiting threads in order."""

from collections import deque
from collections.abc import Iterable
from threading import Lock
from typing import Generic, TypeVar

Element = TypeVar("Element")


class _Waiter(Generic[Element]):
    def __init__(self) -> None:
        self.got: list[Element] = []
        self.ready = Lock()
        self.ready.acquire()


class FairQueue(Generic[Element]):
    """A LIFO of elements that threads take and put back; waiting threads are served first in, first out.

    ``threading.Lock`` and queues built on ``threading.Condition`` do not guarantee that order: a thread that puts an
    element back and immediately asks again gets it again, and other threads starve. See ``docs/decisions`` 12.
    """

    def __init__(self, elements: Iterable[Element] = ()) -> None:
        self._mutex = Lock()
        self._elements = deque(elements)
        self._waiting: deque[_Waiter[Element]] = deque()

    def __len__(self) -> int:
        return len(self._elements)

    @property
    def waiting(self) -> int:
        """The number of waiting threads."""
        return len(self._waiting)

    def put(self, element: Element) -> None:
        """Give the element to the thread that has waited longest, or store it."""
        with self._mutex:
            if self._waiting:
                waiter = self._waiting.popleft()
                waiter.got.append(element)
                waiter.ready.release()
            else:
                self._elements.append(element)

    def get(self, *, timeout: float) -> Element:
        """Return the element that was put back last, or wait for one.

        :param timeout: in seconds.
        :raises TimeoutError: no element was available in time.
        """
        with self._mutex:
            if self._elements:
                return self._elements.pop()
            waiter = _Waiter[Element]()
            self._waiting.append(waiter)
        if not waiter.ready.acquire(timeout=timeout):
            with self._mutex:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
                    raise TimeoutError
        return waiter.got.pop()
