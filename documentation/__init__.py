"""Pages of docs/ that are made, so that they cannot differ from what they tell of.

`python -m documentation` writes them; a test fails while they are not what it would write.
"""
