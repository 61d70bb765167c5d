"""Benchmarks: each checks its counts before it reports a time."""
