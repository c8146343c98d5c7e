"""``import workbench`` is quick and pulls in nothing heavy."""

import json
import subprocess
import sys

import pytest

HEAVY = ("matplotlib", "numba", "ipywidgets", "dask", "xarray", "astropy", "pandas", "scipy")


def loaded_after(statement: str) -> set[str]:
    code = f"import json, sys\n{statement}\nprint(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_import_workbench_loads_nothing_heavy():
    assert loaded_after("import workbench").isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "module", ["frames.catalogue", "frames.load", "camera.session", "stack.variance", "measure.survey"]
)
def test_measuring_needs_no_pictures(module):
    assert loaded_after(f"import workbench.{module}").isdisjoint({"matplotlib", "numba", "ipywidgets", "IPython"})


def test_inspecting_needs_neither_xarray_nor_scipy():
    assert loaded_after("import workbench.frames.catalogue").isdisjoint({"xarray", "dask", "scipy", "matplotlib"})


def test_public_names_are_found_on_first_use():
    import workbench

    for name in workbench.__all__:
        assert getattr(workbench, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        workbench.nothing  # noqa: B018
