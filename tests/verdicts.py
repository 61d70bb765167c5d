"""What an engine makes of an example whose truth is known: right, wrong with a doubt, wrong without, or refused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import regionenum as rn
from regionenum.errors import EngineError, InputError
from regionenum.result import Result
from tests.exact_forms import Example, Json

LONGEST = 30.0
"""Seconds after which an enumeration of a tiny network counts as refused."""


class Verdict(StrEnum):
    """Everything is right; something is wrong, and a doubt was counted or not; or there is no complete answer."""

    RIGHT = "right"
    WITH_DOUBT = "wrong with doubt"
    WITHOUT_DOUBT = "wrong without doubt"
    REFUSED = "refused"


@dataclass(frozen=True)
class Judgement:
    """A verdict, the doubts that were counted, and what was found (None) or said instead."""

    verdict: Verdict
    doubts: int = 0
    found: Json | None = None
    message: str = ""


def summary(result: Result) -> Json:
    """Count and statistics of a result, in the form of an example's truth."""
    layers = [
        {
            "regions": layer.regions,
            "by_rank": {
                str(rank): [facts.regions, facts.children, facts.max_children, facts.unsplit]
                for rank, facts in sorted(layer.by_rank.items())
            },
        }
        for layer in result.layers
    ]
    return {"count": result.count, "layers": layers}


def doubts(result: Result) -> int:
    """Decisions of a result that rounding could have made."""
    return result.counters.doubtful + result.counters.doubtful_ranks


def judge(example: Example, engine: str = "compiled", exact: bool = True) -> Judgement:
    """Enumerate an example and compare its count, regions by layer, and ranks and children with the truth."""
    try:
        result = rn.enumerate_regions(example.network, example.domain, engine=engine, exact=exact, time_limit=LONGEST)
    except (EngineError, InputError) as error:
        return Judgement(Verdict.REFUSED, message=str(error))
    if not result.complete:
        return Judgement(Verdict.REFUSED, message=f"incomplete after {LONGEST:g} s")
    return judge_result(result, example)


def judge_result(result: Result, example: Example) -> Judgement:
    """Compare a complete result with the truth."""
    found, n_doubts = summary(result), doubts(result)
    if same(found, example.truth):
        return Judgement(Verdict.RIGHT, n_doubts, found)
    return Judgement(Verdict.WITH_DOUBT if n_doubts else Verdict.WITHOUT_DOUBT, n_doubts, found)


def assert_right(judgement: Judgement, example: Example) -> None:
    """Everything is right, and there was no doubt."""
    assert judgement.verdict is Verdict.RIGHT, f"{difference(judgement, example.truth)}; {example.write()}"
    assert not judgement.doubts


def assert_not_silent(judgement: Judgement, example: Example) -> None:
    """What is wrong has a doubt."""
    assert judgement.verdict is not Verdict.WITHOUT_DOUBT, f"{difference(judgement, example.truth)}; {example.write()}"


def same(found: Json, truth: Json) -> bool:
    """Whether count and statistics agree (a data file may say more of the truth)."""
    return all(found[key] == truth[key] for key in ("count", "layers"))


def difference(judgement: Judgement, truth: Json) -> str:
    """The first difference between what was found and the truth, in words."""
    found = judgement.found
    if found is None:
        return judgement.message
    if found["count"] != truth["count"]:
        return f"{found['count']} regions, truth {truth['count']} ({judgement.doubts} doubts)"
    for k, (mine, true) in enumerate(zip(found["layers"], truth["layers"], strict=True)):
        if mine != true:
            return f"layer {k} has {mine}, truth {true} ({judgement.doubts} doubts)"
    raise ValueError("there is no difference")
