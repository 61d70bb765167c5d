"""Certificates of "does not cut", kept for later.

A test that ends in "does not cut" is proved by constraints of the cell that are tight, as `cells.tight` names them. Those
of earlier layers and of the box hold in the whole subtree of the present cell of the layer before; cuts of the present
layer, on the sides they have now, imply the answer again wherever in this subtree they are on the same sides. Cuts that
are still open after the layer's first tests have slots, one bit each, so that checking a certificate takes two operations.
A certificate of an answer that was doubtful is kept as such, and every use of it is counted as a doubt again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from regionenum.engine.policy import inlined, kernel
from regionenum.engine.tables import CUT, Tables
from regionenum.network.units import Ints

SLOTS = 62
"""Cuts of a layer that certificates can name on one cell: as many as an integer has bits to spare."""
KEPT = 12
"""Certificates kept for one cut; the oldest gives way."""
DECIDED_AT_ENTRY, WITHOUT_SLOT = -1, -2

PLUS, MINUS, SIDE, DOUBTFUL_TOO = 0, 1, 2, 3
"""What a certificate holds: slots that must be positive, that must be negative, the side implied, whether doubtful."""


class Certificates(NamedTuple):
    """Certificates of the present path."""

    slot: Ints  # (cuts,) slot of each cut on the present cell of the layer before, or one of the two constants above
    used: Ints  # (depth,) slots in use
    book: Ints  # (depth, SLOTS, KEPT, 4)
    learned: Ints  # (depth, SLOTS) certificates ever learned


def make_certificates(tables: Tables) -> Certificates:
    """No certificates."""
    return Certificates(
        slot=np.full(int(tables.at[-1, CUT]), DECIDED_AT_ENTRY, np.int64),
        used=np.zeros(tables.depth, np.int64),
        book=np.zeros((tables.depth, SLOTS, KEPT, 4), np.int64),
        learned=np.zeros((tables.depth, SLOTS), np.int64),
    )


@kernel
def forget(at, certificates, layer):
    """Start a new cell of the layer before."""
    for c in range(at[layer, CUT], at[layer + 1, CUT]):
        certificates.slot[c] = DECIDED_AT_ENTRY
    certificates.used[layer] = 0
    for slot in range(SLOTS):
        certificates.learned[layer, slot] = 0


@inlined
def give_slot(certificates, layer, c):
    """Give an open cut a slot, while there are any."""
    if certificates.used[layer] < SLOTS:
        certificates.slot[c] = certificates.used[layer]
        certificates.used[layer] += 1
    else:
        certificates.slot[c] = WITHOUT_SLOT


@inlined
def implied(certificates, layer, slot, plus, minus):
    """Side of an open cut, given the decided slots, by an earlier certificate: (side or -1, was it doubtful)."""
    for k in range(min(certificates.learned[layer, slot], KEPT)):
        entry = certificates.book[layer, slot, k]
        if entry[PLUS] & ~plus == 0 and entry[MINUS] & ~minus == 0:
            return entry[SIDE], entry[DOUBTFUL_TOO]
    return -1, 0


@inlined
def learn(at, certificates, cut_side, layer, slot, lines, n, side, doubtful):
    """Keep the certificate behind "does not cut": the constraints on the first n of `lines`."""
    plus, minus = 0, 0
    for k in range(n):
        c = lines[k]
        if c < at[layer, CUT] or c >= at[layer + 1, CUT]:
            continue
        named = certificates.slot[c]
        if named == DECIDED_AT_ENTRY:
            # a constraint, or a side that the subtree came with: it holds wherever the certificate is read
            continue
        if named == WITHOUT_SLOT:
            return
        if cut_side[c] == 1:
            plus |= 1 << named
        else:
            minus |= 1 << named
    entry = certificates.book[layer, slot, certificates.learned[layer, slot] % KEPT]
    entry[PLUS], entry[MINUS], entry[SIDE], entry[DOUBTFUL_TOO] = plus, minus, side, doubtful
    certificates.learned[layer, slot] += 1
