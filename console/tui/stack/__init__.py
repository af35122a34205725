"""AWS stack as the resources screen shows it: its state, and runs of the commands that change it."""
