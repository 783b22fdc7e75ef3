"""Tables, column types, and the mapping of the domain onto them."""
