"""What ``belongings serve`` adds to uvicorn: limits for connections, draining, TLS, and worker processes.

The API works without this package: ``uvicorn --factory entrypoints.api.app:create_app``. ``docs/operating.md`` says
what is missing then.
"""
