"""A repository on this disk, written to as git itself would."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

from dulwich.client import LocalGitClient, SendPackResult
from dulwich.object_format import DEFAULT_OBJECT_FORMAT
from dulwich.objects import ZERO_SHA, ObjectID
from dulwich.pack import write_pack_data, write_pack_index
from dulwich.refs import Ref
from dulwich.repo import OBJECTDIR, Repo

from mirror.files import sync_folder

if TYPE_CHECKING:
    from dulwich.client import GeneratePackDataFunc

MODE = 0o444  # git's own of a pack and its index: neither ever changes

T = TypeVar("T")


class Client(LocalGitClient):
    """A client whose push costs what is sent, and is on the disk when it returns.

    Dulwich's own hashes the names in all packs that are there, in case the new one is among them
    (0.5 s beside 100,000 files), and leaves it to the system when a pack is on the disk.
    """

    def send_pack(
        self,
        path: str | bytes,
        update_refs: Callable[[dict[Ref, ObjectID]], dict[Ref, ObjectID]],
        generate_pack_data: "GeneratePackDataFunc",
        progress: Callable[[bytes], None] | None = None,
        push_options: Sequence[bytes] | None = None,
        atomic: bool = False,
    ) -> SendPackResult:
        """Write all objects, then the branches; say which were changed by others meanwhile."""
        with Repo(os.fsdecode(path)) as repository:
            old = repository.get_refs()
            new = update_refs(dict(old))
            _keep(Path(repository.commondir()) / OBJECTDIR / "pack", generate_pack_data)
            status: dict[bytes, str | None] = {}
            for name, commit in new.items():
                if not repository.refs.set_if_equals(name, old.get(name, ZERO_SHA), commit):
                    status[name] = "changed meanwhile"
                sync_folder(Path(repository.commondir(), os.fsdecode(name)).parent)
        return SendPackResult({**new}, ref_status=status)


def _keep(folder: Path, generate: "GeneratePackDataFunc") -> None:
    """Add a pack. Git sees it once its index is there, and minds nothing that it has twice."""
    count, objects = generate(set(), set(), ofs_delta=True)

    def pack(file: IO[bytes]) -> tuple[dict[bytes, tuple[int, int]], bytes]:
        return write_pack_data(file.write, objects, DEFAULT_OBJECT_FORMAT, num_records=count)

    written, (found, checksum) = _written(folder, pack)
    entries = sorted((id_, offset, crc) for id_, (offset, crc) in found.items())
    index, _ = _written(folder, lambda file: write_pack_index(file, entries, checksum))
    base = folder / f"pack-{checksum.hex()}"
    written.replace(f"{base}.pack")
    index.replace(f"{base}.idx")
    sync_folder(folder)


def _written(folder: Path, write: Callable[[IO[bytes]], T]) -> tuple[Path, T]:
    """Return a new file that is on the disk, with what `write` writes; git removes any left."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix="tmp_", delete=False) as file:
        try:
            result = write(file)
            file.flush()
        except OSError:  # a full disk must not be kept full
            Path(file.name).unlink()
            raise
        os.fchmod(file.fileno(), MODE)
        os.fsync(file.fileno())
    return Path(file.name), result
