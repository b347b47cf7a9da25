"""The power is cut while disco works: at every flush, and at random moments with half of what was not flushed lost."""
import contextlib
import os
import random
import shutil
import threading
from dataclasses import dataclass, field

import calls
import disks
import judge
import node
from bench import succeed


@dataclass
class Recording:
    """What was asked of the disks while something ran; `done` records were, when it ended."""

    disks: disks.Disks
    records: list
    done: int


@dataclass
class Found:
    """How the states of one recording were."""

    states: int = 0
    counts: dict = field(default_factory=lambda: {"before": 0, "after": 0, "broken": 0})
    # What was not as it must be: the cut and the verdict.
    wrong: list = field(default_factory=list)


@contextlib.contextmanager
def somebody_syncs(root):
    """Another program writes files of its own to both file systems and syncs them, again and again: so that journals are
    written at every moment of what is recorded, and not only when disco asks for it."""
    over = threading.Event()

    def work():
        while not over.wait(0.002):
            for folder in (root / "tmp", root / "second/tmp"):
                with open(folder / "somebody", "wb", buffering=0) as file:
                    file.write(b"x" * 100)
                    os.fsync(file.fileno())

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Cuts:
    """The cuts of one bench; `tell` hears of each."""

    def __init__(self, bench, program, pool, tell):
        self.bench, self.program, self.pool, self.tell = bench, program, pool, tell
        self.boot = bench.work / "boot"
        self.boot.write_text("00000000-0000-4000-8000-000000000000\n")

    def record(self, system, work, company):
        """Does the work on disks of that kind, with somebody who syncs or without, and writes down what is asked of them."""
        folder = self.bench.folder("cut")
        made = disks.Disks(folder / "made", system)
        made.make(self.bench.template)
        if work.lay:
            with made.mounted(made.images, folder / "laid", self.bench.given) as one:
                one.lay_mounts()
                work.lay(self.bench, one)
            node.settle(made.images)
        copies = made.copies(folder / "recorded")
        with disks.Server(self.program, folder, copies) as server:
            with made.mounted(server.served, folder / "node", self.bench.given) as one:
                one.lay_mounts()
                with somebody_syncs(one.root) if company else contextlib.nullcontext():
                    work.run(self.bench, one)
                    done = server.asked()
            # The loop devices go when the last user of the mounts has.
            node.settle(server.served)
        return Recording(made, disks.read_log(server.log), done)

    def cuts(self, recording, seed, count, flushes=None):
        """The cuts of a recording: at `flushes` of the flushes (all without), at so many random moments, and some at the end
        of what was recorded."""
        chance = random.Random(seed)
        bounds = disks.flushes(recording.records)
        exact = bounds if flushes is None else calls.spread(bounds, flushes)
        cuts = [disks.Cut(end) for end in exact]
        cuts += [disks.Cut(chance.randint(1, recording.done), chance.getrandbits(32)) for _ in range(count)]
        cuts += [disks.Cut(recording.done, chance.getrandbits(32)) for _ in range(3)]
        return sorted(cuts, key=lambda cut: (self.start(recording, cut), cut.end))

    def start(self, recording, cut):
        """How far all of a cut's disks are written for sure: the replay only goes forward."""
        if cut.seed is None:
            return cut.end
        return min(disks.last_flush(recording.records, image, cut.end) for image in range(2))

    def judge(self, recording, cuts, work):
        """What disco, or nobody, makes of each cut."""
        found, folder = Found(), self.bench.folder("replay")
        replay = disks.Replay(recording.disks.copies(folder / "rolling"), recording.records)
        room, waiting = threading.Semaphore(4), []
        for at, cut in enumerate(cuts):
            room.acquire()
            images = replay.state(cut, folder / f"state-{at}")
            one = self.pool.submit(self.state, recording, images, work)
            one.add_done_callback(lambda _: room.release())
            waiting.append((cut, one))
        for cut, one in waiting:
            verdict = one.result()
            if cut.end >= recording.done and verdict.state != work.ends:
                verdict.why.append(f"it had ended, and must be as {work.ends}")
            found.states += 1
            found.counts[verdict.state] += 1
            if not verdict.is_good:
                found.wrong.append((cut, verdict))
            if work.is_discos:
                self.tell(f"{recording.disks.system.name}, {work.name}, {cut}", verdict)
        shutil.rmtree(folder)
        return found

    def state(self, recording, images, work):
        """The verdict on one state of the disks."""
        folder = images[0].parent
        try:
            with recording.disks.mounted(images, folder / "node", self.bench.given) as one:
                one.lay_mounts(self.boot)
                if not work.is_discos:
                    return judge.seen(one, self.bench.merging, apart=("time",))
                return judge.recovered(one, self.bench.undoing if work.undoes else self.bench.merging, work.ends)
        except RuntimeError as error:
            return judge.Verdict("broken", [f"it cannot be mounted: {error}"])
        finally:
            for image in images:
                image.unlink()


@dataclass(frozen=True)
class Work:
    """What is recorded: `run` does it on a node that `lay` has brought to where it begins; how the tree is when it has ended."""

    name: str
    run: object
    ends: str = "after"
    lay: object = None
    is_discos: bool = True
    undoes: bool = False


def succeeds(*argv):
    return lambda _, one: succeed(one, argv)


def killed_half_way(bench, one):
    """A merge that is killed while it brings what is new to its places."""
    with bench.node() as other:
        renames = [call for call in calls.of(other, ["renameat2"], *judge.MERGE, since="")]
    done = one.disco(*judge.MERGE, before=calls.killing(renames[len(renames) // 2]))
    if not calls.was_killed(done):
        raise RuntimeError(f"a merge was not killed: {done.stdout}{done.stderr}")


def by_hand(bench, one):
    """The same without disco, as plain commands do it."""
    node.run("bash", node.HERE / "change.sh", one.root, str(bench.size))


BY_HAND = "by hand"
WORKS = [
    Work("merge", succeeds(*judge.MERGE)),
    Work("recovery", succeeds(*judge.RECOVER), lay=killed_half_way),
    Work("undo", succeeds(*judge.UNDO), ends="before", lay=succeeds(*judge.MERGE), undoes=True),
    Work(BY_HAND, by_hand, is_discos=False),
]
