"""The tests. Run them all with ``uv run pytest``; ``tests/README.md`` says what is where."""
