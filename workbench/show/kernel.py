"""The kernel that runs the notebooks: this very interpreter, whatever kernels the user has installed."""

from __future__ import annotations

from subprocess import DEVNULL
from typing import Any

from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from traitlets import default


class ThisInterpreter(KernelSpecManager):
    """Kernel specs in which ``python3`` is the interpreter that the workbench runs in.

    Another environment may have left a ``python3`` in the user's folder that knows nothing of the workbench.
    """

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the spec of a kernel by its name."""
        if kernel_name.lower() == NATIVE_KERNEL_NAME:
            return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())
        return super().get_kernel_spec(kernel_name)


class ThisInterpreterKernel(AsyncKernelManager):
    """Starts kernels from :class:`ThisInterpreter`."""

    def start_kernel(self, **rest: Any) -> Any:
        """Start the kernel; what it writes past the notebook, as when it is killed while it starts, is not shown."""
        return super().start_kernel(stdout=DEVNULL, stderr=DEVNULL, **rest)

    @default("kernel_spec_manager")
    def _this_interpreter(self) -> ThisInterpreter:
        return ThisInterpreter(parent=self)
