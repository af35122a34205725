"""Notifications: told when jobs that the user waits for are done, or one fails."""
