"""Layout of the screens: what they show when there is little room, and how panes grow."""
