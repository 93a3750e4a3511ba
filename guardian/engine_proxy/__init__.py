"""The one holder of the Docker socket: lets a few requests on the stack's own containers through."""
