"""Numbers of a daemon; who has them hands them in, and nobody else knows Prometheus."""
