"""How much the agent's listener bears. Called by scripts/agent-load, in a network of its own."""

import argparse
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time

KEY_PORT = 8453
MIB = 1024


class StandIn:
    """A helper that starts nothing: a run takes a moment, the next of its kind is queued, and who asks meanwhile joins that."""

    def __init__(self, path, takes=0.2):
        self.lock, self.takes, self.runs, self.most, self.asked = threading.Lock(), takes, [], 0, 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(128)
        threading.Thread(target=self.serve, daemon=True).start()
        threading.Thread(target=self.work, daemon=True).start()

    def work(self):
        while True:
            time.sleep(0.01)
            with self.lock:
                running = [run for run in self.runs if run["state"] == "running"]
                self.most = max(self.most, len(running))
                for run in running:
                    if time.time() - run["since"] > self.takes:
                        run.update(state="done", exit=0)
                        running = []
                queued = [run for run in self.runs if run["state"] == "queued"]
                if not running and queued:
                    queued[0].update(state="running", since=time.time())

    def serve(self):
        while True:
            client, _ = self.socket.accept()
            threading.Thread(target=self.answer, args=(client,), daemon=True).start()

    def said(self, run):
        return {"answer": "run", **{key: value for key, value in run.items() if key != "since"}}

    def answer(self, client):
        with client:
            asked = json.loads(client.makefile("rb").readline())
            with self.lock:
                if asked["verb"] == "run":
                    self.asked += 1
                    going = [run for run in self.runs if run["state"] == "running"]
                    queued = [run for run in self.runs if run["state"] == "queued"]
                    if queued:
                        run = queued[0]
                    else:
                        number = len(self.runs)
                        digits = "abcdefghijklmnopqrstuvwxyz"
                        name = "".join(digits[number // 26**n % 26] for n in range(5)).ljust(26, "a")
                        run = {"id": name, "noop": False, "modules": [], "by": [asked["by"]], "asked": 1,
                               "state": "queued" if going else "running", "since": time.time()}
                        self.runs.append(run)
                    said = self.said(run)
                elif asked["verb"] == "standing":
                    said = {"answer": "standing", "node": "bench", "version": "0"}
                else:
                    said = {"answer": "runs", "runs": []}
            try:
                client.sendall(json.dumps(said).encode() + b"\n")
            except OSError:
                pass  # A listener that was ended meanwhile.


def status(pid, name):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name))


class Good:
    """Somebody who asks as he should, over and over; how long each answer took."""

    def __init__(self, head):
        self.head, self.took, self.wrong, self.stop = head, [], [], False
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        while not self.stop:
            begin = time.time()
            try:
                answer = ask(f"GET /v1/status HTTP/1.1\r\n{self.head}\r\n".encode())
                if b" 200 " not in answer[:20]:
                    self.wrong.append(answer[:80].decode(errors="replace"))
            except OSError as error:
                self.wrong.append(str(error))
            self.took.append(time.time() - begin)
            time.sleep(0.02)

    def end(self):
        self.stop = True
        self.thread.join()
        took = sorted(self.took)
        at = lambda part: round(took[min(len(took) - 1, int(len(took) * part))] * 1000, 1)
        return {"answers": len(took), "wrong": len(self.wrong), "first wrong": self.wrong[:1],
                "p50_ms": at(0.5), "p99_ms": at(0.99), "most_ms": at(1)}


def ask(request, timeout=20):
    with socket.create_connection(("127.0.0.1", KEY_PORT), timeout=timeout) as tcp:
        try:
            tcp.sendall(request)
        except ConnectionError:
            pass
        answer = b""
        try:
            while piece := tcp.recv(65536):
                answer += piece
        except ConnectionError:
            pass
        return answer


def start(disco, args):
    """The listener, and how long it took to its first answer."""
    begin = time.time()
    listener = subprocess.Popen([disco, "agent", "serve", *args], stderr=open(os.devnull, "w"))
    while True:
        try:
            if b" 200 " in ask(b"GET /healthz HTTP/1.0\r\n\r\n"):
                return listener, time.time() - begin
        except OSError:
            time.sleep(0.0005)
        if listener.poll() is not None or time.time() - begin > 10:
            sys.exit("the listener does not answer")


def idle(count):
    kept = []
    for _ in range(count):
        kept.append(socket.create_connection(("127.0.0.1", KEY_PORT)))
    time.sleep(2)
    return kept


def master(folder, home):
    """A master with one module, which takes a moment."""
    for name, text in [(f"{folder}/master/parameters/bench/modules/m", ""), (f"{folder}/master/modules/m/scripts/10.sh", "sleep 0.1\n"),
                       (f"{home}/parameters/disco/server/uri", f"{folder}/master\n")]:
        os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(name, "w") as file:
            file.write(text)


