"""Whether a deployed stack is well: facts are gathered, then judged, five checks in all."""
