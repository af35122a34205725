"""Names read out of pickles for people, without unpickling anything."""
