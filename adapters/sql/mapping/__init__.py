"""Tables, column types, and the mapping of domain classes to them."""
