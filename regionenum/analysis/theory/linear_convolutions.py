"""Linear convolutional networks: one filter, and what of it the architecture decides (Kohn, Merkh, Montúfar, Trager:
Geometry of linear convolutional networks, arXiv 2108.01538; with strides: Kohn, Montúfar, Shahverdi, Trager, arXiv
2304.05752).

Layer l has one channel, a filter of k_l values and stride s_l. Let p_l be its polynomial (`binary_forms.py`), of formal
degree k_l - 1, and S_l = s_1 ... s_(l-1). The layers together are one convolution with stride s_1 ... s_L and the
polynomial

    P(t) = p_1(t^S_1) p_2(t^S_2) ... p_L(t^S_L),        degree k - 1 = the sum of (k_l - 1) S_l.

No layer cuts anything: such a network has one region. What can be said is which filters it reaches.

Dimension. The set of these P has dimension k_1 + ... + k_L - (L - 1): all parameters, but for the factors that layers can
exchange; this is the rank below where no layers share roots.

Rank. At given filters, the tangent directions are the sums of q_l(t^S_l) times the product of the other layers, over all
q_l of degree k_l - 1. Divided by P, these are sums of functions q_l / p_l of t^S_l: functions on the projective line with
poles at the roots of p_l(t^S_l) at most, and all such functions of t^S_l. With all strides 1 these sums are all functions
whose poles are at most those of the least common multiple of the filters, so the rank is 1 + deg lcm(p_1, ..., p_L). For
two layers and stride s, functions that both can have are functions of t^s with poles in both: the rank is k_1 + k_2 - 1
less the number of roots that p_2 shares with the part of p_1 in powers of t^s (`Form.in_powers`). In general the principal
parts at the points of an orbit of roots of unity are spanned by indicator functions of nested sub-orbits; a set that is a
union of smaller ones adds nothing. So the rank can drop without a root that two layers share, when two layers together hold
the orbit of a third; `rank` is computed from the matrix, over the rationals. Where it is below the dimension, the filters
are a critical point of the parametrisation, and may be one of a loss without being one on the functions (arXiv 2108.01538,
section 4).

Reachable filters. A form of degree d_1 + ... + d_L factors into real forms of these degrees if and only if it has at least as
many real roots, with multiplicity, as there are odd d_l. (Each odd one needs a real root. Conversely, give each one; the
real roots that remain are even in number, as are the degrees that remain, and fill these in pairs, as do the pairs of
conjugates.) With strides, layers with equal S_l form stages, with total degrees D_S and e_S odd ones, and a filter is
reached if and only if it is a product of real forms q_S(t^S) of degree D_S with at least e_S real roots (in t^S) each.
Divisors of this kind are taken from the last stage to the first: those of stage S are made of the roots a of the largest
form h with h(t^S) dividing what is left. Taking a away takes from the stage before, with S = r S', the r-th roots of a,
once each: r for a = 0 and infinity; one real one for odd r; a positive and a negative one, for even r and a > 0; none that
is real for even r and a < 0, or a not real. As roots of one kind have the same effect, only their numbers matter, and the
question is one of sums of multiplicities, decided by going through them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from flint import fmpq, fmpq_mat

from regionenum.analysis.theory.arguments import rationals, wholes
from regionenum.analysis.theory.binary_forms import Census, Form, RootPattern
from regionenum.errors import InputError

Coefficients = tuple[Fraction, ...]


@dataclass(frozen=True)
class LinearConv:
    """A linear convolutional network of one channel and one axis; made by `linear_conv`.

    Attributes
    ----------
    filters : tuple of tuples of Fraction
        Of the layers, first to last.
    strides : tuple of int
        Of the layers.
    """

    filters: tuple[Coefficients, ...]
    strides: tuple[int, ...]

    @property
    def kernels(self) -> tuple[int, ...]:
        """Sizes k_l of the filters."""
        return tuple(map(len, self.filters))

    @property
    def stride(self) -> int:
        """Stride of the network: the product of all."""
        return math.prod(self.strides)

    @property
    def powers(self) -> tuple[int, ...]:
        """S_l: the product of the strides before layer l."""
        return tuple(math.prod(self.strides[:k]) for k in range(len(self.strides)))

    @cached_property
    def filter(self) -> Coefficients:
        """The filter of the network: the coefficients of P, those of t^0 first."""
        found: Coefficients = (Fraction(1),)
        for values, power in zip(self.filters, self.powers, strict=True):
            found = _times(found, _spread(values, power))
        return found

    @cached_property
    def roots(self) -> RootPattern | None:
        """Multiplicities of the roots of P, real ones and pairs; None for the filter 0."""
        return root_pattern(self.filter)

    @property
    def dim(self) -> int:
        """Dimension of the set of filters that the architecture reaches: the sum of k_l less L - 1."""
        return sum(self.kernels) - (len(self.kernels) - 1)

    @cached_property
    def rank(self) -> int:
        """Rank of the derivative of the map from the filters of the layers to P, at these filters."""
        columns = []
        for index, (values, power) in enumerate(zip(self.filters, self.powers, strict=True)):
            others: Coefficients = (Fraction(1),)
            for other, (factor, its_power) in enumerate(zip(self.filters, self.powers, strict=True)):
                if other != index:
                    others = _times(others, _spread(factor, its_power))
            columns += [_times(others, _monomial(j, len(values), power)) for j in range(len(values))]
        entries = [fmpq(value.numerator, value.denominator) for column in columns for value in column]
        return int(fmpq_mat(len(columns), len(self.filter), entries).rank())

    @property
    def rank_drop(self) -> int:
        """By how much the rank is below the dimension; where it is not 0, the filters are a critical point."""
        return self.dim - self.rank

    @cached_property
    def shared_roots(self) -> dict[tuple[int, int], int]:
        """For two layers i < j that share roots: how many, with multiplicity.

        A root of p_j is shared if all its (S_j / S_i)-th roots are roots of p_i. Layers with filter 0 are left out.
        """
        found = {}
        forms = [Form.of(values) if any(values) else None for values in self.filters]
        for j, second in enumerate(forms):
            for i, first in enumerate(forms[:j]):
                if first is not None and second is not None:
                    common = first.in_powers(self.powers[j] // self.powers[i]).common(second).degree
                    if common:
                        found[i, j] = common
        return found


def linear_conv(filters: Iterable[Iterable[Any]], strides: Iterable[int] | None = None) -> LinearConv:
    """A linear convolutional network: its filter, the roots of that, and how the layers' roots coincide.

    Parameters
    ----------
    filters : sequences of numbers
        One for each layer, first to last, each of one value or more: y_p = sum of w_a x_(s p + a). Read exactly.
    strides : whole numbers, optional
        One for each layer, at least 1; all 1 by default. The last one has no effect on the filter.

    Returns
    -------
    LinearConv

    Raises
    ------
    InputError
        If there is no filter, one is empty or holds anything but finite numbers, or the strides do not fit.

    Examples
    --------
    >>> network = linear_conv([[1, 1], [1, 1]], [2, 1])  # (1 + t)(1 + t^2)
    >>> [int(value) for value in network.filter], str(network.roots), network.dim, network.rank_drop
    ([1, 1, 1, 1], '1|1', 3, 0)
    >>> linear_conv([[1, 1], [1, 1]]).rank_drop  # (1 + t)(1 + t): a shared root
    1
    """
    read = tuple(rationals("linear_conv", f"filters[{k}]", values) for k, values in enumerate(filters))
    if not read or not all(read):
        raise InputError("linear_conv: a filter, or the list of them, is empty; give one value or more for each layer")
    taken = [1] * len(read) if strides is None else strides
    return LinearConv(read, wholes("linear_conv", "strides", taken, 1, len(read)))


def root_pattern(values: Iterable[Any]) -> RootPattern | None:
    """Multiplicities of the roots of a filter's polynomial, 0 and infinity included; None for the filter 0.

    Raises
    ------
    InputError
        If the filter is empty or holds anything but finite numbers.

    Examples
    --------
    >>> str(root_pattern([1, 2, 2, 2, 1]))  # (1 + t)^2 (1 + t^2)
    '2|1'
    """
    read = rationals("root_pattern", "values", values)
    if not read:
        raise InputError("root_pattern: values is empty; give one value or more")
    return Form.of(read).multiplicities() if any(read) else None


def reachable(values: Iterable[Any], kernels: Iterable[int], strides: Iterable[int] | None = None) -> bool:
    """Whether a linear convolutional network with real filters of these sizes and strides can have this filter, exactly.

    Parameters
    ----------
    values : numbers
        The filter, of as many values as the architecture gives: 1 + the sum of (k_l - 1) S_l. Read exactly.
    kernels : whole numbers
        Sizes of the layers' filters, each at least 1.
    strides : whole numbers, optional
        Of the layers, each at least 1; all 1 by default.

    Raises
    ------
    InputError
        If an argument is not as it should be, or the filter has another size.

    Notes
    -----
    By the real roots (proof above). Two layers of two values reach a + b t + c t^2 if and only if b^2 >= 4 a c.

    Examples
    --------
    >>> reachable([1, 0, 1], [2, 2]), reachable([1, 0, 1], [3, 1]), reachable([1, 1, 1, 1], [2, 2], [2, 1])
    (False, True, True)
    """
    read = rationals("reachable", "values", values)
    sizes = wholes("reachable", "kernels", kernels, 1)
    taken = wholes("reachable", "strides", [1] * len(sizes) if strides is None else strides, 1, len(sizes))
    if not sizes:
        raise InputError("reachable: kernels is empty; give the size of one filter or more")
    powers = [math.prod(taken[:k]) for k in range(len(taken))]
    size = 1 + sum((k - 1) * power for k, power in zip(sizes, powers, strict=True))
    if len(read) != size:
        raise InputError(
            f"reachable: the filter has {len(read)} values, but the architecture gives {size}; give {size}"
        )
    if not any(read):
        return True
    stages = []
    for power in sorted(set(powers), reverse=True):
        degrees = [k - 1 for k, its_power in zip(sizes, powers, strict=True) if its_power == power]
        stages.append(_Stage(power, sum(degrees), sum(d % 2 for d in degrees)))
    form = Form.of(read)
    censuses = [form.in_powers(stage.power).by_sign() for stage in stages]
    return _divides(tuple(stages), tuple(censuses), ())


@dataclass(frozen=True)
class _Stage:
    """Layers with the same S: their total degree, and how many of their degrees are odd."""

    power: int
    degree: int
    odd: int


def _divides(stages: tuple[_Stage, ...], censuses: tuple[Census, ...], taken: tuple[tuple[int, Census], ...]) -> bool:
    """Whether forms for these stages, last first, can be taken from a form.

    censuses : the roots of the largest divisor in powers t^S of the whole form, for each stage
    taken : (S, roots) of the forms taken so far
    """
    if not stages:
        return True
    stage, left = stages[0], censuses[0]
    for power, roots in taken:
        left = _without(left, roots, power // stage.power)
    for chosen in _choices(left, stage.degree):
        real = chosen.positive + chosen.negative + chosen.zero + chosen.infinity
        if real >= stage.odd and _divides(stages[1:], censuses[1:], (*taken, (stage.power, chosen))):
            return True
    return False


def _without(left: Census, taken: Census, ratio: int) -> Census:
    """What is left at a stage when roots were taken at one with S `ratio` times as large: their ratio-th roots."""
    if ratio % 2:
        positive, negative = taken.positive, taken.negative
    else:
        positive = negative = taken.positive
    finite = ratio * (taken.positive + taken.negative + 2 * taken.pairs)
    pairs = (finite - positive - negative) // 2
    return Census(
        left.positive - positive,
        left.negative - negative,
        left.zero - ratio * taken.zero,
        left.infinity - ratio * taken.infinity,
        left.pairs - pairs,
    )


def _choices(left: Census, degree: int) -> Iterator[Census]:
    """All numbers of roots of each kind that add up to a degree."""
    for pairs in range(min(left.pairs, degree // 2) + 1):
        for zero in range(min(left.zero, degree - 2 * pairs) + 1):
            for infinity in range(min(left.infinity, degree - 2 * pairs - zero) + 1):
                rest = degree - 2 * pairs - zero - infinity
                for positive in range(max(0, rest - left.negative), min(left.positive, rest) + 1):
                    yield Census(positive, rest - positive, zero, infinity, pairs)


def _spread(values: Sequence[Fraction], power: int) -> Coefficients:
    """The coefficients of p(t^power)."""
    found = [Fraction(0)] * ((len(values) - 1) * power + 1)
    found[::power] = values
    return tuple(found)


def _monomial(j: int, size: int, power: int) -> Coefficients:
    return _spread([Fraction(int(i == j)) for i in range(size)], power)


def _times(a: Coefficients, b: Coefficients) -> Coefficients:
    found = [Fraction(0)] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        if x:
            for j, y in enumerate(b):
                found[i + j] += x * y
    return tuple(found)
