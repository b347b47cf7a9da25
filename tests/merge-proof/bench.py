"""What all parts of the proof start from: the tree before and after, as files and as manifests, and nodes that have it."""
import itertools
import pathlib
import shutil
import threading

import judge
import node
import tree
from judge import State


class Bench:
    """Below `work`: `template`, the tree before; `given`, what each node is given; and a folder for each node."""

    def __init__(self, work, size):
        self.work, self.size = pathlib.Path(work), size
        self.template, self.given = self.work / "template", self.work / "given"
        self.numbers, self.lock = itertools.count(), threading.Lock()
        self.merging = self.undoing = None

    def lay(self, disco):
        """Makes the tree, and all that a merge of it needs."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.template.mkdir(parents=True)
        self.given.mkdir()
        shutil.copy(disco, self.given / "disco")
        node.lay_tree(self.template, self.size)
        self.plan()
        self.look()

    def plan(self):
        """Has a dry run of a module that does the work of change.sh kept as a plan, which all nodes then merge."""
        master = self.given / "master"
        scripts = master / "modules/proof/scripts"
        for folder in (scripts, master / "parameters/proof/modules"):
            folder.mkdir(parents=True)
        (master / "parameters/proof/modules/proof").touch()
        (scripts / "10.sh").write_text(f"set -- / {self.size}\n" + (node.HERE / "change.sh").read_text())
        with self.node() as one:
            succeed(one, ("dance", "--noop", "--node", "proof", "--server", "/given/master", "--plan", "/tmp/plan"))
            shutil.copy(one.root / "tmp/plan", self.given / "plan")

    def folder(self, name):
        """A name for a folder that is not there yet."""
        with self.lock:
            return self.work / f"{name}-{next(self.numbers)}"

    def node(self):
        """A fresh node as before the merge."""
        return node.copied(self.template, self.folder("node"), self.given)

    def look(self):
        """Learns what the tree is before and after, by a merge that nobody disturbs, which must be as the same work without disco
        is, but for times of what is written; and what it is once that is undone, which must be as before."""
        with self.node() as one:
            fresh = State.of(one)
            succeed(one, judge.MERGE)
            merged, left = State.of(one), tree.litter(one.root)
            succeed(one, judge.UNDO)
            undone = State.of(one)
            wrong = tree.differences(undone.tree, fresh.tree)
            left += tree.litter(one.root)
        with self.node() as plain:
            node.run("bash", node.HERE / "change.sh", plain.root, str(self.size))
            wrong += tree.differences(merged.tree, tree.manifest(plain.root), apart=("time",))
        if wrong or left or fresh.tree == merged.tree:
            raise RuntimeError(f"a merge and its undo that nobody disturbs: {wrong}; left {left}")
        self.merging = {"before": fresh, "after": merged}
        self.undoing = {"before": undone, "after": merged}


def succeed(one, argv):
    """What disco said of what must succeed."""
    done = one.disco(*argv)
    if done.returncode:
        raise RuntimeError(f"{argv}, which nobody disturbs: {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr
