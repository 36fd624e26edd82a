"""Microseconds per row of the native engine beside ONNX Runtime and the libraries that trained the models.

    python run.py --trees BINARY --work FOLDER [--rounds 9] [--seconds 0.4]

One thread, 1,000 trees of depth 6 (LightGBM: 63 leaves), 54 features, batches of 1, 32, 334 and 10,000 rows. A round
measures everybody once (the slower ways of the native engine every third time) and the rounds are interleaved, because the
machine is shared: ratios of one run count, and they are to the fastest way that this processor has. For each cell: the
median over rounds of a round's median batch. Python's peers are called with a C-contiguous float32 matrix, prepared before;
their call overhead is in the number, and is stated by the row `an empty call`.
"""

import argparse
import json
import pathlib
import subprocess
import time

import numpy as np
import onnxruntime

from models import invented, train

BATCHES = [1, 32, 334, 10_000]
WIDTH = 54


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    made = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = made.get_inputs()[0].name
    return lambda x: made.run(None, {name: x})


def timed(call, x, batch, seconds):
    parts = [np.ascontiguousarray(x[i : i + batch]) for i in range(0, len(x) - batch + 1, batch)]
    call(parts[0])
    times, began = [], time.perf_counter()
    while time.perf_counter() - began < seconds or len(times) < 3:
        part = parts[len(times) % len(parts)]
        start = time.perf_counter()
        call(part)
        times.append(time.perf_counter() - start)
    return float(np.median(times)) / batch * 1e6


def native(binary, model, rows, batch, seconds, how):
    command = [binary, "time", model, rows, str(WIDTH), f"batch={batch}", f"seconds={seconds}", f"how={how}"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["us_per_row_median"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trees", required=True, help="the binary `trees` of the crate bench, release build")
    parser.add_argument("--work", required=True, help="folder for models and rows, outside the repository")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.4)
    args = parser.parse_args()
    x, _ = invented(9, 10_000, WIDTH)
    rows = str(pathlib.Path(args.work, "rows.bin"))
    trained = [train(args.work, kind, 1000, 6, WIDTH) for kind in ("catboost", "lightgbm", "xgboost")]
    x.astype("<f8").tofile(rows)
    cells = {}
    sets = subprocess.run([args.trees, "sets"], check=True, capture_output=True, text=True).stdout.split()
    runtimes = {model.kind: session(model.path) for model in trained}
    for batch in BATCHES:
        cells["", "an empty call", batch] = [timed(lambda part: None, x, batch, args.seconds)]
    for round_number in range(args.rounds):
        for model in trained:
            for batch in BATCHES:
                def note(who, value):
                    cells.setdefault((model.kind, who, batch), []).append(value)

                for how in sets if round_number % 3 == 0 else sets[:1]:
                    note(f"native, {how}", native(args.trees, str(model.path), rows, batch, args.seconds, how))
                note("its library", timed(model.predict, x, batch, args.seconds))
                note("ONNX Runtime", timed(runtimes[model.kind], x, batch, args.seconds))
    print("| model | engine | " + " | ".join(f"{batch:,} rows" for batch in BATCHES) + " |")
    print("|---|---|" + "---:|" * len(BATCHES))
    median = {key: float(np.median(values)) for key, values in cells.items()}
    for kind, who in dict.fromkeys((kind, who) for kind, who, _ in cells):
        line = []
        for batch in BATCHES:
            best = f"native, {sets[0]}"
            value, ours = median[kind, who, batch], median.get((kind, best, batch))
            ratio = f" ({value / ours:.1f}x)" if ours and who != best else ""
            line.append(f"{value:.3f}{ratio}")
        print(f"| {kind} | {who} | " + " | ".join(line) + " |")


if __name__ == "__main__":
    main()
