"""Cells as bounded simplex dictionaries: `cells.py` has the verbs, the other modules what they are made of."""
