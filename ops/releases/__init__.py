"""Releases: which there were, which can be gone back to, and whose images are kept."""
