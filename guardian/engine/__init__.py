"""The engine, by way of the proxy: the stack's containers and what happens to them."""
