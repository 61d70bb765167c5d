"""Arithmetic that never rounds: rows of cells, linear programs, ranks, residues, digests of affine maps."""
