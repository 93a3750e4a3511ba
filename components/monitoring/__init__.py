"""What watches a stack: Prometheus, Alertmanager, and the exporters that they read."""
