"""The real files that every client copies, and how two copies of them are compared."""

import hashlib
import random
import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024
SMALL_FILES = 120
SMALL_BYTES_MAX = 256 * 1024
LARGE_BYTES = {"five-and-a-bit.bin": 5 * MIB + 1, "twenty.bin": 20 * MIB, "forty-one.bin": 41 * MIB + 123}
ODD_NAMES = (
    "a b/c d.txt",
    "a+b/plus+plus.txt",
    "a-b/before-the-slash.txt",
    "a/after-the-hyphen.txt",
    "a.txt",
    "umlaut-äöü/straße.txt",
    "percent/100%25.txt",
    "and&so=on.txt",
    "parens (1) [2].txt",
    "quote's.txt",
    "comma,semi;colon.txt",
    "at@tilde~bang!.txt",
    "日本語/ファイル.txt",
)


@dataclass(frozen=True)
class FileTree:
    """A folder and the SHA-256 of every file in it, by its path below the folder."""

    root: Path
    digests: dict[str, str]

    def size_bytes(self, name: str) -> int:
        """Return the size of one file."""
        return (self.root / name).stat().st_size


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests_below(root: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below `root`, by its path below it."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): digest_of(path) for path in files}


def make_tree(root: Path) -> FileTree:
    """Fill `root` with documents of this machine, files with difficult names, an empty file and a few large ones."""
    for source, name in _documents():
        target = root / "documents" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    for name in ODD_NAMES:
        target = root / "odd" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f"The name of this file is {name}\n", encoding="utf-8")
    (root / "odd" / "empty").touch()
    seeded = random.Random(20)
    for name, size_bytes in LARGE_BYTES.items():
        target = root / "large" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(seeded.randbytes(size_bytes))
    return FileTree(root, digests_below(root))


def _documents() -> list[tuple[Path, str]]:
    """Pick the same files on every run: the first ones in order, from the first place that has enough of them."""
    for place in (Path("/usr/share/doc"), Path(sysconfig.get_path("stdlib"))):
        found = [path for path in sorted(place.rglob("*")) if path.is_file() and not path.is_symlink()]
        fitting = [path for path in found if 0 < path.stat().st_size <= SMALL_BYTES_MAX]
        if len(fitting) >= SMALL_FILES:
            step = len(fitting) // SMALL_FILES
            return [(path, path.relative_to(place).as_posix()) for path in fitting[::step][:SMALL_FILES]]
    raise FileNotFoundError("no folder with enough real files on this machine")
