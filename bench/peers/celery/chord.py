"""One Celery chord: N empty tasks and a callback, timed from the call to the callback's result.

What is measured is what a batch needs from a queue: N jobs go in, each is taken, done and counted once, and
somebody learns that the last one is done. The worker is up and answers pings before the clock starts.

    python chord.py --redis redis://127.0.0.1:6379 --jobs 5000 [--repeat 5] [--concurrency 2]

Prints one line of JSON per repetition.
"""

import argparse
import json
import os
import subprocess
import sys
import time

from celery import Celery, chord, group

app = Celery("chord")
app.conf.update(
    broker_url=os.environ.get("PEER_REDIS"),
    result_backend=os.environ.get("PEER_REDIS"),
    # The settings a user would choose for many small tasks: fetch ahead, no events, no log line per task.
    worker_prefetch_multiplier=64,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    task_acks_late=False,
    broker_connection_retry_on_startup=True,
    result_extended=False,
)


@app.task(name="empty")
def empty():
    """One job: nothing."""


@app.task(name="count")
def count(results):
    """The end of the batch: how many jobs were counted."""
    return len(results)


def measure(jobs, timeout):
    """Runs one chord and returns what it took."""
    started = time.perf_counter()
    end = chord(group(empty.s() for _ in range(jobs)))(count.s())
    added = time.perf_counter()
    counted = end.get(timeout=timeout, interval=0.005)
    seconds = time.perf_counter() - started
    if counted != jobs:
        raise SystemExit(f"{counted} of {jobs} tasks were counted by the chord")
    return {
        "system": "celery",
        "jobs": jobs,
        "seconds": seconds,
        "add_seconds": added - started,
        "jobs_per_second": jobs / seconds,
    }


def start_worker(concurrency, redis):
    """A worker process as `celery worker` starts it; returns once it answers a ping."""
    command = [sys.executable, "-m", "celery", "-A", "chord", "worker", "--pool", "prefork"]
    command += ["--concurrency", str(concurrency), "--loglevel", "ERROR", "--without-gossip", "--without-mingle"]
    folder = os.path.dirname(os.path.abspath(__file__))
    # Celery warns about running as root; the worker lives for a minute and takes nothing but empty tasks.
    env = {**os.environ, "PEER_REDIS": redis, "PYTHONWARNINGS": "ignore"}
    worker = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL)
    give_up = time.monotonic() + 30
    while not app.control.ping(timeout=0.5):
        if worker.poll() is not None or time.monotonic() > give_up:
            worker.kill()
            raise SystemExit("the celery worker did not come up within 30 s")
    return worker


def main():
    """Parses the command line, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=300)
    args = parser.parse_args()
    app.conf.update(broker_url=args.redis, result_backend=args.redis)
    worker = start_worker(args.concurrency, args.redis)
    try:
        # A small chord warms the connections; it is not reported.
        measure(50, args.timeout)
        for _ in range(args.repeat):
            print(json.dumps(measure(args.jobs, args.timeout)), flush=True)
    finally:
        worker.terminate()
        worker.wait(timeout=30)


if __name__ == "__main__":
    main()
