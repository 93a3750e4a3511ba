"""Reports on a stack: those that its guardian makes and keeps, and the performance of a span of time."""
