"""The HTTP front: the server, and the gateway that names, counts and routes each call."""
