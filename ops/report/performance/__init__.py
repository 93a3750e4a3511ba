"""The performance of a stack over a span of time: figures of Prometheus, statements, deploys."""
