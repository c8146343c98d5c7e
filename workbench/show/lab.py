"""JupyterLab on the notebooks: on this machine only, behind a token, asking nothing of the network."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import InputError
from workbench.resources import folder

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOPBACK = "127.0.0.1"
_FIRST_PORT = 8888
_PACKAGE = Path(__file__).resolve().parent.parent
# JupyterLab's first question to a newcomer is whether it may ask the network for news
_SETTINGS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}


def lab_arguments(notebooks: Path, *, port: int, token: str, settings: Path, browser: bool = True) -> list[str]:
    """Return JupyterLab's command line.

    Parameters
    ----------
    notebooks
        The folder that it shows.
    port
        Where it listens, on the loopback interface alone.
    token
        What a browser must know; it is never empty.
    settings
        A folder with the defaults of :func:`write_settings`.
    browser
        Open a browser.

    Raises
    ------
    ValueError
        When the token is empty: Jupyter takes that as a wish to have none.
    """
    if not token:
        raise ValueError("an empty token would leave the server open to every program of this machine")
    words = [
        str(notebooks),
        f"--ServerApp.ip={_LOOPBACK}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
        # python3 is the interpreter that has the workbench, whatever else is installed
        "--ServerApp.kernel_spec_manager_class=workbench.show.kernel.ThisInterpreter",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        f"--LabApp.app_settings_dir={settings}",
        "--JupyterApp.answer_yes=True",  # Ctrl-C ends it without a question
        "--Application.log_level=WARN",
    ]
    words += [] if browser else ["--no-browser"]
    return words + (["--allow-root"] if _is_root() else [])


def run_lab(
    out: str | os.PathLike[str] | None = None,
    *,
    port: int | None = None,
    browser: bool = True,
    say: Callable[[str], object] = print,
) -> None:
    """Run JupyterLab on the notebooks until Ctrl-C, or until it is shut down from its menu.

    Parameters
    ----------
    out
        Work on a copy of the notebooks in this folder, made when it is missing. Without it a checkout's own
        notebooks are opened, and an installed package's are copied to ``workbench-notebooks``.
    port
        A free port is chosen when none is named.
    browser
        Open a browser.
    say
        Told where the notebooks are and how to open them.

    Raises
    ------
    InputError
        When the port is taken or the copy cannot be made.
    """
    notebooks = notebooks_to_open(out)
    chosen = _port(port)
    token = secrets.token_urlsafe(32)
    with tempfile.TemporaryDirectory(prefix="workbench-lab-") as settings:
        write_settings(Path(settings))
        arguments = lab_arguments(notebooks, port=chosen, token=token, settings=Path(settings), browser=browser)
        say(f"notebooks in {notebooks}\nopen       http://{_LOOPBACK}:{chosen}/lab?token={token}\nCtrl-C ends it")
        _launch(arguments)


def _launch(arguments: list[str]) -> None:
    from jupyterlab.labapp import LabApp  # type: ignore[import-untyped]  # noqa: PLC0415 - over a second, and nothing else needs it

    # in this very process: the token stays out of the list of processes, and no server outlives the command
    LabApp.launch_instance(arguments)


def notebooks_to_open(out: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder to work in: a checkout's notebooks, or a copy that its owner may change.

    A copy that exists is opened as it is; nothing in it is overwritten.

    Raises
    ------
    InputError
        When the copy cannot be made.
    """
    source = folder("notebooks")
    installed = source.parent == _PACKAGE
    if out is None and not installed:
        return source
    target = Path(out if out is not None else "workbench-notebooks").resolve()
    if not target.exists():
        _copy(source, target)
    if not any(target.glob("*.ipynb")):
        raise InputError(target, "exists and holds no notebook", "name a new folder with -o")
    return target


def _copy(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".workbench-notebooks-", dir=target.parent) as work:
            part = Path(work, "notebooks")
            part.mkdir()
            for notebook in sorted(source.glob("*.ipynb")):
                shutil.copyfile(notebook, part / notebook.name)
            part.replace(target)
    except OSError as error:
        raise InputError(target, f"cannot be written ({error.strerror})", "choose another folder with -o") from error


def write_settings(place: Path) -> None:
    """Write the defaults that keep JupyterLab from asking for news."""
    (place / "overrides.json").write_text(json.dumps(_SETTINGS), encoding="utf-8")


def _port(wanted: int | None) -> int:
    if wanted is not None:
        if not _is_free(wanted):
            raise InputError("--port", f"{wanted} cannot be used here", "name another, or leave the option out")
        return wanted
    return next((port for port in range(_FIRST_PORT, _FIRST_PORT + 50) if _is_free(port)), 0)


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((_LOOPBACK, port))
        except OSError:
            return False
        return True


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
