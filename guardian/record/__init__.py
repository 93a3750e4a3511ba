"""What the guardian writes down and remembers."""
