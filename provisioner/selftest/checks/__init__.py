"""The checks of the selftest, by subject: each is one function that gives its evidence, or says why it failed."""
