"""ASGI middleware: it wraps every request, before routing."""
