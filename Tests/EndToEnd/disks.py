"""Disks that are full, or fail, when a test says so."""

import errno
import os
import subprocess
import time
from pathlib import Path

from gateway import PATIENCE, ROOT

FAULTS = ROOT / "Tests/CFaults"
MEGABYTE = 1 << 20


def build_faults(folder):
    """The shared object that makes a gateway's disk fail."""
    library = Path(folder) / "disk-faults.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", f"-I{FAULTS / 'include'}", "-o", library, FAULTS / "disk.c",
                    ROOT / "Tests/EndToEnd/disk_orders.c", "-lpthread", "-ldl"], check=True)
    return library


class FailingDisk:
    """A folder whose gateway is told by its system calls what a test wants."""

    def __init__(self, folder, library):
        self.folder = Path(folder) / "data"
        self.folder.mkdir()
        self._library = library
        self._orders = Path(folder) / "orders"
        self._prepared = Path(folder) / "orders.new"

    @property
    def under(self):
        """What starts a gateway on it."""
        return ["env", f"LD_PRELOAD={self._library}", f"DISK_FOLDER={self.folder}", f"DISK_ORDERS={self._orders}"]

    def order(self, *orders):
        self.prepare(*orders)
        end = time.monotonic() + PATIENCE
        while self._orders.exists():
            assert time.monotonic() < end, "nobody takes orders"
            time.sleep(0.001)

    def prepare(self, *orders):
        """An order for a gateway that is yet to start."""
        self._prepared.write_text("\n".join(orders) + "\n")
        self._prepared.rename(self._orders)

    def fill(self, is_running=True):
        (self.order if is_running else self.prepare)(f"write 0 1000000000 {errno.ENOSPC}")

    def free(self):
        self.order(f"write 0 0 {errno.ENOSPC}")

    def fail_once(self, call):
        """The next `write` or `sync` fails, and those after it do not."""
        self.order(f"{call} 0 1 {errno.EIO}")

    def close(self):
        pass


class SmallDisk:
    """A file system of its own, with little room."""

    under = ()

    def __init__(self, folder, size=2 * MEGABYTE, options=""):
        self.folder = Path(folder) / "small"
        self.folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}{options}", "dormouse-test", self.folder],
                       check=True, capture_output=True)
        self._ballast = self.folder / "ballast"

    def fill(self, is_running=True):
        with open(self._ballast, "ab", buffering=0) as ballast:
            for size in (65_536, 1):
                try:
                    while True:
                        ballast.write(b"\0" * size)
                except OSError as error:
                    assert error.errno == errno.ENOSPC

    def free(self):
        self._ballast.unlink()

    def close(self):
        subprocess.run(["umount", "-l", self.folder], check=True)


def can_mount(folder):
    """Whether this process may mount file systems: root, and not in a container without the right to it."""
    if os.geteuid() != 0:
        return False
    try:
        probe = SmallDisk(folder)
    except (subprocess.CalledProcessError, FileNotFoundError):
        return False
    probe.close()
    return True
