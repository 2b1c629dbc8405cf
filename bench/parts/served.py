"""A build that serves: started over a folder of its own, stopped, and asked for the processor time it has used.

Everything is on that a site has on: fsync before each acknowledgement, the audit entry before each read's answer.
"""
import os
import signal
import subprocess
import time

CONFIG = """data_dir = "data"
[http]
listen = "127.0.0.1:0"
[log]
level = "error"
[[flow]]
name = "bench"
acknowledge = "received"
[flow.source.mllp]
listen = "127.0.0.1:0"
max_connections = 1024
"""

# Threads that do something else than receive, keep and acknowledge: they work behind the acknowledgement.
BEHIND = ("flow-", "chart-", "ledger", "journal-text", "audit", "http", "search")


class Served:
    """A running server. Use it in a `with`."""

    def __init__(self, program, folder):
        os.makedirs(folder, exist_ok=True)
        self.data = os.path.join(folder, "data")
        config = os.path.join(folder, "causeway.toml")
        with open(config, "w") as file:
            file.write(CONFIG)
        self.process = subprocess.Popen(
            [program, "serve", "-c", config], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        self.http = self.mllp = None
        for line in self.process.stdout:
            if line.startswith("fhir: http://"):
                self.http = address(line.split("http://")[1].split("/")[0])
            elif "mllp://" in line:
                self.mllp = address(line.split("mllp://")[1].strip())
            elif line.strip() == "ready":
                break
        else:
            raise SystemExit(f"{program} serve did not get ready: what it said stands above")
        self.at_ready = self.cpu()
        self.token = subprocess.run(
            [program, "token", "--data", self.data], check=True, capture_output=True, text=True
        ).stdout.strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()

    def cpu(self):
        """Seconds of user and system time of the process so far, to the nanosecond (clock_getcpuclockid(3))."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def cpu_of_receiving(self):
        """The same of the threads that receive, keep and acknowledge."""
        total = 0
        tasks = f"/proc/{self.process.pid}/task"
        for task in os.listdir(tasks):
            try:
                with open(f"{tasks}/{task}/comm") as file:
                    name = file.read()
                with open(f"{tasks}/{task}/schedstat") as file:
                    spent = int(file.read().split()[0])
            except OSError:
                continue  # It has ended in between.
            if not name.startswith(BEHIND):
                total += spent
        return total / 1e9


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def ran(command):
    """Runs a command to its end: its processor time in seconds, and what it wrote."""
    read, write = os.pipe()
    process = subprocess.Popen(command, stdout=write, stderr=subprocess.DEVNULL)
    os.close(write)
    with open(read, "rb") as file:
        output = file.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime, output
