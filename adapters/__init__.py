"""Adapters: storage in memory and in SQL databases, password hashing, rate limiting."""
