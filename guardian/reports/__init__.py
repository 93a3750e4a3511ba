"""What the guardian reports at fixed times, and where it keeps it."""
