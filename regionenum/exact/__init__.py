"""Arithmetic that never rounds: residues modulo primes, ranks of matrices, digests of affine maps."""
