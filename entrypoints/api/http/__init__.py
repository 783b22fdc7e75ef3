"""What the API makes of HTTP: problems, conditional requests, responses, OpenAPI."""