def runs(home):
    """How the runs ended that are kept, once all have, and the most that were under way at once, to the second in which they were."""
    folder = os.path.join(home, "agent/runs")
    while True:
        kept = [json.load(open(os.path.join(folder, name))) for name in os.listdir(folder) if name.endswith(".json")]
        if all(one.get("ended") for one in kept):
            break
        time.sleep(0.2)
    ends = {}
    for one in kept:
        word = one["state"] + (f" {one['exit']}" if "exit" in one else "")
        ends[word] = ends.get(word, 0) + 1
    # Times are whole seconds: two that follow each other may share one.
    kept.sort(key=lambda one: (one["began"], one["ended"]))
    overlap = sum(1 for one, other in zip(kept, kept[1:]) if other["began"] < one["ended"])
    return {"kept_runs": len(kept), "ends": ends, "overlapping": overlap}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--disco", required=True)
    parser.add_argument("--built", default="")
    parser.add_argument("--stand-in", action="store_true")
    parser.add_argument("--triggers", type=int, default=10_000)
    parser.add_argument("--idle", type=int, default=1000)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        config = os.path.join(folder, "agent.toml")
        with open(config, "w") as file:
            file.write(f'helper = "{folder}/helper"\nkeys = "{folder}/keys"\nproxy = "{folder}/proxy"\nlog = "warn"\n'
                       '[rate]\nclient_per_second = 100000\nclient_burst = 100000\nall_per_second = 100000\nall_burst = 100000\n')
        run = lambda *words: subprocess.run([options.disco, *words], check=True, capture_output=True, text=True).stdout
        key = run("agent", "key", "add", "bench", "--config", config).strip()
        real = None
        if options.stand_in:
            helper = StandIn(os.path.join(folder, "helper"))
        else:
            home = os.path.join(folder, "home")
            os.mkdir(home)
            master(folder, home)
            real = subprocess.Popen([options.disco, "--home", home, "--node", "bench", "agent", "helper", "--socket", f"{folder}/helper"])
            time.sleep(0.5)
        head = f"Host: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n"
        starts = []
        for _ in range(10):
            listener, took = start(options.disco, ["--config", config])
            listener.terminate()
            listener.wait()
            starts.append(took)
        listener, _ = start(options.disco, ["--config", config])
        time.sleep(2)
        result = {"built": options.built, "helper": "a stand-in" if options.stand_in else "disco agent helper",
                  "start_ms": round(sorted(starts)[5] * 1000, 1), "rest_mb": round(status(listener.pid, "VmRSS") / MIB, 1),
                  "rest_own_mb": round(status(listener.pid, "RssAnon") / MIB, 1)}
        cases = {}

        def case(name, work):
            good, begin = Good(head), time.time()
            more = work() or {}
            cases[name] = {"seconds": round(time.time() - begin, 1), **more, "good": good.end(),
                           "rss_mb": round(status(listener.pid, "VmRSS") / MIB, 1),
                           "own_mb": round(status(listener.pid, "RssAnon") / MIB, 1)}
            print(name, json.dumps(cases[name]), flush=True)

        def thousand():
            kept = idle(options.idle)
            for tcp in kept:
                tcp.close()
            return {"connections": len(kept)}

        def triggers():
            # Dry ones: what is measured runs on this very machine.
            request = f'POST /v1/runs HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 13\r\n{head}\r\n{{"noop":true}}'.encode()
            codes, ids = {}, set()
            for _ in range(options.triggers):
                answer = ask(request)
                code = answer[9:12].decode()
                codes[code] = codes.get(code, 0) + 1
                if code == "202":
                    ids.add(json.loads(answer.split(b"\r\n\r\n", 1)[1])["id"])
            return {"answers": codes, "runs": len(ids)}

        def slow():
            kept = [socket.create_connection(("127.0.0.1", KEY_PORT)) for _ in range(200)]
            for at in range(40):
                for tcp in kept:
                    try:
                        tcp.send(b"POST /v1/runs HTTP/1.1\r\nHost: x\r\nX: "[at % 36:at % 36 + 1])
                    except OSError:
                        pass
                time.sleep(0.1)
            return {"connections": len(kept)}

        def bodies():
            # With the key, or they are not read at all: 100 bodies of 64 KiB that do not come to their end.
            begin = f"POST /v1/runs HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 65536\r\n{head}\r\n".encode()
            kept = [socket.create_connection(("127.0.0.1", KEY_PORT)) for _ in range(100)]
            for tcp in kept:
                tcp.sendall(begin + b" " * 65000)
            time.sleep(3)
            return {"connections": len(kept)}

        def large():
            codes = {}
            for request in [f"GET /{'x' * 1_000_000} HTTP/1.1\r\n{head}\r\n".encode(),
                            f"GET / HTTP/1.1\r\nX: {'x' * 1_000_000}\r\n{head}\r\n".encode(),
                            f"POST /v1/runs HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 9000000\r\n{head}\r\n".encode() + b"x" * 9_000_000] * 20:
                code = ask(request)[9:12].decode()
                codes[code] = codes.get(code, 0) + 1
            return {"answers": codes}

        def malformed():
            codes = {}
            for number in range(2000):
                junk = os.urandom(200) if number % 2 else b"GET\r\n\r\n" * (number % 50 + 1)
                try:
                    code = ask(junk + b"\r\n\r\n", timeout=15)[9:12].decode(errors="replace") or "ended"
                except OSError:
                    code = "ended"
                codes[code] = codes.get(code, 0) + 1
            return {"answers": codes}

        for name, work in [("nobody else", lambda: time.sleep(3)), ("connections that say nothing", thousand),
                           ("triggers in a row", triggers), ("slow heads", slow), ("bodies that do not end", bodies),
                           ("oversized", large), ("malformed", malformed)]:
            case(name, work)
        time.sleep(1)
        result |= {"peak_mb": round(status(listener.pid, "VmHWM") / MIB, 1),
                   "rest_after_mb": round(status(listener.pid, "VmRSS") / MIB, 1), "cases": cases}
        if options.stand_in:
            result["most_runs_at_once"] = helper.most
        if real:
            result |= runs(home) | {"helper_peak_mb": round(status(real.pid, "VmHWM") / MIB, 1), "helper_rest_mb": round(status(real.pid, "VmRSS") / MIB, 1)}
        listener.terminate()
        listener.wait()
        if real:
            real.terminate()
            real.wait()
    with open(os.path.join(os.path.dirname(__file__), "results.json"), "w") as file:
        json.dump(result, file, indent=2)
        file.write("\n")
    print(json.dumps({key: value for key, value in result.items() if key != "cases"}))


main()
