"""Measures what recording costs, and how fast what is recorded is looked at: a dance with and without its record; ten thousand
records; a step that prints 1 GiB; lines on a terminal; the page of a large run in a browser. Writes README.md and results.json."""
import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
sys.path.insert(0, str(TOP / "tests/merge-proof"))
import node  # noqa: E402  (found by the line above)

SOME_WORK = "seq 20000 | sort -R | md5sum >/dev/null"
# Modules, steps of each, lines and files of each step, and what a step does besides.
DANCES = {
    "one step that does nothing": (1, 1, 0, 0, ":"),
    "2 modules with 2 steps, 3 lines and a file each": (2, 2, 3, 1, ":"),
    "10 modules with 10 steps, 20 lines and 5 files each": (10, 10, 20, 5, ":"),
    "the same, and each step works 0.1 s": (10, 10, 20, 5, SOME_WORK),
    "a step that prints 20,000 lines": (1, 1, 20_000, 0, ":"),
}
RECORDS = 10_000
# Seconds for the pairs of one row, after which three of them are enough.
PATIENCE = 30
LINES = 300_000
# What unrecorded.patch looks for.
WITHOUT = {"DISCO_BENCH_UNRECORDED": "1"}


def master(given, modules, steps, lines, files, work):
    folder = given / "master"
    shutil.rmtree(folder, ignore_errors=True)
    for module in range(modules):
        scripts = folder / f"modules/m{module}/scripts"
        scripts.mkdir(parents=True)
        chosen = folder / f"parameters/node/modules/m{module}"
        chosen.parent.mkdir(parents=True, exist_ok=True)
        chosen.touch()
        # Something to hide, as most nodes have.
        secret = folder / "parameters/node/parameters/app/password"
        secret.parent.mkdir(parents=True, exist_ok=True)
        secret.write_text("a password that is never said")
        for step in range(steps):
            (scripts / f"{step:02}.sh").write_text(
                f"{work}\nfor i in $(seq {lines}); do echo \"line $i of step {step}: something was done to it\"; done\n"
                f"for i in $(seq {files}); do printf 'a = %s\\nb = {step}\\nc = %s\\n' $i $RANDOM$RANDOM >/etc/r-{module}-{step}-$i; done\n"
            )


class Bench:
    def __init__(self, work):
        self.root, self.given, self.image = work / "root", work / "given", work / "image"
        self.root.mkdir()
        self.given.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(8 << 30)
        node.run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", "-N", "600000", self.image)
        node.mount("-o", "loop", self.image, self.root)
        node.lay_tree(self.root, 1)
        self.node = node.Node(self.root, self.given)
        self.node.lay_mounts()
        (self.root / "etc/shadow").write_text("root:$6$saltsalt$0123456789abcdefghijklmnopqrstuvwxyz:19000:0:99999:7:::\n")

    def setting(self, name, value):
        subprocess.run(self.node.within("/given/disco", "param", "set", f"disco/client/{name}"), input=value, text=True,
                       env=node.ENVIRONMENT, check=True)

    def disco(self, *argv, program="disco", variables=None, expected=(0,)):
        """Wall and CPU seconds, and the most memory in MiB of it and its children, of a disco in the node."""
        with tempfile.TemporaryFile() as printed, tempfile.NamedTemporaryFile() as spent:
            # By time: what this process holds would count as what its children take.
            command = ["/usr/bin/time", "-q", "-o", spent.name, "-f", "%U %S %M", *self.node.within(f"/given/{program}", *argv)]
            start = time.monotonic()
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT,
                                  env=node.ENVIRONMENT | (variables or {}))
            wall = time.monotonic() - start
            printed.seek(max(0, printed.seek(0, os.SEEK_END) - 2000))
            said = printed.read().decode(errors="replace")
            user, system, most = map(float, spent.read().split())
        if done.returncode not in expected:
            raise RuntimeError(f"{argv}: {done.returncode}: {said}")
        return {"wall": wall, "cpu": user + system, "mib": most / 1024, "said": said}

    def dance(self, *argv, **options):
        return self.disco("dance", "--node", "node", "--server", "/given/master", "--diff", "none", *argv, **options)

    def runs(self):
        return sorted((self.root / "var/disco/runs").glob("2*"))


