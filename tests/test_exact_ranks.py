"""Ranks of matrices over the rationals, and the columns that are chosen to span the others."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regionenum.domain import Slice
from regionenum.errors import InputError
from regionenum.exact.ranks import independent_columns
from regionenum.exact.residues import PRIMES, primes
from tests.oracles import fractions, pivots

BUDGET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@BUDGET
@given(st.integers(0, 2**32 - 1))
def test_independent_columns_are_a_basis(seed):
    rng = np.random.default_rng(seed)
    m, n, r = rng.integers(1, 7, 3)
    w = (rng.integers(-4, 5, (m, r)) @ rng.integers(-4, 5, (r, n))) / 8.0
    chosen = independent_columns(w)
    rank = len(pivots([fractions(row) for row in w]))
    assert len(chosen) == rank == len(pivots([fractions(row) for row in w[:, chosen]] or [[]]))
    assert np.array_equal(independent_columns(sp.csr_array(w)), chosen)
    d = rng.integers(-2, 3, (n, 3)) / 2.0
    assert len(independent_columns(w, sp.csr_array(d))) == len(pivots([fractions(row) for row in w @ d]))


def test_rank_is_exact_where_floating_point_is_not():
    """1 + 2^-52 is not 1; 2^-1000 is not 0; and 3 * 0.1 is not 0.3 when the weights are 0.1 and 0.3."""
    assert len(independent_columns(np.array([[1.0, 1.0], [1.0, 1.0 + 2.0**-52]]))) == 2
    assert len(independent_columns(np.array([[1.0, 1.0], [1.0, 1.0]]))) == 1
    assert len(independent_columns(np.array([[1.0, 0.0], [0.0, 2.0**-1000]]))) == 2
    assert len(independent_columns(np.array([[0.1, 0.3], [1.0, 3.0]]))) == 2
    assert len(independent_columns(np.zeros((2, 2)))) == 0


def test_the_identity_as_directions_changes_nothing():
    w = np.random.default_rng(0).normal(size=(3, 5))
    assert np.array_equal(independent_columns(w, sp.eye_array(5, format="csr")), independent_columns(w))


def test_columns_that_one_prime_takes_for_dependent_are_told_apart():
    """The determinant is the first prime: its residue is 0, and the second prime decides."""
    assert independent_columns(np.array([[float(PRIMES[0]), 0.0], [0.0, 1.0]])).tolist() == [0, 1]
    assert independent_columns(np.array([[1.0, float(PRIMES[0] + 1)], [1.0, 1.0]])).tolist() == [0, 1]


def test_primes_are_prime_and_none_is_left_out():
    found = list(islice(primes(), 5))
    assert found[0] == PRIMES[0]
    for n in range(found[-1], PRIMES[0] + 1, 2):
        assert (n in found) == all(n % d for d in range(3, 46342, 2))


def test_directions_of_a_slice_are_independent_exactly():
    """The last pair agrees modulo 2^31 - 1, and is independent."""
    for directions in ([[1.0, 1.0], [1.0, 1.0 + 2.0**-52]], [[1.0, 0.0], [0.0, 5e-324]], [[1.0, 2.0**31], [1.0, 1.0]]):
        assert Slice(np.zeros(2), directions).chart((2,)).dim == 2
    for directions in ([[0.1, 0.3], [0.2, 0.6]], [[1e308, 1e-308], [5e307, 5e-309]]):
        with pytest.raises(InputError, match="span only 1 dimension;"):
            Slice(np.zeros(2), directions)
