"""The Textual application: its places, actions and state. Screens and panes have rooms of their own."""
