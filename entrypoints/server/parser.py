"""A request parser that ignores ``Upgrade``."""

from array import array

from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Parser(HttpRequestParser):
    """httptools' parser, but a request with an ``Upgrade`` header is parsed as if it had none.

    httptools stops at the end of the head of such a request, and would parse its body as the next request. A server
    may ignore the header (RFC 9110 §7.8). So this parser starts again with a copy of the head without ``Upgrade``, and
    continues with the body. The callbacks ``on_headers_complete`` and ``on_message_complete`` come twice: the protocol
    must return from them at once while ``restarts`` is true.
    """

    def __init__(self, protocol: HttpToolsProtocol) -> None:
        self._protocol = protocol
        self._reset()

    @property
    def restarts(self) -> bool:
        """Whether the head that was just parsed has an ``Upgrade``, and will be parsed again without it."""
        return self.should_upgrade() and self.get_method() != b"CONNECT"

    def feed_data(self, data: "bytes | bytearray | memoryview | array[int]") -> None:
        """Parse the next bytes.

        :raises HttpParserUpgrade: the request was a CONNECT; the bytes that follow it may not be HTTP.
        """
        while True:
            try:
                super().feed_data(data)
                return
            except HttpParserUpgrade as upgrade:
                if not self.restarts:
                    raise
                data = memoryview(data)[upgrade.args[0] :]
            head = self._head_without_upgrade()
            self._reset()  # or after a `Connection: close` it would not parse another head
            super().feed_data(head)

    def _reset(self) -> None:
        super().__init__(self._protocol)
        self.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does

    def _head_without_upgrade(self) -> bytes:
        version = self.get_http_version().encode()
        lines = [b"%b %b HTTP/%b\r\n" % (self.get_method(), self._protocol.url, version)]
        lines += [b"%b: %b\r\n" % header for header in self._protocol.headers if header[0] != b"upgrade"]
        return b"".join([*lines, b"\r\n"])
