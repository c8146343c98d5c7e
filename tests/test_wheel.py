"""A built wheel, installed without the checkout, holds notebooks and manifests and runs."""

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("pyproject.toml", "README.md", "LICENSE", "workbench", "notebooks", "data_manifests")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    # built from a copy: a build leaves its traces beside what it builds
    copy = tmp_path_factory.mktemp("checkout")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, copy / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(source, copy / part)
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(out), str(copy)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return next(out.glob("*.whl"))


def test_notebooks_and_manifests_are_in_the_wheel(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("notebooks", "data_manifests"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "checkpoint" not in str(path):
                assert f"workbench/{path.relative_to(ROOT)}" in names
    assert "workbench/results.schema.json" in names
    assert "workbench/show/report.css" in names


def test_an_installed_wheel_reports_without_the_checkout(wheel, tmp_path):
    """In an environment that borrows its libraries, but not the workbench, from this one."""
    place = tmp_path / "environment"
    venv.create(place, with_pip=False)
    libraries = next(path for path in sys.path if path.endswith("site-packages"))
    site = next((place / "lib").glob("python*/site-packages"))
    zipfile.ZipFile(wheel).extractall(site)
    (site / "borrowed.pth").write_text(libraries + "\n", encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment["JUPYTER_PATH"] = str(Path(sys.prefix) / "share" / "jupyter")  # the borrowed libraries' own files
    python = str(place / "bin" / "python")
    where = "import workbench, workbench.resources as r; print(workbench.__file__, r.folder('notebooks'))"
    shared = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True}
    found = subprocess.run([python, "-c", where], **shared, check=True)
    package, notebooks = found.stdout.split()
    assert Path(package).is_relative_to(site)
    assert Path(notebooks) == Path(package).parent / "notebooks"

    command = [python, "-m", "workbench", "report", "-o", "out"]
    done = subprocess.run(command, **shared, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "pixels",
        "report.html",
        "report.ipynb",
        "results.json",
    ]
    assert "electron / adu" in done.stdout
