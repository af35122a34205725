"""The checks of a diagnosis, one module a subject, and the ordered table of all of them."""
