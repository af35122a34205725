"""The AWS stack as the resources screen shows it: what is known of it, and commands that change it."""
