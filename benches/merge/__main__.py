"""Measures disco's merge beside what else brings files to a root and to its disk: `cp -a` and `rsync -a`, each with a sync of that
file system after it, and dpkg's unpack. All on one fresh file system of its own, in turn. Writes README.md and results.json."""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tests/merge-proof"))
import node  # noqa: E402  (found by the line above)

# What is merged: how many files of how many bytes each; or how many deletions.
WORK = {
    "1,000 files of 1 KiB": ("files", 1000, 1024),
    "10,000 files of 1 KiB": ("files", 10_000, 1024),
    "100,000 files of 1 KiB": ("files", 100_000, 1024),
    "one file of 1 GiB": ("files", 1, 1 << 30),
    "10,000 deletions": ("deletions", 10_000, 1024),
}
PARTS = ("verify", "merge")


def lay(folder, count, size):
    """`count` files of `size` bytes, a hundred in a folder."""
    block = os.urandom(min(size, 1 << 20))
    for number in range(count):
        below = folder / f"{number // 100}"
        below.mkdir(parents=True, exist_ok=True)
        with open(below / f"{number}.data", "wb") as file:
            for start in range(0, size, len(block)):
                file.write(block[: size - start])


def sync(path):
    subprocess.run(["sync", "--file-system", path], check=True)


def timed(*commands):
    """The wall time of commands in a row, and the most memory one of them took, in MiB."""
    start = time.monotonic()
    most = 0
    for command in commands:
        # Into a file: what this process holds would count as what its children take.
        with tempfile.TemporaryFile() as printed:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT,
                                       env=node.ENVIRONMENT)
            _, status, usage = os.wait4(process.pid, 0)
            if status:
                printed.seek(max(0, printed.tell() - 800))
                raise RuntimeError(f"{command}: {printed.read().decode(errors='replace')}")
        most = max(most, usage.ru_maxrss / 1024)
    return {"seconds": time.monotonic() - start, "mib": most}


class Bench:
    def __init__(self, work, disco):
        self.work = pathlib.Path(work)
        self.root = self.work / "root"
        self.given = self.work / "given"
        self.image = self.work / "image"
        self.root.mkdir()
        self.given.mkdir()
        shutil.copy(disco, self.given / "disco")

    def fresh(self):
        """A node on a fresh file system."""
        if os.path.ismount(self.root):
            node.run("umount", "--recursive", self.root)
        self.image.unlink(missing_ok=True)
        with open(self.image, "wb") as image:
            image.truncate(12 << 30)
        node.run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", "-N", "600000", self.image)
        node.mount("-o", "loop", self.image, self.root)
        node.lay_tree(self.root, 1)
        one = node.Node(self.root, self.given)
        one.lay_mounts()
        sync(self.root)
        return one

    def master(self, script):
        folder = self.given / "master"
        shutil.rmtree(folder, ignore_errors=True)
        for below in ("modules/m/scripts", "parameters/node/modules"):
            (folder / below).mkdir(parents=True)
        (folder / "parameters/node/modules/m").touch()
        (folder / "modules/m/scripts/10.sh").write_text(script)

    def data(self, count, size):
        folder = self.given / "data"
        shutil.rmtree(folder, ignore_errors=True)
        lay(folder, count, size)
        return folder

    def before(self, kind):
        """The node before the work; what is deleted is there."""
        one = self.fresh()
        if kind == "deletions":
            node.run("cp", "-a", self.given / "data", self.root / "srv")
            sync(self.root)
        node.run("sync")
        return one

    def disco(self, kind):
        self.master("rm -r /srv" if kind == "deletions" else "cp -a /given/data /srv")
        one = self.before(kind)
        argv = ("dance", "--node", "node", "--server", "/given/master", "--diff", "none")
        whole = timed(one.within("/given/disco", *argv))
        record, = (self.root / "var/disco/runs").glob("*/record.json")
        parts = json.loads(record.read_text())["internal"]
        merge = sum(part["cost"]["time_real"] for part in parts if part["part"] in PARTS)
        memory = self.memory(kind)
        return {"seconds": merge, "whole": whole["seconds"], "mib": memory, "whole_mib": whole["mib"]}

    def memory(self, kind):
        """The memory of the merge alone: `disco undo` merges the same places, and has no sandbox and no differences."""
        del kind
        return timed(["chroot", str(self.root), "/given/disco", "undo"])["mib"]

    def copied(self, kind, *command):
        self.before(kind)
        return timed(command, ["sync", "--file-system", str(self.root)])

    def unpacked(self, kind, package):
        self.before(kind)
        base = self.root / "dpkg"
        for below in ("var/lib/dpkg/info", "var/lib/dpkg/updates"):
            (base / below).mkdir(parents=True)
        (base / "var/lib/dpkg/status").touch()
        sync(self.root)
        return timed(["dpkg", f"--root={base}", "--log=/dev/null", "--unpack", str(package)])

    def package(self):
        folder = self.work / "package"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "DEBIAN").mkdir(parents=True)
        (folder / "DEBIAN/control").write_text(
            "Package: data\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: data\n"
        )
        node.run("cp", "-a", self.given / "data", folder / "srv")
        node.run("dpkg-deb", "-Znone", "--build", folder, self.work / "data.deb")
        return self.work / "data.deb"

    def recovery(self):
        """How long `disco recover` takes after a kill, with everything still to be renamed."""
        self.master("cp -a /given/data /srv; for i in /srv/*; do mv $i /etc; done; rmdir /srv")
        one = self.fresh()
        node.run("cp", "-a", self.given / "data", self.root / "old")
        self.master("find /old -type f | while read f; do echo x >>$f; done")
        given = ("dance", "--noop", "--node", "node", "--server", "/given/master", "--diff", "none", "--plan", "/plan")
        timed(one.within("/given/disco", *given))
        kill = ["strace", "-qq", "-o", "/dev/null", "-e", "inject=renameat2:signal=KILL:when=2"]
        killed = subprocess.run([*kill, *one.within("/given/disco", "apply", "/plan", "--node", "node")],
                                capture_output=True, text=True, env=node.ENVIRONMENT)
        if killed.returncode >= 0 and killed.returncode != 137:
            raise RuntimeError(f"it was not killed: {killed.returncode} {killed.stderr}")
        return timed(one.within("/given/disco", "recover"))


