"""Filters as polynomials over the rationals: forms of two variables, so that a root may be 0 or infinity.

A filter w_0, ..., w_d is the form w_0 y^d + w_1 x y^(d-1) + ... + w_d x^d: in t = x / y the polynomial with coefficients w,
of formal degree d. Where w_d is 0 it has a root at infinity, and where w_0 is 0 one at 0, with multiplicity. So a form of
degree d that is not 0 has d complex roots on the projective line, and leading zeros of a filter are no special case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from flint import fmpq_poly, fmpz_poly

from regionenum.analysis.theory.arguments import integer_rows


@dataclass(frozen=True)
class Form:
    """A form that is not 0, up to a factor: t^zero times `finite`, with `infinity` leading zeros.

    Attributes
    ----------
    zero, infinity : int
        Multiplicities of the roots 0 and infinity.
    finite : fmpz_poly
        With integer coefficients without common divisor, neither the first nor the last being 0.
    """

    zero: int
    infinity: int
    finite: fmpz_poly

    @classmethod
    def of(cls, coefficients: Sequence[Fraction]) -> Form:
        """The form with these coefficients of t^0, t^1, ...; not all are 0."""
        (row,) = integer_rows([coefficients])
        used = [k for k, value in enumerate(row) if value]
        return cls(used[0], len(row) - 1 - used[-1], fmpz_poly(list(row[used[0] : used[-1] + 1])))

    @property
    def degree(self) -> int:
        """Number of roots, with multiplicity."""
        return int(self.zero + self.infinity + self.finite.degree())

    def common(self, other: Form) -> Form:
        """The greatest common divisor."""
        finite = self.finite.gcd(other.finite)
        return Form(min(self.zero, other.zero), min(self.infinity, other.infinity), finite)

    def in_powers(self, s: int) -> Form:
        """The largest form g such that g(t^s) divides this one.

        Write the polynomial as the sum over j < s of t^j A_j(t^s). Multiplying by a polynomial in t^s treats each A_j for
        itself, so that g(t^s) divides the polynomial if and only if g divides all A_j. The roots of g are the s-th powers of
        the roots that come in full orbits of the s-th roots of unity, with the least multiplicity of the orbit.
        """
        coefficients = self.finite.coeffs()
        found = fmpz_poly([])
        for j in range(min(s, len(coefficients))):
            found = found.gcd(fmpz_poly(coefficients[j::s]))
        return Form(self.zero // s, self.infinity // s, found)

    def multiplicities(self) -> RootPattern:
        """The multiplicities of its roots, real and not."""
        real, pairs = [m for m in (self.zero, self.infinity) if m], []
        for factor, multiplicity in _factors(self.finite):
            n_real = real_roots(factor)
            real += [multiplicity] * n_real
            pairs += [multiplicity] * ((int(factor.degree()) - n_real) // 2)
        return RootPattern(tuple(sorted(real, reverse=True)), tuple(sorted(pairs, reverse=True)))

    def by_sign(self) -> Census:
        """How many roots are positive, negative, 0, infinity, or pairs of conjugates: with multiplicity."""
        positive = negative = pairs = 0
        for factor, multiplicity in _factors(self.finite):
            n_real, n_positive = real_roots(factor), positive_roots(factor)
            positive += multiplicity * n_positive
            negative += multiplicity * (n_real - n_positive)
            pairs += multiplicity * (int(factor.degree()) - n_real) // 2
        return Census(positive, negative, self.zero, self.infinity, pairs)


@dataclass(frozen=True)
class RootPattern:
    """The real-root multiplicity pattern of a form (arXiv 2108.01538, section 4).

    Attributes
    ----------
    real : tuple of int
        Multiplicities of the distinct real roots, 0 and infinity included, decreasing.
    pairs : tuple of int
        Multiplicities of the distinct pairs of conjugate roots, decreasing.
    """

    real: tuple[int, ...]
    pairs: tuple[int, ...]

    @property
    def n_real(self) -> int:
        """Real roots, with multiplicity."""
        return sum(self.real)

    def __str__(self) -> str:
        real, pairs = ("".join(map(str, m)) if max(m, default=0) < 10 else " ".join(map(str, m)) for m in self._both)
        return f"{real or 0}|{pairs or 0}"

    @property
    def _both(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return self.real, self.pairs


@dataclass(frozen=True)
class Census:
    """Numbers of roots, with multiplicity; `pairs` counts pairs of conjugates."""

    positive: int
    negative: int
    zero: int
    infinity: int
    pairs: int


def real_roots(polynomial: fmpz_poly) -> int:
    """Number of real roots of a polynomial without multiple roots (Sturm's theorem)."""
    chain = _sturm(polynomial)
    leading = [int(q[q.degree()] > 0) for q in chain]
    at_minus = [sign ^ (int(q.degree()) & 1) for sign, q in zip(leading, chain, strict=True)]
    return _changes(at_minus) - _changes(leading)


def positive_roots(polynomial: fmpz_poly) -> int:
    """Number of positive roots of a polynomial without multiple roots that is not 0 at 0."""
    chain = _sturm(polynomial)
    at_zero = [int(q[0] > 0) for q in chain if q[0] != 0]
    return _changes(at_zero) - _changes([int(q[q.degree()] > 0) for q in chain])


def _sturm(polynomial: fmpz_poly) -> list[fmpq_poly]:
    """The polynomial, its derivative, and the negatives of the remainders."""
    p = fmpq_poly(polynomial)
    chain = [p, p.derivative()]
    while chain[-1] != 0:
        chain.append(-(chain[-2] % chain[-1]))
    return chain[:-1]


def _changes(signs: Sequence[int]) -> int:
    return sum(a != b for a, b in pairwise(signs))


def _factors(polynomial: fmpz_poly) -> list[tuple[fmpz_poly, int]]:
    """The irreducible factors over the rationals, with multiplicity; none of a constant."""
    if polynomial.degree() < 1:
        return []
    _, factors = polynomial.factor()
    return [(factor, int(multiplicity)) for factor, multiplicity in factors]
