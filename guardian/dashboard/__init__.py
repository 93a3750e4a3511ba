"""The page for people, and the document that it shows: behind a login, on a port of its own."""
