"""Use cases for users and items, one function each, and the ports they need."""
