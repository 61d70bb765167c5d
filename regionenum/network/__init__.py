"""The network: layers and units, loading, forward evaluation."""
