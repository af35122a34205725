"""What stands below the link to Scaler."""
