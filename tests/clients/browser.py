"""A headless Chromium, and a small site whose page does the work and reports what came of it."""

import json
import os
import queue
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from client_settings import HERE

REPORT_S = 90
STOP_S = 20
PAGE = HERE / "programs" / "upload_page.html"
_OPTIONS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-default-browser-check",
    "--no-first-run",
)


class Site:
    """A web site of its own origin. Its page gets a plan, and posts a report once it is through with it."""

    def __init__(self, server: ThreadingHTTPServer, reports: "queue.Queue[dict[str, Any]]", plans: dict[str, Any]) -> None:
        self._reports = reports
        self._plans = plans
        self.origin = f"http://127.0.0.1:{server.server_address[1]}"

    def visit(self, plan: dict[str, Any]) -> dict[str, Any]:
        """Let a browser open the page with this plan, and return what it reports."""
        self._plans["now"] = plan
        with _browser(f"{self.origin}/"):
            return self._reports.get(timeout=REPORT_S)


@contextmanager
def running_site() -> Iterator[Site]:
    """Serve a site on a port of the system's choice."""
    reports: queue.Queue[dict[str, Any]] = queue.Queue()
    plans: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = PAGE.read_text(encoding="utf-8").replace("@plan@", json.dumps(plans["now"]))
            self._answer(page.encode() if self.path == "/" else b"<!doctype html><title>done</title>")

        def do_POST(self) -> None:
            reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer(b"")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_parts: object) -> None:
            """Say nothing: the report tells what happened."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Site(server, reports, plans)
        server.shutdown()


@contextmanager
def _browser(url: str) -> Iterator[None]:
    """Run a browser with a fresh profile on a page, and end it."""
    program = shutil.which("chromium")
    assert program, "no chromium: run `make clients` as root, or apt-get install chromium"
    # Chromium's sandbox refuses to run for root; the page is our own.
    more = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with tempfile.TemporaryDirectory(prefix="siegel-browser-", ignore_cleanup_errors=True) as profile:
        words = [program, *_OPTIONS, *more, f"--user-data-dir={profile}", url]
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                yield
            finally:
                process.terminate()
                try:
                    process.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    process.kill()
