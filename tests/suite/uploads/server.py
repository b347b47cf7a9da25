"""A Foreman and a webhook for tests of uploads: keeps one report of a host and a time, as Foreman does, and refuses what its importer
refuses. What it is asked it writes to a file, a line of JSON each, before it answers. A file named after what comes (`report`, `facts`,
`hook`) says how it misbehaves, a line for each request: a status; hang (no answer); late (kept, then no answer); lost (kept, and the
connection cut); cut; slow (kept, answered after a second). With a third argument it speaks TLS with that certificate."""

import hashlib
import hmac
import http.server
import json
import os
import socket
import ssl
import sys
import threading
import time

folder, port = sys.argv[1], int(sys.argv[2])
guard = threading.Lock()
reports = set()
LEVELS = ["debug", "info", "notice", "warning", "err", "alert", "emerg", "crit"]
METRIC = ["applied", "restarted", "failed", "failed_restarts", "skipped", "pending"]


def next_word(name):
    """The first line of the knob, which is used up; the last one stays where it ends in `!`."""
    with guard:
        try:
            with open(f"{folder}/{name}") as file:
                lines = file.read().split()
        except FileNotFoundError:
            return ""
        if not lines:
            return ""
        if not lines[0].endswith("!"):
            with open(f"{folder}/{name}", "w") as file:
                file.write("\n".join(lines[1:]))
        return lines[0].rstrip("!")


def take_report(body):
    """What ConfigReportsController#create makes of it."""
    report = body["config_report"]
    if sorted(report["status"]) != sorted(METRIC):
        return 500, {"error": {"message": "TypeError: nil can't be coerced into Integer"}}
    for log in report["logs"]:
        log = log["log"]
        if log["level"] not in LEVELS or not log["messages"]["message"].strip() or not log["sources"]["source"].strip():
            return 422, {"error": {"message": f"Invalid log: {log}"}}
    key = (report["host"].lower(), report["reported_at"])
    with guard:
        if key in reports:
            errors = {"reported_at": ["has already been taken"]}
            return 422, {"error": {"id": None, "errors": errors, "full_messages": ["Reported at has already been taken"]}}
        reports.add(key)
    return 201, {"id": len(reports)}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def cut(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"]))
        what = {"/api/config_reports": "report", "/api/hosts/facts": "facts"}.get(self.path, "hook")
        word = next_word(what)
        mac = "sha256=" + hmac.new(b"quite-a-secret-thing", text, hashlib.sha256).hexdigest()
        peer = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        asked = {"what": what, "path": self.path, "body": json.loads(text), "login": self.headers["Authorization"],
                 "signed": hmac.compare_digest(mac, self.headers["X-Disco-Signature-256"] or ""),
                 "delivery": self.headers["X-Disco-Delivery"], "type": self.headers["Content-Type"],
                 "peer": [value for part in (peer or {}).get("subject", ()) for name, value in part]}
        kept = word in ("", "late", "lost", "slow")
        status, value = take_report(asked["body"]) if kept and what == "report" else (201 if kept else 0, {})
        with guard, open(f"{folder}/log", "a") as file:
            file.write(json.dumps({**asked, "status": status}) + "\n")
        if word in ("hang", "late"):
            time.sleep(100)
        elif word in ("cut", "lost"):
            self.cut()
        else:
            time.sleep(1 if word == "slow" else 0)
            self.answer(status if kept else int(word), value if kept else {"error": {"message": "so it is"}})


server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3] + ".pem", sys.argv[3] + ".key")
    context.load_verify_locations(sys.argv[4])
    context.verify_mode = ssl.CERT_OPTIONAL
    server.socket = context.wrap_socket(server.socket, server_side=True)
with open(f"{folder}/ready", "w") as file:
    file.write(str(os.getpid()))
server.serve_forever()
