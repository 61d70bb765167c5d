"""Analysis: what is computed from a finished run."""
