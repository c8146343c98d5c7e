"""Where the notebooks and the data manifests stand: inside an installed package, or at the top of the checkout."""

from __future__ import annotations

from pathlib import Path

from workbench.errors import InputError

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """Find a folder that a wheel carries inside the package and a checkout keeps beside it.

    Parameters
    ----------
    name
        ``"notebooks"`` or ``"data_manifests"``.

    Returns
    -------
    pathlib.Path
        ``<package>/<name>`` of an installed wheel, else ``<package>/../<name>`` of a checkout.

    Raises
    ------
    InputError
        When neither is there.

    Examples
    --------
    >>> folder("notebooks").name
    'notebooks'
    """
    # beside an installed package stand other people's packages: only a checkout has the project's own file there
    checkout = _PACKAGE.parent if (_PACKAGE.parent / "pyproject.toml").is_file() else None
    for place in (_PACKAGE, checkout):
        if place is not None and (place / name).is_dir():
            return place / name
    raise InputError(name, "is in neither the installed package nor a checkout", "install dark-frame-workbench again")
