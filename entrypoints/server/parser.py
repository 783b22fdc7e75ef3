"""The parser of requests, to which a body is a body, whatever protocol the client offers to switch to."""

from array import array

from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Parser(HttpRequestParser):
    """httptools' own, which by itself skips the body of a request with ``Upgrade`` and reads it as the next request.

    A server may ignore that header (RFC 9110 §7.8). So once such a request's header is complete, this parser begins
    the request again, with all of it but ``Upgrade``. Meanwhile ``starts_over`` is true, and the protocol should do
    nothing upon ``on_headers_complete`` and ``on_message_complete``.
    """

    def __init__(self, protocol: HttpToolsProtocol) -> None:
        self._protocol = protocol
        self._reset()

    @property
    def starts_over(self) -> bool:
        return self.should_upgrade() and self.get_method() != b"CONNECT"

    def feed_data(self, data: "bytes | bytearray | memoryview | array[int]") -> None:
        """Parse the next bytes.

        :raises HttpParserUpgrade: the request was a CONNECT, so what follows it need not be HTTP.
        """
        while True:
            try:
                super().feed_data(data)
                return
            except HttpParserUpgrade as upgrade:
                if not self.starts_over:
                    raise
                data = memoryview(data)[upgrade.args[0] :]
            head = self._head_without_upgrade()
            self._reset()  # or a request with `Connection: close` too would be the last one that it reads
            super().feed_data(head)

    def _reset(self) -> None:
        super().__init__(self._protocol)
        self.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does

    def _head_without_upgrade(self) -> bytes:
        version = self.get_http_version().encode()
        lines = [b"%b %b HTTP/%b\r\n" % (self.get_method(), self._protocol.url, version)]
        lines += [b"%b: %b\r\n" % header for header in self._protocol.headers if header[0] != b"upgrade"]
        return b"".join([*lines, b"\r\n"])
