"""Tools for developers of the service. Each runs as a script from a checkout."""
