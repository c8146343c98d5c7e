"""Values that others have published, from the data manifests, to stand beside one's own."""

from __future__ import annotations

import tomllib

import pandas as pd

from workbench.resources import folder


def published_convergence() -> pd.DataFrame:
    """Return the paper's dark current [electron / s] from 2, 4, ... 14 darks of its own camera.

    Returns
    -------
    pandas.DataFrame
        Columns ``n_frames`` and ``dark_current``; ``attrs`` holds the ``source`` and the ``unit``.

    Examples
    --------
    >>> published_convergence()["n_frames"].tolist()
    [2, 4, 6, 8, 10, 12, 14]
    """
    text = (folder("data_manifests") / "paper_convergence.toml").read_text(encoding="utf-8")
    record = tomllib.loads(text)["table"]
    table = pd.DataFrame({name: record[name] for name in ("n_frames", "dark_current")})
    table.attrs = {"source": record["source"], "unit": record["unit"]}
    return table
