"""Requests that were made to hurt, as bytes, from a seed."""

import json
from collections.abc import Callable
from random import Random
from typing import NamedTuple

SECRET = "wubba!lubba!dub!dub"
"""In whatever part of a request a password, an address or a key may stand; it belongs in no answer and no log.

With marks that no sane ``X-Request-ID`` has, since that is answered and logged."""


class Hostile(NamedTuple):
    """What is sent, and the operation that it is meant for; none where it is hardly HTTP."""

    sent: bytes
    operation: tuple[str, str] | None


OPERATIONS = [
    ("POST", "/users/"),
    ("GET", "/users/"),
    ("GET", "/users/{user_id}"),
    ("PATCH", "/users/{user_id}"),
    ("DELETE", "/users/{user_id}"),
    ("POST", "/users/{user_id}/items/"),
    ("GET", "/users/{user_id}/items/"),
    ("POST", "/items/"),
    ("POST", "/items/batch"),
    ("GET", "/items/"),
    ("GET", "/items/{item_id}"),
    ("PATCH", "/items/{item_id}"),
    ("DELETE", "/items/{item_id}"),
    ("GET", "/health/ready"),
]
WRITES = [each for each in OPERATIONS if each[0] in ("POST", "PATCH")]

STRINGS = [
    f'"{SECRET}"', f'"{SECRET}\\u0000"', f'"\\ud800{SECRET}"', f'"{SECRET}\\udfff"', f'"{SECRET}\x00"',
    f'"{SECRET}\n"', f'"{SECRET}\\u202e"', f'"{"é" * 300}{SECRET}"', '"\\u"', '"\\x41"', f'"{SECRET}', f'{SECRET}"',
    '""', '" "', f'"{SECRET}@example.com\\r\\nBcc: x"', f'"\'; DROP TABLE users; -- {SECRET}"',
    f'"{"{{"}{SECRET}{"}}"}%s%n"',
]  # fmt: skip
NUMBERS = [
    "9223372036854775808", "-9223372036854775809", "1" + "0" * 400, "1e999", "-1e999", "1e-999", "NaN", "Infinity",
    "-Infinity", "-0", "0.1e-7", "1_0", "0x10", "01", "+1", "1.", ".5", "1e", "1.7976931348623157e308",
    "99999999999.99",
]  # fmt: skip
WORDS = ["null", "true", "false", "None", "undefined", "[]", "{}", "[[]]", '{"a":1}']
MEMBERS = ["email", "password", "title", "name", "description", "price", "owner_id", "is_active", "id", "items", SECRET]
INTEGERS = [
    "0", "-1", "1", "9223372036854775807", "9223372036854775808", "1" * 5_000, "1_0", "+1", " 1", "1.0", "1e3",
    "0x1", "%31", "%00", "%D9%A1", "%EF%BC%91", "null", "NaN", "..", ".", "%2e%2e", "%2F", "%C0%80", "%ED%A0%80",
    "%FF", "%", "%zz", SECRET,
]  # fmt: skip
TEXTS = [
    b"", b"\x00", b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"%00", b"a\rb", b"a\nb", b"\r\nInjected: yes",
    b"\x7f", b"\x0b", b'"', b"*", b'W/"', b'""', b"(" * 100, b"," * 1_000, b"a" * 10_000, "é".encode(),
    "😀".encode(), SECRET.encode(), b'"' + SECRET.encode() + b'"', SECRET.encode() * 100,
]  # fmt: skip
NAMES = [
    b"X-Request-ID", b"Idempotency-Key", b"If-Match", b"If-None-Match", b"Prefer", b"Accept", b"Host", b"Cookie",
    b"Range", b"Origin", b"Authorization", b"Content-Encoding", b"Expect", b"Upgrade", b"Forwarded",
    b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-HTTP-Method-Override", b"Transfer-Encoding", b"Content-Length",
    b"Content-Type", b"TE", b"Trailer", b"Connection", b"Access-Control-Request-Method", b"Traceparent",
    b"A" * 1_000, b"", b"a b", b"\xff", b":",
]  # fmt: skip
QUERIES = [
    "limit", "skip", "offset", "after", "cursor", "sort", "q", "email", "is_active", "title", "min_price",
    "max_price", "owner_id", "unknown", "", "limit[]", "limit%00",
]  # fmt: skip
PATHS = [
    "/", "*", "//", "/users", "/users//", "/items/batch/", "/docs/../users/", "/docs", "/static/../../etc/passwd",
    "/static-offline-docs/..%2f..%2f..%2fetc%2fpasswd", "/openapi.json", "/health/live/..", "/%00", "/%ff", "/\x7f",
    "/é", "http://example.com/users/", "example.com:443", f"/{SECRET}", "/users/?" + "a=1&" * 5_000,
    "/" + "a/" * 5_000, "/users/#fragment", "/users/1;x=1", "/users/1?", "?", "", " ", "/users/ HTTP/1.1\r\nX: y",
]  # fmt: skip
METHODS = [
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "BREW", "G" * 1_000,
    "G\x00T", "PRI", "QUERY", "M-SEARCH",
]  # fmt: skip
BROKEN = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /users/\r\n\r\n",
    b"GET /users/ HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET /users/ HTTP/1.1\nHost: x\n\n",
    b"GET  /users/  HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /users/ HTTP/1.1\r\nHost : x\r\n\r\n",
    b"GET /users/ HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
    b"GET /users/ HTTP/1.1\r\nno colon\r\n\r\n",
    b"GET /users/ HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"GET /users/ HTTP/1.1\r\n\r\n",
    b"GET /users/ HTTP/1.0\r\n\r\n",
    b"\x00" * 100 + b"\r\n\r\n",
    b"\xff" * 100 + b"\r\n\r\n",
    b"{}\r\n\r\n",
]
SMUGGLED = b"DELETE /users/1 HTTP/1.1\r\nHost: x\r\nX-Smuggled: yes\r\n\r\n"
FRAMINGS = [
    b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    b"Content-Length: 0\r\nContent-Length: 50\r\n\r\n",
    b"Content-Length: 0, 50\r\n\r\n",
    b"Content-Length: +0\r\n\r\n",
    b"Content-Length: -1\r\n\r\n",
    b"Content-Length: 0x10\r\n\r\n",
    b"Content-Length: 99999999999999999999\r\n\r\n",
    b"Content-Length:\r\n\r\n",
    b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n0;a=\x00\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nContent-Length: 5\r\nX: y\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED),
]


def corpus(count: int, seed: int) -> list[Hostile]:
    """So many of them, of every kind by turns."""
    random = Random(seed)
    kinds: list[Callable[[Random], Hostile]] = [bodies, bodies, headers, queries, paths, framings, flipped]
    return [kinds[n % len(kinds)](random) for n in range(count)]


def bodies(random: Random) -> Hostile:
    """A body that is hardly what is asked for."""
    method, path = random.choice(WRITES)
    content = _value(random, depth=0) if random.random() < 0.3 else _members(random, depth=0)
    if path == "/items/batch":
        content = f"[{','.join([content] * random.choice((1, 3, 1_001)))}]"
    body = random.choice((_as_is, _as_is, _as_is, _cut, _spoiled, _deep, _utf_16))(content, random)
    return _asked(method, path, random, body=body)


def headers(random: Random) -> Hostile:
    """Headers with what must not be in them."""
    method, path = random.choice(OPERATIONS)
    extra = [(random.choice(NAMES), random.choice(TEXTS)) for _ in range(random.choice((1, 2, 5, 200)))]
    return _asked(method, path, random, extra=extra)


def queries(random: Random) -> Hostile:
    """Parameters that are unknown, out of bounds, or tampered with."""
    method, path = random.choice([each for each in OPERATIONS if each[0] == "GET"])
    names = [random.choice(QUERIES) for _ in range(random.choice((1, 2, 10)))]
    values = [*INTEGERS, "-price", "price,title", "'--", SECRET * 10, "e30", "eyJ0aXRsZSI6MX0", "W10=", "A" * 3_000]
    return _asked(method, path, random, query="&".join(f"{name}={random.choice(values)}" for name in names))


