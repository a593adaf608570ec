"""What an idle node costs: processor milliseconds per second of each of its processes.

Its checks are the supervisor, what the workers do (each second they say how they are), and the loader without the
engine, whose own threads work by themselves. The gateway stands apart.

    python bench/idle.py [SECONDS]
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

SETTLE_SECONDS = 25
# Threads of the engine; the unnamed ones among them count for the loader.
ENGINE = ("MergeMutate", "BgSchPool", "BgStrmSchPool", "PoolDelayExec", "MemoryWorker", "jemalloc", "ThreadPool")


def name_of(process: psutil.Process) -> str:
    """Its part in the node."""
    words = process.cmdline()
    if "qrumb_server" not in words:
        return "supervisor" if "serve" in words else "gateway"
    return words[words.index("qrumb_server") + 1]


def spent(node: psutil.Process) -> Counter[str]:
    """Nanoseconds so far, by part; of threads that live."""
    sums: Counter[str] = Counter()
    for process in (node, *node.children(recursive=True)):
        name = name_of(process)
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            try:
                is_engine = name == "loader" and (task / "comm").read_text().startswith(ENGINE)
                sums["engine" if is_engine else name] += int((task / "schedstat").read_text().split()[0])
            except OSError:  # the thread has ended
                continue
    return sums


def main(seconds: float) -> None:
    with TemporaryDirectory() as data_dir:
        env = os.environ | {"DATA_DIR": data_dir, "HTTP_PORT": "0", "GRPC_PORT": "0", "METRICS_PORT": "0"}
        command = [str(Path(sys.executable).with_name("qrumb")), "serve"]
        with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL) as child:
            try:
                time.sleep(SETTLE_SECONDS)
                node = psutil.Process(child.pid)
                before, begun = spent(node), time.monotonic()
                time.sleep(seconds)
                after, took = spent(node), time.monotonic() - begun
            finally:
                child.send_signal(signal.SIGTERM)
    parts = {name: (after[name] - before[name]) / 1e6 / took for name in sorted(after)}
    checks = sum(part for name, part in parts.items() if name not in {"engine", "gateway"})
    print(", ".join(f"{name} {part:.2f}" for name, part in parts.items()), f"; without engine and gateway {checks:.2f}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)
