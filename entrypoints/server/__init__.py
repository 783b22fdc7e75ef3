"""What ``belongings serve`` adds to uvicorn: listening, connection limits, draining, workers."""
