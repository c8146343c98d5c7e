"""A JupyterLab of its own on the loopback, and Debian's Chromium to look at it with."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from workbench.camera.session import cache_folder

HOST = "127.0.0.1"
CHROMIUM_FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
READY_SECONDS = 90


def _missing(reason: str) -> None:
    """Skip, and say why; in CI, where the browser was to be installed, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Find the browser."""
    found = shutil.which("chromium")
    if found is None:
        _missing("no chromium on PATH: install Debian's package chromium to test the explorers in a browser")
    return str(found)


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address, its token, the folder it serves."""

    port: int
    token: str
    folder: Path

    def url(self, notebook: str) -> str:
        """Return the address of one notebook, without what an earlier visit left open."""
        return f"http://{HOST}:{self.port}/lab/tree/{quote(notebook)}?token={self.token}&reset"

    def ask(self, path: str, method: str = "GET") -> object:
        """Call the server's interface."""
        request = urllib.request.Request(
            f"http://{HOST}:{self.port}/api/{path}", method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None


def _own_home(home: Path) -> dict[str, str]:
    """Return an environment in which Jupyter finds nothing of its user's; its python3 kernel is this very Python."""
    settings = home / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}  # no toast that asks about news
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    # the frames of the embedded camera take a minute to simulate: those of earlier tests are used again
    own = {
        "WORKBENCH_CACHE": cache_folder(),
        "HOME": home,
        "IPYTHONDIR": home / "ipython",
        "JUPYTER_CONFIG_DIR": home / "config",
    }
    own |= {"JUPYTER_DATA_DIR": home / "data", "JUPYTER_RUNTIME_DIR": home / "runtime"}
    own |= {"JUPYTERLAB_SETTINGS_DIR": home / "settings", "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces"}
    return os.environ | {name: str(folder) for name, folder in own.items()}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def lab(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Start JupyterLab on a free loopback port with a random token; end its kernels and itself."""
    del chromium  # asked for so that a machine without a browser starts no server
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("notebooks")
    running = Lab(_free_port(), secrets.token_hex(16), folder)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip", HOST]
    command += ["--port", str(running.port), "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}"]
    command += ["--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    environment = _own_home(home) | {"JUPYTER_TOKEN": running.token}
    log = home / "lab.log"
    with log.open("wb") as sink:
        server = subprocess.Popen(command, env=environment, cwd=folder, stdout=sink, stderr=sink)
    try:
        _wait_for(running, server, log)
        yield running
        for kernel in running.ask("kernels"):
            running.ask(f"kernels/{kernel['id']}", "DELETE")
    finally:
        server.terminate()  # by its own pid, and only it
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_for(running: Lab, server: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            running.ask("status")
            return
        time.sleep(0.2)
    pytest.fail(f"JupyterLab did not answer within {READY_SECONDS} s:\n{log.read_text()[-3000:]}")


class Visit:
    """One page, with every request it made and every error it reported."""

    def __init__(self, page: object) -> None:
        self.page = page
        self.outside: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self._seen(request.url))
        page.on("websocket", lambda socket: self._seen(socket.url))
        page.on("pageerror", lambda error: self.errors.append(f"page error: {error}"))
        page.on("console", self._said)

    def _seen(self, url: str) -> None:
        address = urlsplit(url)
        if address.scheme not in ("data", "blob") and address.hostname != HOST:
            self.outside.append(url)

    def _said(self, message: object) -> None:
        if message.type == "error":
            self.errors.append(f"console: {message.text} ({message.location.get('url', '')})")


@pytest.fixture
def visit(chromium: str, tmp_path: Path) -> Iterator[Visit]:
    """Open a browser with a profile of its own."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        _missing(f"playwright cannot be imported ({error}): install dark-frame-workbench[test]")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path / "profile"),
            executable_path=chromium,
            headless=True,
            args=CHROMIUM_FLAGS,
            viewport={"width": 1400, "height": 1000},
        )
        try:
            yield Visit(context.pages[0])
        finally:
            context.close()
