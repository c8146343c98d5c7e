import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import workbench
from workbench import resources
from workbench.errors import InputError

PACKAGE = Path(workbench.__file__).parent


def test_a_checkout_keeps_its_folders_beside_the_package():
    assert resources.folder("notebooks") == PACKAGE.parent / "notebooks"
    assert resources.folder("data_manifests") == PACKAGE.parent / "data_manifests"


def lay_out(root: Path, *, inside: bool) -> Path:
    package = root / "workbench"
    package.mkdir()
    for name in ("__init__.py", "errors.py", "resources.py"):
        shutil.copy(PACKAGE / name, package)
    notebooks = (package if inside else root) / "notebooks"
    notebooks.mkdir()
    return notebooks


def found_by_the_copy(root: Path) -> subprocess.CompletedProcess[str]:
    command = "from workbench.resources import folder; print(folder('notebooks'))"
    return subprocess.run([sys.executable, "-c", command], cwd=root, capture_output=True, text=True, check=False)


def test_an_installed_package_carries_its_folders_inside(tmp_path):
    notebooks = lay_out(tmp_path, inside=True)
    assert found_by_the_copy(tmp_path).stdout.strip() == str(notebooks)


def test_the_folder_inside_wins_over_one_beside(tmp_path):
    notebooks = lay_out(tmp_path, inside=True)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "pyproject.toml").touch()
    assert found_by_the_copy(tmp_path).stdout.strip() == str(notebooks)


def test_another_packages_folder_beside_an_installed_one_is_not_ours(tmp_path):
    lay_out(tmp_path, inside=False)
    expected = "notebooks: is in neither the installed package nor a checkout"
    assert expected in found_by_the_copy(tmp_path).stderr


def test_a_folder_that_is_nowhere_is_named():
    with pytest.raises(InputError) as caught:
        resources.folder("darkroom")
    expected = "darkroom: is in neither the installed package nor a checkout; install dark-frame-workbench again"
    assert str(caught.value) == expected
