"""Engines: the tree of cells, compiled and by HiGHS, behind one interface."""
