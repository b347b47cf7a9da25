"""A lock server for tests of the client: the wire of docs/dlm-api.md (or Foreman's, with --foreman), one slot a lock, over TLS with
client certificates. What it is asked it writes to a file, a line each; a file beside that says how it misbehaves."""

import datetime
import http.server
import json
import os
import select
import ssl
import sys
import threading
import time
import urllib.parse

folder, port, foreman = sys.argv[1], int(sys.argv[2]), "--foreman" in sys.argv
changed = threading.Condition()
locks, hosts, tokens = {}, set(), [0]


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def knob(name):
    try:
        with open(f"{folder}/{name}") as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def of(name):
    expires = knob("expires")
    queue = {"order": "none", "poll": 60}
    policy = {"slots": {"number": 1}, "expires_after": int(expires) if expires else None, "stale_after": 14400, "gap": None,
              "calendar": {"zone": "UTC", "windows": [], "blackouts": []}, "freeze_after": None, "queue": queue}
    if name not in locks:
        locks[name] = {"id": len(locks) + 1, "name": name, "type": None, "enabled": True, "slots": 1, "holders": [],
                       "waiting": [], "failures": [], "frozen": False, "opens": None, "policy": policy,
                       "created": now(), "updated": now()}
    return locks[name]


def grant(lock, host, note):
    tokens[0] += 1
    lock["holders"] = [{"host": host, "since": now(), "renewed": now(), "expires": None, "stale": False,
                        "token": tokens[0], "note": note}]
    lock["updated"] = now()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, value, **headers):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def fail(self, status, code, message):
        self.answer(status, {"error": {"code": code, "message": message, "hint": ""}})

    def serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        names = [value for part in (self.connection.getpeercert() or {}).get("subject", ()) for key, value in part
                 if key == "commonName"]
        host = names[-1].lower() if names else None
        user = self.headers.get("Authorization")
        with open(f"{folder}/log", "a") as log:
            log.write(f"{self.command} {self.path} {host or 'nobody'} {body}\n")
        if knob("down"):
            return self.fail(503, "unavailable", "the store is away")
        path = urllib.parse.urlsplit(self.path).path
        if foreman:
            return self.foreman(path, host)
        segments = [urllib.parse.unquote(part) for part in path.split("/")[3:]]
        if not path.startswith("/disco/v1/"):
            return self.fail(404, "missing", "no such path")
        if not user and (host is None or (knob("unknown") and host in knob("unknown").split())):
            return self.fail(401, "unauthenticated", f"host {host} is not enrolled")
        asked = json.loads(body) if body else {}
        with changed:
            self.native(segments, self.command, asked, host)
            changed.notify_all()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def native(self, segments, method, asked, host):
        if segments == ["whoami"]:
            who = {"host": host} if host else {"user": "admin"}
            return self.answer(200, {"requester": who, "permissions": [], "server": "test"})
        if segments == ["locks"]:
            return self.answer(200, {"locks": list(locks.values()), "total": len(locks)})
        name, what = segments[1], segments[2] if len(segments) > 2 else ""
        if what == "acquire":
            return self.acquire(name, asked, host)
        if name not in locks and what != "release":
            return self.fail(404, "missing", f"no lock {name}")
        lock = of(name)
        if what == "release":
            held = [holder for holder in lock["holders"] if holder["host"] == host]
            if not held and lock["holders"]:
                return self.refuse(lock, "held-by-other", f"held by {lock['holders'][0]['host']}")
            if held and asked.get("token") not in (None, held[0]["token"]):
                return self.refuse(lock, "other-grant", "held by another grant")
            if asked.get("result") == "failed":
                lock["failures"].append({"host": host, "at": now(), "note": asked.get("note", "")})
            lock["holders"] = []
            return self.answer(200, {"held": bool(held), "lock": lock})
        if what == "force-release":
            lock["holders"] = []
        elif what in ("enable", "disable"):
            lock["enabled"] = what == "enable"
        elif what == "policy":
            lock["policy"].update(asked)
            return self.answer(200, lock if method != "GET" else lock["policy"])
        return self.answer(200, lock)

    def refuse(self, lock, code, reason, after=None):
        said = {"code": code, "reason": reason, "retry_after": after, "place": None, "lock": lock}
        self.answer(412, said, **({"Retry-After": str(after)} if after else {}))

    def acquire(self, name, asked, host):
        lock = of(name)
        if not lock["enabled"]:
            return self.refuse(lock, "disabled", "disabled", 60)
        free = lambda: not lock["holders"] or lock["holders"][0]["host"] == host
        # Who waits sends nothing more: what can be read is the end of the connection, and nothing is granted to nobody.
        gone = lambda: bool(select.select([self.connection], [], [], 0)[0])
        until = time.monotonic() + asked.get("wait", 0)
        while not free() and not gone() and time.monotonic() < until:
            changed.wait(0.05)
        if gone():
            self.close_connection = True
            return None
        if not free():
            return self.refuse(lock, "full", "1 of 1 slots held", 60)
        renewed = bool(lock["holders"])
        if renewed:
            lock["holders"][0]["renewed"] = now()
        else:
            grant(lock, host, asked.get("note", ""))
        self.answer(200, {"token": lock["holders"][0]["token"], "renewed": renewed, "lock": lock})

    def foreman(self, path, host):
        parts = path.split("/")
        if path.startswith("/disco/"):
            return self.answer(404, {"error": {"message": "no such page"}})
        name = urllib.parse.unquote(parts[3])
        said = lambda lock: {"id": lock["id"], "host_id": None, "name": name, "enabled": lock["enabled"], "type": None,
                             "created_at": "2026-11-20 07:40:12 UTC", "updated_at": "2026-11-22 07:40:12 UTC",
                             "host": {"name": lock["holders"][0]["host"], "self": lock["holders"][0]["host"] == host}
                             if lock["holders"] else None}
        if self.command == "GET" and name not in locks:
            return self.answer(404, {"error": {"message": f"Resource dlmlock not found by id '{name}'"}})
        lock = of(name)
        other = lock["holders"] and lock["holders"][0]["host"] != host
        if self.command != "GET" and (other or not lock["enabled"]):
            return self.answer(412, {"error": {"id": lock["id"], "message": "Precondition failed."}})
        if self.command == "PUT" and not lock["holders"]:
            grant(lock, host, "")
        if self.command == "DELETE":
            lock["holders"] = []
        self.answer(200, said(lock))


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def get_request(self):
        connection, address = self.socket.accept()
        return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{folder}/ca/issued/localhost.pem", f"{folder}/ca/issued/localhost.key")
context.load_verify_locations(f"{folder}/ca/ca.pem")
context.load_verify_locations(f"{folder}/ca/crl.pem")
context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
context.verify_mode = ssl.CERT_OPTIONAL
for held in (knob("held") or "").split():
    lock_name, holder = held.split(":")
    grant(of(lock_name), holder, "kernel update")
server = Server(("127.0.0.1", port), Handler)
open(f"{folder}/ready", "w").write(str(os.getpid()))
server.serve_forever()
