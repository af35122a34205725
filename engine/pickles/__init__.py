"""Names out of pickles for people to read, without unpickling anything."""
