"""The package around the environment: its control files, what stands in /etc and /usr/share, and the archive itself."""

from __future__ import annotations

import email
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import time
from email.message import Message
from pathlib import Path, PurePosixPath
from string import Template

from tools.deb.tree import PLACE
from tools.deb.wheels import GLIBC, CannotBuildError
from tools.environment import ROOT

PACKAGING = ROOT / "packaging"
NAME = "edge-pneumo"
MAINTAINER = "edge-pneumo maintainers <maintainers@edge-pneumo.invalid>"
_DOC = PurePosixPath("/usr/share/doc") / NAME
_SCRIPTS = ("postinst", "prerm", "postrm")
_LICENCE = re.compile(r"(?i)(^|/)(licen[cs]e|copying|notice|authors)[^/]*$")


def assemble(root: Path, version: str, architecture: str, epoch: int) -> None:
    """Add to the environment in ``root`` all else that the package consists of. It depends on a Python served there."""
    pythons = sorted((path.name for path in (_in(root, PLACE) / "lib").glob("python3.*")), key=_minor)
    _put(PACKAGING / "edge-pneumo", root / "usr/bin/edge-pneumo", 0o755)
    _put(PACKAGING / "config.toml", root / "etc/edge-pneumo/config.toml")
    _put(ROOT / "systemd/config.toml", _in(root, _DOC / "examples/config.toml"))
    _put(PACKAGING / "lintian-overrides", root / "usr/share/lintian/overrides" / NAME)
    _write_compressed(_in(root, _DOC / "changelog.gz"), _changelog(version, epoch))
    manual = Template((PACKAGING / "edge-pneumo.1").read_text()).substitute(version=version)
    _write_compressed(root / "usr/share/man/man1/edge-pneumo.1.gz", manual)
    _write_copyright(root)
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    # Files may be linked to each other; du(1) counts them once, as dpkg's own tools do.
    size = int(
        subprocess.run(["du", "-sk", "--apparent-size", root], check=True, capture_output=True).stdout.split()[0]
    )
    control = root / "DEBIAN"
    control.mkdir()
    sums = _md5sums(root)
    values = {
        "version": version,
        "architecture": architecture,
        "maintainer": MAINTAINER,
        "size": size,
        "oldest": f"3.{_minor(pythons[0])}",
        "too_new": f"3.{_minor(pythons[-1]) + 1}",
        "glibc": ".".join(map(str, GLIBC)),
    }
    (control / "control").write_text(Template((PACKAGING / "control").read_text()).substitute(values))
    (control / "md5sums").write_text(sums)
    (control / "conffiles").write_text("/etc/edge-pneumo/config.toml\n")
    _put(PACKAGING / "triggers", control / "triggers")
    for name in _SCRIPTS:
        _put(PACKAGING / name, control / name, 0o755)


def pack(root: Path, file: Path, epoch: int, *, compressed: bool = True) -> None:
    """Make the archive; the same tree and time give the same bytes.

    Args:
        root: The tree, with its control files.
        file: The archive.
        epoch: The date of everything in it, in seconds since 1970.
        compressed: Small, which takes two minutes; else large at once, for tests.

    Raises:
        CannotBuildError: There is no dpkg-deb, or it failed.
    """
    if shutil.which("dpkg-deb") is None:
        raise CannotBuildError("there is no dpkg-deb here; build the package on Debian, Raspberry Pi OS or Ubuntu")
    for path in (root, *root.rglob("*")):
        os.utime(path, (epoch, epoch), follow_symlinks=False)
    # The largest window that xz has finds what the Pythons' libraries have in common. One thread, because several cut
    # the stream into blocks, and then the bytes depend on the machine.
    small = ("-Zxz", "-z9", "--threads-max=1") if compressed else ("-Znone",)
    command = ["dpkg-deb", "--root-owner-group", *small, "--build", str(root), str(file)]
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(epoch)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    if result.returncode:
        raise CannotBuildError(f"dpkg-deb failed ({' '.join(result.stderr.split())})")


def _write_copyright(root: Path) -> None:
    """Whose works the package carries; their licences' texts lie beside, as their wheels have them."""
    packages = min((_in(root, PLACE) / "lib").glob("python3.*")) / "site-packages"
    lines, texts = [], _in(root, _DOC / "licenses")
    for folder in sorted(packages.glob("*.dist-info")):
        fields = email.message_from_bytes((folder / "METADATA").read_bytes())
        found = [path for path in sorted(folder.rglob("*")) if path.is_file() and _LICENCE.search(path.name)]
        for path in found:
            _put(path, texts / str(fields["Name"]) / path.relative_to(folder))
        lines.append(
            f" {fields['Name']} {fields['Version']}: {_licence(fields)}" + ("" if found else " (no text in it)")
        )
    codecs = sorted({path.name for path in packages.glob("opencv_python_headless.libs/*.so*")})
    values = {"carried": "\n".join(lines), "codecs": "\n".join(f" {name}" for name in codecs)}
    text = Template((PACKAGING / "copyright").read_text()).substitute(values)
    _in(root, _DOC / "copyright").write_text(text)


def _licence(fields: Message) -> str:
    words = fields["License-Expression"] or fields["License"] or ""
    if not words or "\n" in words or len(words) > 80:
        kinds = [line.rpartition(" :: ")[2] for line in fields.get_all("Classifier", []) if line.startswith("License")]
        words = ", ".join(kinds) or words.strip().splitlines()[0]
    return str(words)


def _changelog(version: str, epoch: int) -> str:
    when = time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime(epoch))
    return f"{NAME} ({version}) stable; urgency=medium\n\n  * Version {version}.\n\n -- {MAINTAINER}  {when}\n"


def _md5sums(root: Path) -> str:
    known: dict[int, str] = {}  # by inode: most files have several names
    lines = []
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_file() and not path.is_symlink() and not name.startswith(("DEBIAN/", "etc/")):
            inode = path.stat().st_ino
            if inode not in known:
                known[inode] = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
            lines.append(f"{known[inode]}  {name}\n")
    return "".join(lines)


def _write_compressed(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def _put(source: Path, target: Path, mode: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def _in(root: Path, path: PurePosixPath) -> Path:
    return root / path.relative_to("/")


def _minor(folder: str) -> int:
    return int(folder.removeprefix("python3."))
