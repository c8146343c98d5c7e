"""Which files an entry of ``workbench.toml`` means, and what it says of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FrameRule", "pattern_of"]


@dataclass(frozen=True)
class FrameRule:
    """One ``[[frames]]`` entry: the files that it means, and what it says of them.

    Parameters
    ----------
    match
        A glob over paths relative to the folder of frames.
    values
        Quantity of the vocabulary -> value.
    zero_light
        Whether these darks serve as the zero-light reference, as a bias would.
    """

    match: str
    values: Mapping[str, Any]
    zero_light: bool | None = None

    def matches(self, file: str) -> bool:
        """Tell whether the rule means a file, given by its path relative to the folder of frames, with slashes.

        Examples
        --------
        >>> FrameRule("led/*_0480[34]*", {}).matches("led/ESIS1_04803.fit.gz")
        True
        >>> FrameRule("*.fit", {}).matches("deep/er/one.fit"), FrameRule("deep/*.fit", {}).matches("deep/er/one.fit")
        (True, False)
        """
        whole = file if "/" in self.match else PurePosixPath(file).name
        return pattern_of(self.match).fullmatch(whole) is not None


@lru_cache(maxsize=256)
def pattern_of(glob: str) -> re.Pattern[str]:
    """Translate a glob whose ``*`` stops at a slash and whose ``**`` does not."""
    pieces = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    tokens = re.findall(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]/]*\]|.", glob, re.DOTALL)
    return re.compile("".join(pieces.get(token) or _one_character(token) for token in tokens), re.DOTALL)


def _one_character(token: str) -> str:
    if len(token) == 1:
        return re.escape(token)
    inside = token[1:-1].replace("\\", r"\\").replace("[", r"\[")
    return f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
