"""disco is killed at every system call that changes something: of a merge, of an undo, of the recovery after either."""
from dataclasses import dataclass

import calls
import judge
from bench import succeed


# The folder of the journals; and of how many calls before there is one, disco is killed in a full run.
JOURNAL, EARLY = "/var/disco/journal", 40


@dataclass
class Part:
    """What is killed: `argv` on a node that `lay` has brought to where it begins; how the tree is when it has ended.
    `undoes` says that it is about an undo of the merge."""

    name: str
    argv: tuple
    ends: str = "after"
    lay: object = None
    undoes: bool = False

    def states(self, bench):
        """The states in which it may leave a node."""
        return bench.undoing if self.undoes else bench.merging


class Kills:
    """The kills of one bench; `tell` hears of each."""

    def __init__(self, bench, pool, tell):
        self.bench, self.pool, self.tell = bench, pool, tell

    def node(self, part):
        """A node where the part begins."""
        one = self.bench.node()
        one.start_program()
        if part.lay:
            part.lay(one)
        return one

    def calls(self, part):
        """The calls of it that change something."""
        with self.node(part) as one:
            return [call for call in calls.of(one, calls.CHANGING, *part.argv) if call.changes]

    def some(self, part, most):
        """So many of them at most; few of those before there is a journal, where nothing but a scratch folder is made."""
        found = self.calls(part)
        early = next((at for at, call in enumerate(found) if JOURNAL in call.text), 0)
        few = max(most // 10, 1) if most else EARLY
        return len(found), calls.spread(found[:early], few) + calls.spread(found[early:], most)

    def each(self, part, wanted):
        """Each of these calls, with the verdict after it was the last."""
        return list(zip(wanted, self.pool.map(lambda call: self.one(part, call), wanted)))

    def one(self, part, call):
        with self.node(part) as one:
            done = one.disco(*part.argv, before=calls.killing(call))
            verdict = judge.recovered(one, part.states(self.bench), part.ends)
        if not calls.was_killed(done):
            verdict.why.append(f"it was not killed, and ended with {done.returncode}: {done.stdout}{done.stderr}")
        self.tell(f"{part.name}, {call}", verdict)
        return verdict

    def recovery(self, part, call):
        """The part in which disco is killed while it recovers from that kill."""
        def lay(one):
            if part.lay:
                part.lay(one)
            one.disco(*part.argv, before=calls.killing(call))

        return Part(f"recovery after {part.name}, {call}", judge.RECOVER, part.ends, lay, part.undoes)


PARTS = [
    Part("merge", judge.MERGE),
    Part("undo", judge.UNDO, "before", lay=lambda one: succeed(one, judge.MERGE), undoes=True),
]
