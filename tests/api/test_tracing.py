"""Traces, as an OpenTelemetry collector receives them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from fastapi.testclient import TestClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import SecretStr

from entrypoints.api.app import create_app
from entrypoints.container import build_container
from entrypoints.settings import Settings, WrongSetting, load_settings

SECRET = "wubbalubba"


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """The URL of a collector, and the bodies that it received."""
    got: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        Thread(target=server.serve_forever, args=(0.01,)).start()
        yield f"http://127.0.0.1:{server.server_port}", got
        server.shutdown()


class BrokenHasher:
    """Raises an unexpected error."""

    def hash(self, password: str) -> str:
        raise RuntimeError(f"cannot hash {password}")


def test_each_request_is_a_span_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as (url, got):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        container = build_container(Settings(database_url=SecretStr("memory://"), tracing=True))
        container.hasher.override(BrokenHasher())
        with TestClient(
            create_app(container), headers={"Authorization": SECRET}, raise_server_exceptions=False
        ) as client:
            client.get(f"/users/?email={SECRET}@example.com")
            client.get("/users/7", headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
            client.post("/users/", json={"email": "rick@example.com", "password": SECRET})
    assert SECRET.encode() not in b"".join(got)
    sent = [ExportTraceServiceRequest.FromString(each) for each in got]
    scopes = [scope for each in sent for resource in each.resource_spans for scope in resource.scope_spans]
    spans = [span for scope in scopes for span in scope.spans]
    attributes = [{each.key: each.value for each in span.attributes} for span in spans]
    assert [span.name for span in spans] == ["GET /users/", "GET /users/{user_id}", "POST /users/"]
    assert [each["http.response.status_code"].int_value for each in attributes] == [200, 404, 500]
    assert [each["http.route"].string_value for each in attributes] == ["/users/", "/users/{user_id}", "/users/"]
    assert spans[1].trace_id.hex() == "ab" * 16
    assert [event for span in spans for event in span.events] == []
    names = {each.key: each.value.string_value for each in sent[0].resource_spans[0].resource.attributes}
    assert names["service.name"] == "belongings"


def test_invalid_headers_of_a_trace_are_not_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    invalid = {"baggage": f"{SECRET},{SECRET};=", "tracestate": SECRET, "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
    with collector() as (url, _):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        container = build_container(Settings(database_url=SecretStr("memory://"), tracing=True))
        with TestClient(create_app(container)) as client:
            assert client.get("/users/7", headers=invalid).status_code == 404
            assert client.get("/users/7", headers={"baggage": "a=1," * 200}).status_code == 404
    assert [record for record in caplog.records if record.name.startswith("opentelemetry")] == []


def test_without_the_setting_nothing_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    with collector() as (url, got):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
        with TestClient(create_app(build_container(Settings(database_url=SecretStr("memory://"))))) as client:
            client.get("/users/7")
    assert got == []


def test_tracing_without_an_endpoint_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.setenv("BELONGINGS_TRACING", "true")
    with pytest.raises(WrongSetting) as wrong:
        load_settings()
    assert str(wrong.value) == "BELONGINGS_TRACING: OTEL_EXPORTER_OTLP_ENDPOINT must say where traces go"


def test_tracing_without_its_packages_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("BELONGINGS_TRACING", "true")
    with pytest.raises(WrongSetting) as wrong:
        load_settings()
    assert str(wrong.value) == "BELONGINGS_TRACING: Its packages are missing; install belongings[tracing]"
