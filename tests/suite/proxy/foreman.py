"""A smart proxy on port 8000, and a Foreman on port 3000 that asks it back: foreman.py FOLDER. The proxy says what is in FOLDER/v2
(404 where that is not there) and FOLDER/v1. The Foreman's user is admin, his password changeme; it writes its requests to
FOLDER/requests, and refuses with 422 while there is FOLDER/refuse."""
import base64
import json
import os
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

folder = sys.argv[1]
known = {}


class Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def say(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


class Proxy(Quiet):
    def do_GET(self):
        file = os.path.join(folder, {"/v2/features": "v2", "/features": "v1"}.get(self.path, "none"))
        if not os.path.exists(file):
            return self.say(404, "Requested url was not found")
        self.say(200, open(file).read())


class Foreman(Quiet):
    def do_GET(self):
        self.work()

    do_POST = do_PUT = do_GET

    def work(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.split("?")[0]
        print(self.command, path, file=open(os.path.join(folder, "requests"), "a"))
        wanted = "Basic " + base64.b64encode(b"admin:changeme").decode()
        if self.headers.get("Authorization") != wanted:
            return self.say(401, json.dumps({"error": {"message": "Unable to authenticate user"}}))
        if self.command == "GET":
            return self.say(200, json.dumps({"results": list(known.values())}))
        if os.path.exists(os.path.join(folder, "refuse")):
            return self.say(422, json.dumps({"error": {"full_messages": ["Name has already been taken"]}}))
        if self.command == "POST":
            known[1] = {"id": 1, **json.loads(body)["smart_proxy"]}
        url = known[1]["url"].rstrip("/")
        said = json.load(urllib.request.urlopen(url + "/v2/features"))
        running = [name for name, one in said.items() if one["state"] == "running"]
        names = {"logs": "Logs", "facts": "Facts"}
        known[1]["features"] = [{"name": names[name]} for name in running if name in names]
        self.say(201 if self.command == "POST" else 200, json.dumps(known[1]))


servers = [ThreadingHTTPServer(("127.0.0.1", 8000), Proxy), ThreadingHTTPServer(("127.0.0.1", 3000), Foreman)]
for server in servers:
    threading.Thread(target=server.serve_forever).start()
open(os.path.join(folder, "ready"), "w").close()
