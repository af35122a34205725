"""One module a screen: it composes panes, carries out the actions of its scope, and gives the panes what came."""
