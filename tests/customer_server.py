"""A server that the customer runs, as a process: started, ready, stopped."""

import subprocess
from urllib.parse import urlsplit


class CustomerServer:
    """A process that has said `ready ...=URL` in a line that `ready` matches. Its standard error is kept in `errors`."""

    def __init__(self, words, ready, errors):
        self.errors = errors
        with errors.open("wb") as stream:
            self.process = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stderr=stream, text=True)
        found = ready.fullmatch(self.process.stdout.readline())
        if not found:
            self.stop()
        assert found, errors.read_text()
        self.url = urlsplit(found[1])

    def stop(self, number=15):
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
            self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
