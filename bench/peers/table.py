"""Turns the JSON lines of a run into the table of docs/benchmarks.md.

    python3 table.py results.jsonl

Medians per system and batch size, of two times. `whole` begins with the first call and contains the adding of the
jobs; `working` begins when all jobs are in. Tipoff and BullMQ let nobody work before that, so both are known; Celery
works while it adds, so its whole time counts for both. A ratio says how many times the peer's speed a system has.
"""

import json
import statistics
import sys

PEERS = ("bullmq", "celery")


def name_of(line):
    """The name of a row: a peer says `system`, Tipoff says which `store`."""
    return line.get("system") or f"tipoff, {line['store']}"


def times_of(line):
    """(whole, working) in seconds: a peer's `seconds` contain the adding, Tipoff's `seconds` do not."""
    if "store" in line:
        return line["seconds"] + line["fill_seconds"], line["seconds"]
    return line["seconds"], line["seconds"] - line.get("add_seconds", 0.0)


def medians(lines):
    """{(jobs, name): (runs, whole, working)}."""
    groups = {}
    for line in lines:
        groups.setdefault((line["jobs"], name_of(line)), []).append(times_of(line))
    return {key: (len(runs), *map(statistics.median, zip(*runs))) for key, runs in groups.items()}


def ratios(table, jobs, name):
    """For each peer how many times its speed, whole and working; dashes beside itself."""
    for peer in PEERS:
        if name == peer or (jobs, peer) not in table:
            yield from ("-", "-")
            continue
        _, whole, working = table[jobs, name]
        _, peer_whole, peer_working = table[jobs, peer]
        yield from (f"{peer_whole / whole:.1f}x", f"{peer_working / working:.1f}x")


def markdown(table):
    """The table, one row per batch size and system."""
    head = ["jobs", "system", "runs", "whole, s", "jobs/s", "working, s", "jobs/s"]
    head += [f"to {peer}, {which}" for peer in PEERS for which in ("whole", "working")]
    yield "| " + " | ".join(head) + " |"
    yield "|---:|---|" + "---:|" * (len(head) - 2)
    for jobs, name in sorted(table):
        runs, whole, working = table[jobs, name]
        cells = [f"{jobs:,}", name, runs, f"{whole:.3f}", f"{jobs / whole:,.0f}", f"{working:.3f}"]
        cells += [f"{jobs / working:,.0f}", *ratios(table, jobs, name)]
        yield "| " + " | ".join(str(cell) for cell in cells) + " |"


def main():
    """Reads the file named on the command line."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: table.py results.jsonl")
    with open(sys.argv[1], encoding="utf-8") as file:
        lines = [json.loads(line) for line in file if line.strip()]
    print("\n".join(markdown(medians(lines))))


if __name__ == "__main__":
    main()