def paths(random: Random) -> Hostile:
    """Paths and methods that nobody has."""
    target, method = random.choice(PATHS), random.choice(METHODS)
    head = f"{method} {target} HTTP/1.1\r\nHost: belongings\r\nConnection: close\r\n\r\n"
    return Hostile(head.encode("utf-8", "surrogateescape"), None)


def framings(random: Random) -> Hostile:
    """Bodies about whose end two readers may differ, with a request behind it that must not be answered."""
    if random.random() < 0.2:
        return Hostile(random.choice(BROKEN), None)
    method, path = random.choice(WRITES)
    head = f"{method} {_filled(path, random)} HTTP/1.1\r\nHost: belongings\r\nConnection: close\r\n"
    return Hostile(head.encode() + random.choice(FRAMINGS) + SMUGGLED, None)


def flipped(random: Random) -> Hostile:
    """A good request in which a few bytes are others."""
    method, path = random.choice(OPERATIONS)
    sent = bytearray(_asked(method, path, random, body=b'{"title":"Towel"}' if method != "GET" else b"").sent)
    for _ in range(random.choice((1, 2, 8))):
        sent[random.randrange(len(sent))] = random.choice((0, 9, 10, 13, 32, 34, 58, 127, 255, random.randrange(256)))
    return Hostile(bytes(sent), None)


def _asked(
    method: str,
    path: str,
    random: Random,
    *,
    query: str = "",
    body: bytes = b"",
    extra: list[tuple[bytes, bytes]] | None = None,
) -> Hostile:
    target = _filled(path, random) + (f"?{query}" if query else "")
    lines = [f"{method} {target} HTTP/1.1".encode(), b"Host: belongings", b"Connection: close"]
    if body or method in ("POST", "PATCH"):
        lines += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
    lines += [b"%b: %b" % each for each in extra or []]
    return Hostile(b"\r\n".join(lines) + b"\r\n\r\n" + body, None if extra else (method, path))


def _filled(path: str, random: Random) -> str:
    """The path with an id in it, mostly one that could be."""
    id = random.choice(INTEGERS) if random.random() < 0.3 else str(random.randrange(1, 20))
    return path.replace("{user_id}", id).replace("{item_id}", id)


def _members(random: Random, depth: int) -> str:
    names = random.choices(MEMBERS, k=random.randrange(6))
    return "{" + ",".join(f"{json.dumps(name)}:{_value(random, depth + 1)}" for name in names) + "}"


def _value(random: Random, depth: int) -> str:
    if depth < 4 and random.random() < 0.1:
        return _members(random, depth)
    return random.choice(random.choice((STRINGS, NUMBERS, WORDS)))


def _as_is(content: str, _: Random) -> bytes:
    return content.encode()


def _cut(content: str, random: Random) -> bytes:
    return content.encode()[: random.randrange(len(content) + 1)]


def _spoiled(content: str, random: Random) -> bytes:
    raw = bytearray(content.encode())
    for _ in range(3):
        raw.insert(random.randrange(len(raw) + 1), random.choice((0x00, 0x80, 0xC0, 0xED, 0xFE, 0xFF)))
    return bytes(raw)


def _deep(content: str, random: Random) -> bytes:
    depth = random.choice((100, 1_000, 50_000))
    return (f'{{"title":{"[" * depth}{content}' + "]" * random.choice((depth, 0)) + "}").encode()


def _utf_16(content: str, random: Random) -> bytes:
    return content.encode(random.choice(("utf-16", "utf-32", "utf-8-sig", "utf-7")))
