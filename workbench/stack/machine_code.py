"""A loop that runs without Numba once it has been compiled: its machine code is kept on disk and called as C is.

To import Numba and to have it read its own cache takes longer than to combine twenty frames. What is kept here is read
by llvmlite alone, in a few milliseconds. The price: a loop takes one record of numbers and addresses, returns a whole
number, and neither makes arrays nor raises.
"""

from __future__ import annotations

import ctypes
import hashlib
import re
from contextlib import suppress
from functools import cached_property
from importlib import import_module
from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING, Any

import llvmlite
import llvmlite.binding as llvm

from workbench.errors import InputError
from workbench.frames.whole_file import whole_file
from workbench.stack.code_folder import code_folder

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MachineCode"]

_SYMBOL = "loop"
_FROM_C = frozenset({"memcpy", "memmove", "memset", "sqrt", "fma"})  # what loops may call of the C library
_NEVER_CALLED = re.compile(r"Py[A-Z_]\w*|numba_\w+|NRT_Free|NRT_MemInfo_call_dtor")  # by what does not raise
_DIGEST = hashlib.sha256().digest_size


class MachineCode:
    """A loop of the workbench, compiled when it is first called on a machine, and read from the disk from then on.

    Calling it raises TypeError where the record is of another type, or the loop cannot be kept.

    Parameters
    ----------
    module, name
        Where the loop is written: a function of a pointer to one record, from which it returns an int64.
    record
        The type of that record, of numbers and of addresses (uint64).

    Examples
    --------
    ::

        combine_tiles = MachineCode("workbench.stack.fast_loops", "combine_tiles", JOB)
        combine_tiles(job)  # of shape (), without Python's lock
    """

    def __init__(self, module: str, name: str, record: np.dtype) -> None:
        self._module, self._name, self._record = module, name, record
        self._lock = Lock()

    def __call__(self, job: NDArray[Any]) -> int:
        """Run the loop without Python's lock; whoever calls keeps the arrays alive that the record names."""
        if job.dtype != self._record:
            raise TypeError(f"{self._name} takes a record of {self._record}, not of {job.dtype}")
        with self._lock:
            function = self._function
        return int(function(job.ctypes.data))

    @cached_property
    def _function(self) -> Any:
        machine = _machine()
        kept = self._kept()
        code = _read(kept)
        if code is None:
            code = self._compile(machine)
            _keep(code, kept)
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)  # which owns the code
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(self._engine.get_function_address(_SYMBOL))

    def _kept(self) -> Path | None:
        """Return where the code is kept that this processor runs, made by these versions of its compilers."""
        folder = code_folder()
        features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten(), llvm.get_default_triple()
        compilers = llvmlite.__version__, version("numba")  # which is not imported for it
        loop = self._module, self._name, self._record.descr
        made_by = hashlib.sha256(repr((*features, *compilers, *loop)).encode()).hexdigest()[:12]
        return None if folder is None else folder / f"{self._name}-{made_by}.code"

    def _compile(self, machine: llvm.TargetMachine) -> bytes:
        from numba import cfunc, from_dtype, types  # takes longer than what it is for, as a rule  # noqa: PLC0415

        written = getattr(import_module(self._module), self._name)
        signature = types.int64(types.CPointer(from_dtype(self._record)))  # type: ignore[no-untyped-call]
        loop = cfunc(signature, error_model="numpy")(written)
        module = llvm.parse_assembly(loop.inspect_llvm())
        module.get_function(loop.native_name).name = _SYMBOL
        module.link_in(llvm.parse_assembly(_stubs(self._name, module)))
        module.verify()
        code: bytes = machine.emit_object(module)
        return code


def _machine() -> llvm.TargetMachine:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    features = llvm.get_host_cpu_features().flatten()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=3, codemodel="jitdefault", jit=True
    )


def _stubs(name: str, module: llvm.ModuleRef) -> str:
    """Write what stands in for Python, which a loop calls where it raises: these do not, and would end the process."""
    missing = [one.name for one in module.functions if one.is_declaration and not one.name.startswith("llvm.")]
    stubs = sorted({*missing} - _FROM_C)
    unknown = [one for one in stubs if not _NEVER_CALLED.fullmatch(one)]
    if unknown:
        raise TypeError(f"{name} calls {', '.join(unknown)}: a kept loop makes no arrays and needs no library")
    return "\n".join(
        [
            "declare void @llvm.trap()",
            *(f'define void @"{one}"() {{ call void @llvm.trap() unreachable }}' for one in stubs),
            *(f'@"{one.name}" = global ptr null' for one in module.global_variables if one.is_declaration),
        ]
    )


def _read(file: Path | None) -> bytes | None:
    """Return the code that is kept, None where there is none or it is damaged."""
    if file is None:
        return None
    try:
        kept = file.read_bytes()
    except OSError:
        return None
    digest, code = kept[:_DIGEST], kept[_DIGEST:]
    return code if digest == hashlib.sha256(code).digest() else None


def _keep(code: bytes, file: Path | None) -> None:
    """Write code whole or not at all; where that fails, the next process compiles once more."""
    if file is None:
        return
    with suppress(InputError), whole_file(file) as part:
        part.write_bytes(hashlib.sha256(code).digest() + code)
