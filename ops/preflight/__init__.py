"""What is checked before a stack is changed: facts are gathered, then judged, all of them in one go."""
