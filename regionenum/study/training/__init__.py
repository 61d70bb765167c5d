"""Training the networks of a study: the only rooms beside `network/from_torch` that import torch, and scikit-learn's data."""
