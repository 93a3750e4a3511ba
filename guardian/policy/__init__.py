"""What to do about what is seen: pure, a table for each rule."""
