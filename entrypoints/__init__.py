"""How one gets in: the HTTP API, the command line, and the container that ties it all together."""
