"""regionenum."""
