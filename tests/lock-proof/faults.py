"""What is done to a store: kills and errors at its system calls, a full disk, a log that is torn."""
import pathlib
import random
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "merge-proof"))

import calls
import node
from store import Store

# What the work asks of the system, and what can fail of it: what changes something, and what reads the file.
CHANGING = calls.CHANGING + ["fcntl", "munmap", "mmap"]
READING = ["pread64", "newfstatat", "fstat", "statx", "lseek"]
# The store never calls write: that is what the work prints.
FAILING = [name for name in calls.CHANGING if name != "write"]
ERRORS = {"EIO": FAILING + READING, "ENOSPC": FAILING}
# The size of the disk that becomes full, and how many rounds of work are too many for it.
SMALL, ROUNDS = "700k", 400


class Faults:
    """Faults of stores made by `tool` below `top`; `tell` hears of each verdict."""

    def __init__(self, tool, top, pool, tell, rounds):
        self.tool, self.top, self.pool, self.tell, self.rounds = tool, top, pool, tell, rounds

    def store(self, rounds=None, top=None):
        return Store(self.tool, top or self.top, rounds or self.rounds)

    def calls(self, names):
        """The calls of these names that the work makes, from the first on that is about its folder. Not its printing."""
        with self.store() as one:
            log = one.folder / "strace"
            done = one.work(*calls.trace(names, "--seccomp-bpf", f"--output={log}"))
            if done.returncode or "closed" not in done.lines:
                raise RuntimeError(f"the work ended with {done.returncode}: {done.told}{done.said}")
            found = calls.distinct(calls.parse(log.read_text(errors="replace"), str(one.folder)))
        return [call for call in found if not (call.name == "write" and call.text.startswith("1, "))]

    def kills(self, most):
        """The work killed at each of the calls that change something. How many calls there are, and the verdicts."""
        found = [call for call in self.calls(CHANGING) if call.name in ("fcntl", "munmap", "mmap") or call.changes]
        wanted = calls.spread(found, most)
        return len(found), list(self.pool.map(self.killed, wanted))

    def killed(self, call):
        with self.store() as one:
            done = one.work(*calls.killing(call))
            wrong = one.wrong(done.told)
        # Who asks together comes in any order, so a run can have fewer of a call than the one that was counted.
        if not done.was_killed and "closed" not in done.lines:
            wrong.append(f"it was not killed, and ended with {done.returncode}: {done.said[-300:]}")
        self.tell(f"killed at {call}", wrong)
        return "killed" if done.was_killed else "ended before", done, wrong

    def errors(self, error, most):
        """The work with one call failing, each in its turn."""
        found = [call for call in self.calls(ERRORS[error]) if call.changes or call.name in READING]
        wanted = calls.spread(found, most)
        return len(found), list(self.pool.map(lambda call: self.failed(call, error), wanted))

    def failed(self, call, error):
        with self.store() as one:
            done = one.work(*calls.failing(call, error))
            wrong = one.wrong(done.told)
        # Calls are counted by thread, so one can be the loader's, before there is any program.
        unopened = done.returncode == 127 or any(line.startswith("unopened ") for line in done.lines)
        if not unopened:
            # One failure is not for ever: something is answered in the last round, whatever failed in it.
            last = (f"host host{self.rounds - 1}", f"granted lock{self.rounds - 1}-")
            if not any(line.startswith(last) for line in done.lines):
                wrong.append(f"it did not work to its end: {done.told[-300:]}{done.said[-300:]}")
            if done.returncode:
                wrong.append(f"it ended with {done.returncode}: {done.said[-300:]}")
        self.tell(f"{call} fails with {error}", wrong)
        kind = "refused to open" if unopened else "answered unknown" if done.unknown else "answered all"
        return kind, done, wrong

    def full(self):
        """A disk that becomes full under the work, and has room again."""
        small = pathlib.Path(self.top) / "small"
        small.mkdir()
        node.mount("-t", "tmpfs", "-o", f"mode=700,size={SMALL}", "lock-proof", small)
        try:
            with self.store(ROUNDS, small) as one:
                worker = subprocess.Popen([self.tool, "work", one.file, one.rounds], stdout=subprocess.PIPE, text=True)
                told, room = [], None
                for line in worker.stdout:
                    told.append(line)
                    if line.startswith("unknown ") and room is None and sum(map(lambda l: l.startswith("unknown "), told)) > 20:
                        node.run("mount", "-o", "remount,size=64m", str(small))
                        room = len(told)
                worker.wait(timeout=60)
                wrong = one.wrong("".join(told))
                before = sum(line.startswith("granted ") for line in told[:room])
                after = sum(line.startswith("granted ") for line in told[room or 0:])
                if room is None or not before or not after:
                    wrong.append(f"it was never full, or never worked again: {before} and {after} grants, {room}")
                if worker.returncode:
                    wrong.append(f"it ended with {worker.returncode}")
            unknown = sum(line.startswith("unknown ") for line in told)
        finally:
            node.run("umount", str(small))
        self.tell("a full disk", wrong)
        return {"before": before, "unknown": unknown, "after": after, "wrong": len(wrong)}

    def torn(self, count, seed):
        """The log cut at a random byte, or with a random byte changed; what was answered before that place must be there."""
        with self.store() as one:
            done = one.work(how="torn")
            folder = one.file.parent
            length = (folder / "locks.db-wal").stat().st_size
            chance = random.Random(seed)
            places = sorted(chance.randrange(length) for _ in range(count))
            return [self.one_torn(folder, done, place, chance.choice(["cut", "changed"])) for place in places]

    def one_torn(self, folder, done, place, how):
        kept = []
        for line in done.lines:
            said, _, length = line.rpartition(" log ")
            # What is being released or deleted may be, wherever the log ends.
            if said.startswith(("releasing", "deleting")) or int(length) <= place:
                kept.append(said + "\n")
        with self.store() as one:
            one.file.parent.mkdir()
            shutil.copy(folder / "locks.db", one.file)
            log = bytearray((folder / "locks.db-wal").read_bytes())
            if how == "cut":
                del log[place:]
            else:
                log[place] ^= 0x55
            pathlib.Path(f"{one.file}-wal").write_bytes(log)
            wrong = one.wrong("".join(kept))
        self.tell(f"the log {how} at {place}", wrong)
        return sum(line.startswith("granted ") for line in kept), wrong
