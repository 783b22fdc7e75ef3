"""How users and items are kept: in memory, and on SQL databases."""
