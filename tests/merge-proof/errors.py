"""A system call of a merge fails, each in its turn: the node is as before or as after, and disco says what failed."""
import re
from collections import Counter
from dataclasses import dataclass, field

import calls
import judge

# Which errors which calls are given: what a broken disk says of any, and what a full one says of those that need room.
EVERY, ROOM = "EIO", "ENOSPC"
# A few of each of these.
RARE, FEW = ["EROFS", "EDQUOT"], 40
# How many of the calls that only look are failed in a full run.
LOOKS = 500
# A path, or the name of what has none.
NAMED = re.compile(r"(^|[\s'\"`(])/[^\s]*|\b(proof|second|var|plan)/|standard output")


@dataclass
class Found:
    """How it was with one error."""

    counts: Counter = field(default_factory=Counter)
    wrong: list = field(default_factory=list)


class Errors:
    """The errors of one bench; `tell` hears of each."""

    def __init__(self, bench, pool, tell):
        self.bench, self.pool, self.tell = bench, pool, tell

    def wanted(self, most=None):
        """Error -> the calls that it is given to, at most so many of them that change something, and as many that look."""
        with self.bench.node() as one:
            found = calls.of(one, calls.CHANGING + calls.LOOKING, *judge.MERGE)
        changing = [call for call in found if call.changes]
        looking = [call for call in found if not call.changes]
        some = calls.spread(changing, most)
        wanted = {EVERY: some + calls.spread(looking, most or LOOKS), ROOM: some}
        return wanted | {error: calls.spread(changing, min(most or FEW, FEW)) for error in RARE}

    def each(self, error, these):
        found = Found()
        for call, (kind, verdict) in zip(these, self.pool.map(lambda call: self.one(error, call), these)):
            found.counts[kind] += 1
            if not verdict.is_good:
                found.wrong.append((call, verdict))
        return found

    def one(self, error, call):
        """What came of it, in a word or two, and the verdict."""
        with self.bench.node() as one:
            one.start_program()
            done = one.disco(*judge.MERGE, before=calls.failing(call, error))
            at_once = judge.seen(one, self.bench.merging)
            verdict = judge.recovered(one, self.bench.merging, "after")
        said = done.stdout + done.stderr
        if done.returncode == 0:
            kind = "done all the same"
            if verdict.state != "after":
                verdict.why.append(f"it ended with 0, and the tree is {verdict.state}")
        else:
            kind = f"refused, {at_once.state if at_once.is_good else verdict.state + ' once recovered'}"
            if not NAMED.search(said):
                verdict.why.append(f"no path is named: {said.strip()}")
        if "panicked" in said or done.returncode not in range(0, 126):
            verdict.why.append(f"it ended with {done.returncode}: {said.strip()}")
        verdict.said = "\n".join(said.strip().splitlines()[-3:])
        self.tell(f"merge, {call} fails with {error}", verdict)
        return kind, verdict
