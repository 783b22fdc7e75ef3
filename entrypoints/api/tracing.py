"""Traces for OpenTelemetry, by FastAPI's own support for it.

Where they go is said by OpenTelemetry's own variables, such as ``OTEL_EXPORTER_OTLP_ENDPOINT``.
"""

import os

from fastapi.telemetry import TelemetryConfig

from entrypoints.settings import Settings


def telemetry(settings: Settings) -> TelemetryConfig:
    """One span for each request, and nothing else: FastAPI's records of errors would repeat what they say."""
    kept: TelemetryConfig = {"tracing": settings.tracing, "metrics": False, "logs": False, "operation_spans": False}
    if not settings.tracing:
        return kept | {"auto_configure": False}
    from opentelemetry.context import Context
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider

    class WithoutQuery(SpanProcessor):
        """Takes what a client looked for out of its span: FastAPI puts the whole query there."""

        def on_start(self, span: Span, parent_context: Context | None = None) -> None:
            if "url.query" in (span.attributes or ()):
                span.set_attribute("url.query", "REDACTED")

    name = os.environ.get("OTEL_SERVICE_NAME", "belongings")
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}), shutdown_on_exit=False)
    provider.add_span_processor(WithoutQuery())
    return kept | {"auto_configure": True, "tracer_provider": provider}
