"""What a file looks like from outside."""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileState:
    """What tells one content of a file from another without reading it."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    mode: int

    @classmethod
    def of(cls, stat: os.stat_result) -> "FileState":
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_mode)

    def same_content(self, other: "FileState") -> bool:
        """Whether nothing speaks for a write in between: ``chmod`` and ``ln`` change the ctime alone."""
        return (self.size, self.mtime_ns, self.inode) == (other.size, other.mtime_ns, other.inode)
