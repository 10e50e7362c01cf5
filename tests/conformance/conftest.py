"""The sites that outside judges judge, and the judges."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from judged import Run, Site, write_small_site

from mirror.formats.root import Root


@pytest.fixture(scope="session", params=["formats", "demo"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Return a site to judge: one made of the formats alone, one that the real command wrote."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "formats":
        return write_small_site(folder)
    mirror = Path(sys.executable).with_name("mirror")
    subprocess.run([mirror, "demo", "--once", "--out", folder / "d"], check=True, timeout=120)
    root = Root.parse((folder / "d" / "root" / "1.root.json").read_bytes())
    return Site(folder / "d" / "site", root)


@pytest.fixture
def changed(site: Site, tmp_path: Path) -> Callable[[Path], Path]:
    """Return a function that copies a file of the site and changes one byte of the copy."""

    def change(path: Path) -> Path:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        copy = tmp_path / path.name
        copy.write_bytes(data)
        return copy

    return change


@pytest.fixture(scope="session")
def run() -> Run:
    """Return a function that runs a tool, or skips the test if it is not installed."""

    def run(tool: str, *args: object, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
        return subprocess.run(
            [tool, *map(str, args)], input=stdin, capture_output=True, check=False, timeout=60
        )

    return run


@pytest.fixture(scope="session")
def judge(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program in `go/`, built outside the tree; skip if its one module is not here."""
    folder = Path(__file__).parent / "go"
    program = tmp_path_factory.mktemp("go") / "judge"
    environment = pytest.MonkeyPatch()
    environment.setenv("GOFLAGS", "-mod=readonly")  # go.mod and go.sum are what was reviewed
    environment.setenv("GOTOOLCHAIN", "local")
    environment.setenv("GOWORK", "off")
    try:
        fetched = run("go", "-C", folder, "mod", "download")
        if fetched.returncode:
            pytest.skip(f"the Go module is neither cached nor to be had: {fetched.stderr.decode()}")
        built = run("go", "-C", folder, "build", "-o", program, ".")
    finally:
        environment.undo()
    assert built.returncode == 0, built.stderr.decode()
    assert os.access(program, os.X_OK)
    return program
