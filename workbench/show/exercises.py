"""The checking cells of the exercises."""

from __future__ import annotations


def check(answer: float | None, expected: float, *, within: float, hint: str) -> str:
    """Compare a reader's answer with the expected one, and say so in a sentence.

    Parameters
    ----------
    answer
        None while the exercise is not answered.
    expected, within
        The right answer and how near is near enough, in the unit of the exercise.
    hint
        Where to look again.

    Examples
    --------
    >>> check(None, 2.0, within=0.1, hint="count again")
    'Not answered yet: put your number in place of None.'
    >>> check(2.05, 2.0, within=0.1, hint="count again")
    'Right.'
    >>> check(3.0, 2.0, within=0.1, hint="count again")
    'Not yet: count again'
    """
    if answer is None:
        return "Not answered yet: put your number in place of None."
    return "Right." if abs(answer - expected) <= within else f"Not yet: {hint}"
