"""HTTP semantics of the API: problems, conditional requests, preferences, responses, OpenAPI."""
