"""Code of the user's own that travels with jobs instead of in their image: what is packed, and how."""
