"""Plans: what exists, what is wanted, the steps between, and what runs and undoes them."""
