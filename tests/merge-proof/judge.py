"""Whether a node is as before or as after, once disco has recovered it: the same question after each kill, cut and error."""
from dataclasses import dataclass, field

import tree

MERGE = ("apply", "/given/plan", "--node", "proof", "--diff", "none")
RECOVER = ("recover",)
UNDO = ("undo", "--node", "proof")
# What disco says of it.
NOTHING, NEVER_BEGAN, FINISHED = "nothing to recover", "before its merge began", "it is finished now"


@dataclass
class Verdict:
    """`state` is before, after or broken; `why` says what is wrong, which may be so of a node that is as before or after."""

    state: str
    why: list = field(default_factory=list)
    said: str = ""

    @property
    def is_good(self):
        return not self.why


@dataclass(frozen=True)
class State:
    """A state in which a node may be: its manifest, and what is kept there for undos."""

    tree: dict
    kept: list

    @staticmethod
    def of(one):
        return State(tree.manifest(one.root), tree.kept(one.root))


def recovered(node, states, ends):
    """The verdict on a node, which disco is asked to recover first: what it says of it must be so, and a second time it must find
    nothing. `ends` is the state in which what was stopped would have ended."""
    done = node.disco(*RECOVER)
    said = (done.stdout + done.stderr).strip()
    verdict = seen(node, states)
    verdict.said = said
    if done.returncode:
        verdict.why.append(f"recover ended with {done.returncode}: {said}")
    if (NEVER_BEGAN in said and verdict.state == ends) or (FINISHED in said and verdict.state != ends):
        verdict.why.append(f"it says another thing: {said}")
    again = node.disco(*RECOVER)
    if again.returncode or NOTHING not in again.stdout + again.stderr:
        verdict.why.append(f"a second recover ended with {again.returncode}: {again.stdout}{again.stderr}")
    return verdict


def seen(node, states, apart=()):
    """The verdict on a node as it is: which of the states, by name, it is in; the facts named in `apart` do not count."""
    there = State.of(node)
    away = {name: tree.differences(there.tree, state.tree, apart) for name, state in states.items()}
    name, why = min(away.items(), key=lambda item: len(item[1]))
    verdict = Verdict("broken" if why else name, [f"not as {name}: {line}" for line in why])
    verdict.why += [f"litter: {path}" for path in tree.litter(node.root)]
    kept = states[name].kept
    verdict.why += [f"kept for an undo, and should not be: {path}" for path in there.kept if path not in kept]
    verdict.why += [f"not kept for an undo: {path}" for path in kept if path not in there.kept]
    return verdict
