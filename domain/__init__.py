"""Users, items and their invariants. Uses the standard library only."""
