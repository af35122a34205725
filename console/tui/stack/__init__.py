"""AWS stack of the resources screen: its state, and the commands that read and change it."""
