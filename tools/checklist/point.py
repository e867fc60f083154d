"""A point of the checklist: a function that returns its evidence, or raises Missed, or NotHere where this machine cannot tell."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

SHOWN = 6


class Missed(Exception):
    """The point fails; the text is the evidence."""


class NotHere(Exception):
    """It cannot be checked on this machine; the text is the reason."""


@dataclass(frozen=True)
class Point:
    number: int
    text: str
    check: Callable[..., str]


POINTS: list[Point] = []


def point(number: int, text: str) -> Callable[[Callable[..., str]], Callable[..., str]]:
    """Enters a function of the workbench into the checklist."""

    def enter(check: Callable[..., str]) -> Callable[..., str]:
        POINTS.append(Point(number, text, check))
        return check

    return enter


def expect_none(found: Iterable[str], what: str) -> None:
    """Raises Missed if anything was found."""
    found = list(found)
    if found:
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise Missed(f"{len(found)} {what}: {'; '.join(found[:SHOWN])}{more}")


def expect(holds: bool, evidence: str) -> None:
    """Raises Missed unless it holds."""
    if not holds:
        raise Missed(evidence)