def middle(runs, field):
    return statistics.median(one[field] for one in runs)


def recording(bench, repeat):
    """Dances with and without records, in turn: the medians, and the medians of what each pair differs by."""
    found = {}
    for name, shape in DANCES.items():
        master(bench.given, *shape)
        for mode in ("noop", "live"):
            argv = ["--noop"] if mode == "noop" else []
            pairs, start = [], time.monotonic()
            for turn in range(repeat):
                # What takes long varies little.
                if turn >= 3 and time.monotonic() - start > PATIENCE:
                    break
                ways = {"with": {}, "without": WITHOUT}
                order = list(ways) if turn % 2 else list(reversed(ways))
                pairs.append({way: bench.dance(*argv, program="unrecorded", variables=ways[way]) for way in order})
            more = [100 * (pair["with"]["wall"] / pair["without"]["wall"] - 1) for pair in pairs]
            more_cpu = [100 * (pair["with"]["cpu"] / pair["without"]["cpu"] - 1) for pair in pairs]
            found[f"{name}, {mode}"] = {
                "with": round(middle([pair["with"] for pair in pairs], "wall"), 4),
                "without": round(middle([pair["without"] for pair in pairs], "wall"), 4),
                "pairs": len(pairs), "more_percent": round(statistics.median(more), 1), "more_cpu_percent": round(statistics.median(more_cpu), 1),
            }
            print(name, mode, found[f"{name}, {mode}"], flush=True)
    return found


def looking_back(bench, repeat):
    """Over copies of a real record, each of another run."""
    master(bench.given, 2, 2, 20, 5, ":")
    bench.dance()
    last = bench.runs()[-1]
    there = len(bench.runs())
    for number in range(RECORDS - there):
        name = f"20200101-{number // 3600:02}{number // 60 % 60:02}{number % 60:02}-000-{number}"
        copy = last.with_name(name)
        shutil.copytree(last, copy)
        record = copy / "record.json"
        record.write_text(record.read_text().replace(last.name, name))
    path = "/etc/r-1-1-3"
    asked = {
        "runs, the first time": ["runs", "--last", "20"], "runs": ["runs", "--last", "20"], "runs, all of them": ["runs"],
        "blame": ["blame", path], "drift": ["drift"], "show": ["show", "last"], "report --trend": ["report", "--trend"],
    }
    found = {}
    for name, argv in asked.items():
        runs = [bench.disco(*argv, expected=(0, 2)) for _ in range(1 if "first" in name else repeat)]
        found[name] = {"seconds": round(middle(runs, "wall"), 4), "mib": round(max(one["mib"] for one in runs), 1)}
        print(name, found[name], flush=True)
    for run in bench.runs()[: RECORDS - there]:
        shutil.rmtree(run)
    return found


def flood(bench):
    """A step that prints 1 GiB that hardly compresses, once with the limit that there is and once with a higher one."""
    master(bench.given, 1, 1, 0, 0, "head -c 795000000 /dev/urandom | base64 -w 99")
    found = {}
    for name, limit in (("as it is", None), ("client/step_output = 2048", "2048")):
        if limit:
            bench.setting("step_output", limit)
        done = bench.dance("--noop", expected=(0, 1))
        run = bench.runs()[-1]
        shown = bench.disco("show", "last", "m0/00.sh")["said"].strip().splitlines()[-1]
        if "not kept" not in shown and "ended" not in done["said"]:
            raise RuntimeError(f"nobody says that it was cut: {shown} {done['said']}")
        size = sum(file.stat().st_size for file in run.rglob("*") if file.is_file())
        ended = [line for line in done["said"].splitlines() if line.startswith(("error:", "info: Run"))]
        found[name] = {"seconds": round(done["wall"], 2), "cpu": round(done["cpu"], 2), "mib": round(done["mib"], 1),
                       "record_mib": round(size / (1 << 20), 1), "said": ended, "show": shown}
        print(name, found[name], flush=True)
    return found


