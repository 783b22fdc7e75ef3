"""Tracing with OpenTelemetry, by FastAPI's own support for it.

OpenTelemetry's variables, such as ``OTEL_EXPORTER_OTLP_ENDPOINT``, configure where spans are sent.
"""

import logging
import os

from fastapi.telemetry import TelemetryConfig

from entrypoints.settings import Settings

_REPEAT_HEADERS = ("opentelemetry.baggage.propagation", "opentelemetry.trace.span")
"""Loggers whose warnings repeat what a client sent as ``baggage`` or ``tracestate``, in one line for each member."""


def telemetry(settings: Settings) -> TelemetryConfig:
    """FastAPI's configuration for one span per request and nothing else: its logs of errors would contain secrets."""
    config: TelemetryConfig = {"tracing": settings.tracing, "metrics": False, "logs": False, "operation_spans": False}
    if not settings.tracing:
        return config | {"auto_configure": False}
    for name in _REPEAT_HEADERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    from opentelemetry.context import Context
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider

    class RedactQuery(SpanProcessor):
        """Removes the query, which may contain personal data, from spans."""

        def on_start(self, span: Span, parent_context: Context | None = None) -> None:
            if "url.query" in (span.attributes or ()):
                span.set_attribute("url.query", "REDACTED")

    service = os.environ.get("OTEL_SERVICE_NAME", "belongings")
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}), shutdown_on_exit=False)
    provider.add_span_processor(RedactQuery())
    return config | {"auto_configure": True, "tracer_provider": provider}
