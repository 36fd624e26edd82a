"""Turns the JSON lines of a run into the table of docs/benchmarks.md.

    python3 table.py results.jsonl

Medians per system and batch size. BullMQ adds a flow in one transaction before any job runs and says how long that
took (`add_seconds`); the ratios are taken to its time without the adding, which is its better one. Celery works while
it adds, so there its whole time counts.
"""

import json
import statistics
import sys


def name_of(line):
    """The name of a row: a peer says `system`, Tipoff says which `store`."""
    return line.get("system") or f"tipoff, {line['store']}"


def medians(lines):
    """{(jobs, name): (runs, seconds, seconds without adding)}, medians."""
    groups = {}
    for line in lines:
        without_add = line["seconds"] - line.get("add_seconds", 0.0)
        groups.setdefault((line["jobs"], name_of(line)), []).append((line["seconds"], without_add))
    return {
        key: (len(runs), *(statistics.median(column) for column in zip(*runs)))
        for key, runs in groups.items()
    }


def ratio(table, jobs, name, peer):
    """How many times the peer's speed, or a dash."""
    if (jobs, peer) not in table or name == peer:
        return "-"
    return f"{table[jobs, peer][2] / table[jobs, name][2]:.1f}x"


def markdown(table):
    """The table, one row per batch size and system."""
    yield "| jobs | system | runs | seconds | jobs/s | jobs/s without adding | to BullMQ | to Celery |"
    yield "|---:|---|---:|---:|---:|---:|---:|---:|"
    for jobs, name in sorted(table):
        runs, seconds, without_add = table[jobs, name]
        cells = [jobs, name, runs, f"{seconds:.3f}", f"{jobs / seconds:,.0f}", f"{jobs / without_add:,.0f}"]
        cells += [ratio(table, jobs, name, peer) for peer in ("bullmq", "celery")]
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
