"""Engines, connection pools, drivers and the translation of their errors."""
