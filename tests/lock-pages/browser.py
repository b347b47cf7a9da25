"""A browser without a screen, driven by chromedriver over plain HTTP (W3C WebDriver); nothing but Python's own library."""

import base64
import json
import re
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
# Whatever proxy this machine has, it is not asked for what is on loopback.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Driver:
    """chromedriver, for as long as it is in use."""

    def __enter__(self):
        self.process = subprocess.Popen(
            ["chromedriver", "--port=0", "--log-level=SEVERE"], stdout=subprocess.PIPE, text=True
        )
        for line in self.process.stdout:
            found = re.search(r"successfully on port (\d+)", line)
            if found:
                self.url = f"http://127.0.0.1:{found[1]}"
                return self
        raise SystemExit("chromedriver did not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with OPENER.open(request, timeout=30) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise WebDriverError(json.load(error)["value"]) from None


class WebDriverError(Exception):
    """What chromedriver says that it cannot do."""


class Browser:
    """One browser with a profile of its own."""

    def __init__(self, driver, scripts=True, dark=False, width=1100, height=900):
        self.driver = driver
        self.profile = tempfile.TemporaryDirectory()
        arguments = [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
            "--disable-component-update", "--disable-sync", "--no-proxy-server", f"--user-data-dir={self.profile.name}",
            f"--window-size={width},{height}", "--hide-scrollbars",
        ]
        if dark:
            arguments.append("--force-dark-mode")
        chrome = {"args": arguments, "binary": "/usr/bin/chromium"}
        if not scripts:
            chrome["prefs"] = {"profile.managed_default_content_settings.javascript": 2}
        wanted = {"acceptInsecureCerts": True, "goog:chromeOptions": chrome}
        self.path = "/session/" + driver.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.call("DELETE", "")
        self.profile.cleanup()

    def call(self, method, path, body=None):
        return self.driver.call(method, self.path + path, body)

    def go(self, url):
        self.call("POST", "/url", {"url": url})

    def url(self):
        return self.call("GET", "/url")

    def find(self, css):
        return self.call("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def count(self, css):
        return len(self.call("POST", "/elements", {"using": "css selector", "value": css}))

    def text(self, css="body"):
        return self.call("GET", f"/element/{self.find(css)}/text")

    def attribute(self, css, name):
        return self.call("GET", f"/element/{self.find(css)}/attribute/{name}")

    def type(self, css, text):
        element = self.find(css)
        self.call("POST", f"/element/{element}/clear", {})
        self.call("POST", f"/element/{element}/value", {"text": text})

    def click(self, css):
        """Clicks, and waits until a page that it leads to is there."""
        before = self.find("html")
        self.call("POST", f"/element/{self.find(css)}/click", {})
        for _ in range(100):
            try:
                self.call("GET", f"/element/{before}/name")
            except WebDriverError:
                return
            time.sleep(0.02)

    def press(self, css):
        """Clicks on what leads nowhere."""
        self.call("POST", f"/element/{self.find(css)}/click", {})

    def keys(self, *keys):
        """Keys, as a keyboard sends them to whatever has the focus."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def focused(self):
        element = self.call("GET", "/element/active")[ELEMENT]
        return self.call("GET", f"/element/{element}/text") or self.call("GET", f"/element/{element}/attribute/id")

    def run(self, script):
        return self.call("POST", "/execute/sync", {"script": script, "args": []})

    def cookies(self):
        return {cookie["name"]: cookie for cookie in self.call("GET", "/cookie")}

    def picture(self, path):
        """The whole page, from top to bottom."""
        height = self.run("return document.documentElement.scrollHeight")
        width = self.call("GET", "/window/rect")["width"]
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.devtools("Emulation.setDeviceMetricsOverride", size)
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("GET", "/screenshot")))
        self.devtools("Emulation.clearDeviceMetricsOverride", {})

    def devtools(self, command, params):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": params})
