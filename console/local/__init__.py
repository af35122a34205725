"""`scaler-batch local`: a whole cluster on this machine, an engine and a client inside it, and the report."""
