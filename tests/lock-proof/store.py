"""A store in a folder of its own: worked on, and judged by what its users were told."""
import pathlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

# Longer than any work takes that is not stuck.
PATIENCE = 120


@dataclass
class Worked:
    """How the work ended, and what its users were told."""

    returncode: int
    told: str
    said: str

    @property
    def lines(self):
        return self.told.splitlines()

    @property
    def granted(self):
        return sum(line.startswith("granted ") for line in self.lines)

    @property
    def unknown(self):
        return sum(line.startswith("unknown ") for line in self.lines)

    @property
    def was_killed(self):
        """strace ends as what it traced did."""
        return self.returncode in (-9, 137)


class Store:
    """Use it in a `with`; `tool` is the program, `top` where the folder is made."""

    def __init__(self, tool, top, rounds):
        self.tool, self.rounds = str(tool), str(rounds)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="store-", dir=top))
        self.file = self.folder / "dlm/locks.db"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def work(self, *before, how="work"):
        done = subprocess.run([*before, self.tool, how, self.file, self.rounds], capture_output=True, text=True,
                              errors="replace", timeout=PATIENCE)
        return Worked(done.returncode, done.stdout, done.stderr)

    def wrong(self, told):
        """What is not as these lines say, once the store is opened again; nothing if all is well."""
        done = subprocess.run([self.tool, "judge", self.file], input=told, capture_output=True, text=True,
                              errors="replace", timeout=PATIENCE)
        if done.returncode == 0:
            return []
        return done.stdout.splitlines() or [f"the judge ended with {done.returncode}: {done.stderr[-400:]}"]
