"""JupyterLab's command line, and the folder that it opens."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from workbench.errors import InputError
from workbench.resources import folder
from workbench.show import lab
from workbench.show.kernel import ThisInterpreter
from workbench.show.lab import lab_arguments, notebooks_to_open, run_lab, write_settings


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """Pretend to be installed: the notebooks are inside the package."""
    package = tmp_path / "site-packages" / "workbench"
    inside = package / "notebooks"
    inside.mkdir(parents=True)
    (inside / "00_start_here.ipynb").write_text("{}")
    (inside / "__init__.py").write_text("")
    monkeypatch.setattr(lab, "folder", lambda _: inside)
    monkeypatch.setattr(lab, "_PACKAGE", package)
    desk = tmp_path / "desk"
    desk.mkdir()
    monkeypatch.chdir(desk)
    return inside


def test_the_server_listens_on_the_loopback_behind_a_token_and_asks_nothing_of_the_network(tmp_path):
    arguments = lab_arguments(tmp_path, port=8891, token="secret", settings=tmp_path / "settings", browser=False)
    assert arguments[0] == str(tmp_path)
    for word in (
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port=8891",
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=secret",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        "--no-browser",
    ):
        assert word in arguments


def test_root_is_allowed_only_when_one_is_root(tmp_path, monkeypatch):
    def allowed(user):
        monkeypatch.setattr(os, "geteuid", lambda: user)
        return "--allow-root" in lab_arguments(tmp_path, port=1, token="t", settings=tmp_path)

    assert allowed(0)
    assert not allowed(1000)


def test_a_server_without_a_token_is_refused(tmp_path):
    with pytest.raises(ValueError, match="an empty token would leave the server open"):
        lab_arguments(tmp_path, port=1, token="", settings=tmp_path)


def test_every_start_has_another_token_and_says_where_to_look(monkeypatch):
    starts, said = [], []
    monkeypatch.setattr(lab, "_launch", starts.append)
    run_lab(browser=False, say=said.append)
    run_lab(browser=False, say=said.append)
    tokens = [re.search(r"token=(\S{40,})$", one, re.MULTILINE)[1] for one in said]
    assert tokens[0] != tokens[1]
    for start, token, words in zip(starts, tokens, said, strict=True):
        assert f"--IdentityProvider.token={token}" in start
        assert words.startswith(f"notebooks in {folder('notebooks')}\nopen       http://127.0.0.1:")


def test_a_checkout_opens_its_own_notebooks():
    assert notebooks_to_open() == folder("notebooks")


def test_an_installed_package_opens_a_copy_and_never_itself(wheel, tmp_path):
    opened = notebooks_to_open()
    assert opened == tmp_path / "desk" / "workbench-notebooks"
    assert [path.name for path in opened.iterdir()] == ["00_start_here.ipynb"]
    (opened / "00_start_here.ipynb").write_text("my work")
    assert notebooks_to_open() == opened
    assert (opened / "00_start_here.ipynb").read_text() == "my work"
    assert (wheel / "00_start_here.ipynb").read_text() == "{}"
    assert [path.name for path in opened.parent.iterdir()] == ["workbench-notebooks"]


def test_a_copy_can_be_had_anywhere(tmp_path):
    assert (notebooks_to_open(tmp_path / "a" / "b") / "90_camera_report.ipynb").is_file()


def test_a_folder_of_other_things_is_not_opened(tmp_path):
    (tmp_path / "letter.txt").write_text("")
    with pytest.raises(InputError) as refusal:
        notebooks_to_open(tmp_path)
    assert str(refusal.value) == f"{tmp_path}: exists and holds no notebook; name a new folder with -o"


def test_a_place_that_cannot_be_written_is_refused():
    with pytest.raises(InputError, match=r"^/proc/notebooks: cannot be written \(.*\); choose another folder with -o$"):
        notebooks_to_open("/proc/notebooks")


def test_a_port_that_is_taken_is_refused_and_without_one_a_free_one_is_found():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(InputError) as refusal:
            run_lab(port=port)
        assert str(refusal.value) == f"--port: {port} cannot be used here; name another, or leave the option out"
        assert lab._port(None) != port


def test_python3_is_this_interpreter_whatever_else_is_installed(tmp_path, monkeypatch):
    kernel = tmp_path / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps({"argv": ["/bin/false"], "display_name": "x", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    specs = ThisInterpreter()
    assert specs.get_kernel_spec("python3").argv[0] == sys.executable
    assert specs.get_all_specs()["python3"]["spec"]["argv"][0] == sys.executable


def test_jupyterlab_is_told_not_to_ask_about_news(tmp_path):
    write_settings(tmp_path)
    settings = json.loads((tmp_path / "overrides.json").read_text())
    assert settings["@jupyterlab/apputils-extension:notification"] == {"fetchNews": "false", "checkForUpdates": False}


def test_the_server_starts_asks_for_its_token_and_ends_at_ctrl_c(tmp_path):
    environment = os.environ | {"HOME": str(tmp_path), "JUPYTER_TOKEN": "", "JUPYTER_CONFIG_DIR": str(tmp_path)}
    environment["PYTHONUNBUFFERED"] = "1"
    command = [sys.executable, "-m", "workbench.cli", "lab", "--no-browser", "-o", str(tmp_path / "work")]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        said = [server.stdout.readline().strip() for _ in range(3)]
        assert said[0] == f"notebooks in {tmp_path / 'work'}"
        address = said[1].split()[1]
        _wait_for(address.replace("/lab?", "/api/status?"))
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(address.split("/lab?")[0] + "/api/contents", timeout=10)
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0
        assert "Traceback" not in server.stderr.read()
    finally:
        server.kill()
        server.communicate()


def _wait_for(address):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                assert answer.status == 200
                return
        except urllib.error.URLError:
            time.sleep(0.2)
    pytest.fail("JupyterLab did not answer within 60 s")
