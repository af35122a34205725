"""The rungs of the ladder: each a pure look at one fact of the evidence, which gives a result and maybe a cause."""
