"""The console in a browser: `scaler-batch attach --web`."""