def measure(bench, kind, count, size, repeat):
    data = bench.data(count, size)
    ways = {"disco": lambda: bench.disco(kind)}
    if kind == "deletions":
        ways["rm -r, sync"] = lambda: bench.copied(kind, "rm", "-r", str(bench.root / "srv"))
    else:
        package = bench.package()
        target = str(bench.root / "srv")
        ways["cp -a, sync"] = lambda: bench.copied(kind, "cp", "-a", str(data), target)
        ways["rsync -a, sync"] = lambda: bench.copied(kind, "rsync", "-a", f"{data}/", target)
        ways["dpkg --unpack"] = lambda: bench.unpacked(kind, package)
    runs = {name: [] for name in ways}
    for _ in range(repeat):
        for name, way in ways.items():
            runs[name].append(way())
    fields = {field for all in runs.values() for field in all[0]}
    middle = lambda all, field: statistics.median(one[field] for one in all)
    return {name: {field: round(middle(all, field), 4) for field in sorted(fields) if field in all[0]}
            for name, all in runs.items()}


def page(results, built):
    lines = [
        "# The merge, measured", "",
        f"`scripts/bench-merge` has written this, at commit {built}, with {os.cpu_count()} CPUs, the load {os.getloadavg()[0]:.1f} at its end.",
        "Each row is one work on a fresh ext4 of its own, the median of some runs in turn; times in seconds, with the ratio to the first peer.",
        "disco's is that of its merge: the comparison with the live root, staging, the journal, the renames, all of it on the disk, with what",
        "it replaced kept for an undo. The whole run has the sandbox and the differences besides. Memory is the largest resident set, in MiB,",
        "of which some 18 can be of the process that measures; that of the merge is that of `disco undo`, which merges the same places without",
        "a sandbox.", "",
        "| work | disco's merge | peers | memory | the whole run |", "|---|---|---|---|---|",
    ]
    for work, ways in results["work"].items():
        disco = ways["disco"]
        peers = {name: way for name, way in ways.items() if name != "disco"}
        first = next(iter(peers.values()))["seconds"]
        told = "; ".join(f"{name} {way['seconds']:.3f}" for name, way in peers.items())
        lines.append(f"| {work} | {disco['seconds']:.3f} ({disco['seconds'] / first:.2f}) | {told} | {disco['mib']:.0f} | "
                     f"{disco['whole']:.2f}, {disco['whole_mib']:.0f} MiB |")
    recovery = results["recovery"]
    lines += ["", f"Recovery after a kill behind the point of no return, with 1,000 files to exchange: {recovery['seconds']:.3f} s.", ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--disco", required=True)
    parser.add_argument("--built", default="")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", type=int, help="the first so many works")
    parser.add_argument("--no-page", action="store_true")
    options = parser.parse_args()
    node.leave_mounts()
    results = {"work": {}}
    with tempfile.TemporaryDirectory(prefix="disco-bench.") as work:
        bench = Bench(work, options.disco)
        try:
            for name, (kind, count, size) in list(WORK.items())[: options.only]:
                results["work"][name] = measure(bench, kind, count, size, options.repeat)
                print(name, json.dumps(results["work"][name]), flush=True)
            bench.data(1000, 1024)
            runs = [bench.recovery() for _ in range(options.repeat)]
            results["recovery"] = {"seconds": round(statistics.median(one["seconds"] for one in runs), 4)}
            print("recovery", results["recovery"], flush=True)
        finally:
            if os.path.ismount(bench.root):
                node.run("umount", "--recursive", "--lazy", bench.root)
    if not options.no_page:
        (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
        (HERE / "README.md").write_text(page(results, options.built))


main()
