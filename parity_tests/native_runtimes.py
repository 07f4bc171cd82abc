"""Where the examples' compilers and libraries are: ONNX Runtime for C++ and for Node."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import onnxruntime
from native_headers import HEADER, NoHeadersError, fetch_headers

__all__ = ["EXAMPLES", "MissingHereError", "build_cpp", "prepare_node"]

EXAMPLES = Path(__file__).parents[1] / "examples"
_DATA = Path(__file__).parents[1] / ".data"
_NODE_CACHE = _DATA / "node"
_INCLUDES = (
    *("/usr/include", "/usr/local/include"),
    *("/usr/include/onnxruntime", "/usr/local/include/onnxruntime"),
    *("/usr/include/onnxruntime/core/session", "/usr/local/include/onnxruntime/core/session"),
)
_NPM_TIMEOUT_S = 240


class MissingHereError(Exception):
    """This machine lacks a compiler or a library; the message says which."""


def build_cpp(folder: Path, name: str = "track") -> list[str]:
    """Compile examples/cpp/NAME.cpp in ``folder``; the command that runs it.

    The headers are those of ``ONNXRUNTIME_INCLUDE``, else the system's, else Debian's, downloaded
    into ``.data``; the library is the one inside the Python package, whose C API serves older
    headers.

    Raises:
        MissingHereError: there is no compiler, header or library.
        RuntimeError: it does not compile.
    """
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        raise MissingHereError("there is no C++ compiler")
    include = _find_headers()
    capi = Path(onnxruntime.__file__).parent / "capi"
    library = next(iter(sorted(capi.glob("libonnxruntime.so.*"))), None)
    if library is None:
        raise MissingHereError(f"there is no libonnxruntime.so in {capi}")
    # The name that the linker writes down: there is no link of it beside the library.
    (folder / "libonnxruntime.so.1").symlink_to(library)
    program = folder / name
    command = [compiler, "-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", f"-isystem{include}"]
    command += [str(EXAMPLES / "cpp" / f"{name}.cpp"), str(library), f"-Wl,-rpath,{folder}"]
    done = subprocess.run([*command, "-o", str(program)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return [str(program)]


def _find_headers() -> Path:
    given = os.environ.get("ONNXRUNTIME_INCLUDE")
    if given is not None and not (Path(given) / HEADER).is_file():
        raise RuntimeError(f"ONNXRUNTIME_INCLUDE is {given}, where there is no {HEADER}.")
    for folder in (given, *_INCLUDES):
        if folder is not None and (Path(folder) / HEADER).is_file():
            return Path(folder)
    try:
        return fetch_headers(_DATA / "onnxruntime")
    except NoHeadersError as error:
        text = f"there is no {HEADER} ({error}); set ONNXRUNTIME_INCLUDE to its folder"
        raise MissingHereError(text) from None


def prepare_node() -> list[str]:
    """The command that runs examples/node; npm brings onnxruntime-node once, into ``.data``.

    Raises:
        MissingHereError: there is no node or npm, or the registry cannot be reached.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise MissingHereError("there is no node, or no npm")
    _NODE_CACHE.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "track.js"):
        shutil.copyfile(EXAMPLES / "node" / name, _NODE_CACHE / name)
    if not (_NODE_CACHE / "node_modules" / "onnxruntime-node" / "package.json").is_file():
        # Its install script fetches CUDA libraries, which this has no use for.
        command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        try:
            done = subprocess.run(
                command, cwd=_NODE_CACHE, capture_output=True, text=True, timeout=_NPM_TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            raise MissingHereError("npm did not answer in time") from None
        if done.returncode:
            reason = " ".join(done.stderr.split())[-300:]
            raise MissingHereError(f"npm cannot bring onnxruntime-node: {reason}")
    return [node, str(_NODE_CACHE / "track.js")]
