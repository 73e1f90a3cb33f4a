"""Benchmarks: each prints one JSON object with medians and the yardsticks of the same run."""
