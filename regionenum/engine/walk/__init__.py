"""The compiled tree walk. It knows cells only by the verbs of `engine/cells.py`."""
