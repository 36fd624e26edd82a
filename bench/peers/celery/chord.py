"""One Celery chord: N empty tasks and a callback, timed from the call to the callback.

What is measured is what a batch needs from a queue: N jobs go in, each is taken, done and counted once, and
somebody learns that the last one is done. The worker is up and answers pings before the clock starts.

Two things would make Celery look slower than it is, and are avoided. A client that starts a chord subscribes to the
result of each of its tasks, and one that waits with `get()` then reads all of them one by one: at 5,000 tasks that
took longer than the work. So the client does not subscribe (as Celery itself does not when a task starts a chord),
and the callback pushes to a list on which the client waits.

    python chord.py --redis redis://127.0.0.1:6379 --jobs 5000 [--repeat 5] [--concurrency 2]

Prints one line of JSON per repetition.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import uuid

from celery import Celery, chord, group
from celery._state import _set_task_join_will_block
from redis import Redis

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


@app.task(name="count", ignore_result=True)
def count(results, bell):
    """The end of the batch: tells how many jobs were counted."""
    Redis.from_url(app.conf.broker_url).lpush(bell, len(results))


def measure(jobs, redis, timeout):
    """Runs one chord and returns what it took."""
    bell = f"bell-{uuid.uuid4()}"
    started = time.perf_counter()
    chord(group(empty.s() for _ in range(jobs)))(count.s(bell))
    rung = redis.blpop(bell, timeout=timeout)
    seconds = time.perf_counter() - started
    if rung is None or int(rung[1]) != jobs:
        raise SystemExit(f"the chord of {jobs} tasks ended with {rung}")
    return {"system": "celery", "jobs": jobs, "seconds": seconds, "jobs_per_second": jobs / seconds}


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
    parser.add_argument("--timeout", type=int, default=300)
    args = parser.parse_args()
    app.conf.update(broker_url=args.redis, result_backend=args.redis)
    # Somebody who ends this script means the worker too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    worker = start_worker(args.concurrency, args.redis)
    # No timeout of the socket: the wait has its own.
    redis = Redis.from_url(args.redis, socket_timeout=None)
    _set_task_join_will_block(True)
    try:
        # A small chord warms the connections; it is not reported.
        measure(50, redis, args.timeout)
        for _ in range(args.repeat):
            print(json.dumps(measure(args.jobs, redis, args.timeout)), flush=True)
    finally:
        worker.terminate()
        worker.wait(timeout=30)


if __name__ == "__main__":
    main()