def terminal(bench, repeat):
    master(bench.given, 1, 1, 0, 0, f"seq -f 'line %g of something that a package manager says about itself' {LINES}")
    found = {}
    for form in ("pretty", "classic"):
        command = f"chroot {bench.root} /given/disco dance --noop --node node --server /given/master --diff none --format {form}"
        seconds = []
        for _ in range(repeat):
            start = time.monotonic()
            printed = subprocess.run(["script", "-qec", command, "/dev/null"], capture_output=True, env=node.ENVIRONMENT | {"TERM": "xterm"})
            seconds.append(time.monotonic() - start)
            if printed.returncode or printed.stdout.count(b"package manager") < LINES:
                raise RuntimeError(f"{form}: {printed.returncode} {printed.stdout[-500:]}")
        found[form] = {"seconds": round(statistics.median(seconds), 3), "lines_a_second": round(LINES / statistics.median(seconds))}
        print("terminal", form, found[form], flush=True)
    return found


def browser(work, disco):
    home = work / "sample"
    subprocess.run([TOP / "scripts/report-sample", home, "25", "20", "10", "5000"], check=True)
    page = work / "page.html"
    page.write_bytes(subprocess.run([disco, "--home", home, "report", "--format", "html"], check=True, capture_output=True).stdout)
    drawn = subprocess.run([TOP / "scripts/draw-report", page, work / "pictures"], check=True, capture_output=True, text=True).stdout
    print(drawn, flush=True)
    best, median = map(int, re.search(r"drawn: best (\d+) ms, median (\d+) ms", drawn).groups())
    return {"best_ms": best, "median_ms": median, "bytes": page.stat().st_size}


def page(results, built):
    lines = [
        "# Records, measured", "",
        f"`scripts/bench-records` has written this, at commit {built}, with {os.cpu_count()} CPUs, the load {results['load']:.1f} before it;",
        "on an ext4 of its own. Medians; with and without in turn.", "",
        "## What recording costs", "",
        "The same program with and without all that it records: the record, changes, output, the index, retention, what monitors are told",
        "(`unrecorded.patch` lets it be switched off). `more` is the median of the pairs.", "",
        "| dance | with | without | more wall time | more CPU time | pairs |", "|---|---|---|---|---|---|",
    ]
    for name, one in results["recording"].items():
        lines.append(f"| {name} | {one['with']:.3f} s | {one['without']:.3f} s | {one['more_percent']:+.1f} % | {one['more_cpu_percent']:+.1f} % | {one['pairs']} |")
    lines += ["", f"## {RECORDS:,} records", "", "| command | seconds | MiB |", "|---|---|---|"]
    lines += [f"| {name} | {one['seconds']:.3f} | {one['mib']:.0f} |" for name, one in results["back"].items()]
    lines += ["", "## A step that prints 1 GiB", "", "Of base64, which hardly compresses.", "",
              "| limit of a step's output | seconds | CPU | most memory | its record | what is said |", "|---|---|---|---|---|---|"]
    lines += [f"| {name} | {one['seconds']} | {one['cpu']} | {one['mib']} MiB | {one['record_mib']} MiB | {'; '.join(one['said'] + [one['show']])} |"
              for name, one in results["flood"].items()]
    lines += ["", "## Lines on a terminal", "", "| form | lines a second |", "|---|---|"]
    lines += [f"| {name} | {one['lines_a_second']:,} |" for name, one in results["terminal"].items()]
    drawn = results["browser"]
    lines += ["", "## The page of a run in a browser", "",
              f"200 steps and 5,000 changes, {drawn['bytes'] / 1e6:.1f} MB: drawn by Chromium in {drawn['best_ms']} ms at best, median {drawn['median_ms']} ms of five.", ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--disco", required=True)
    parser.add_argument("--unrecorded", required=True)
    parser.add_argument("--built", default="")
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--no-page", action="store_true")
    options = parser.parse_args()
    node.leave_mounts()
    results = {"load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory(prefix="disco-bench.") as work:
        work = pathlib.Path(work)
        bench = Bench(work)
        shutil.copy(options.disco, bench.given / "disco")
        shutil.copy(options.unrecorded, bench.given / "unrecorded")
        try:
            results["terminal"] = terminal(bench, 3)
            results["flood"] = flood(bench)
            results["back"] = looking_back(bench, 5)
            results["recording"] = recording(bench, options.repeat)
        finally:
            node.run("umount", "--recursive", "--lazy", bench.root)
        results["browser"] = browser(work, options.disco)
    if not options.no_page:
        (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
        (HERE / "README.md").write_text(page(results, options.built))


main()
