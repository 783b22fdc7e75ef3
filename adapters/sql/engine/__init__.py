"""Engines, connection pools and drivers: how statements reach a database, and what its errors mean."""
