"""The native engine beside ONNX Runtime and the libraries that trained the models, row by row.

    python run.py --trees BINARY --work FOLDER [--rows 10000] [--only NAME] [--minutes M]

25 models of CatBoost, LightGBM and XGBoost on invented data: depths 2 to 10, 1 to 2,000 trees, 5 to 300 features. In half
of the rows every fifth cell is exactly a threshold of its feature or the next float beside one; one cell in twenty is
missing, one in a hundred infinite. For every model:

- native against ONNX Runtime: within the error that adding that many floats in single precision may have;
- native against the library: |difference| <= 1e-5 max(1, |y|) on every row on which the export, as ONNX Runtime runs it,
  agrees with its library that well. The other rows are counted: exports round LightGBM's and some of XGBoost's numbers.
  Where only its rounding brings ONNX Runtime within the bound, the exported leaves added exactly decide;
- CatBoost's own JSON file, which has the weights in double precision, against CatBoost: the same bound, on every row;
- the same bits for batches of 1, 7, 64, 334 and 10,000 rows, on two threads, and on every instruction set.

Prints a table; the exit code is 1 if anything differs that may not. What was compared with the same binary is remembered in
the work folder, so that the whole can be done in pieces: with `--minutes` no model is begun after that time, and the exit
code is 3 while models are left.
"""

import argparse
import hashlib
import json
import math
import operator
import pathlib
import subprocess
import sys
import time

import numpy as np
import onnx
import onnxruntime

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "inference"))
from models import invented, train  # noqa: E402

# kind, trees, depth, features, further options of the trainer
MODELS = [
    ("catboost", 1, 2, 5, {}),
    ("catboost", 10, 3, 8, {}),
    ("catboost", 100, 4, 20, {}),
    ("catboost", 100, 6, 20, {"nan_mode": "Max"}),
    ("catboost", 300, 6, 54, {}),
    ("catboost", 1000, 6, 54, {}),
    ("catboost", 2000, 5, 30, {}),
    ("catboost", 100, 8, 54, {}),
    ("catboost", 30, 10, 60, {}),
    ("catboost", 60, 6, 300, {}),
    ("lightgbm", 1, 2, 5, {}),
    ("lightgbm", 50, 4, 10, {}),
    ("lightgbm", 300, 6, 54, {}),
    ("lightgbm", 1000, 6, 54, {}),
    ("lightgbm", 2000, 4, 20, {}),
    ("lightgbm", 60, 8, 54, {"num_leaves": 255}),
    ("lightgbm", 40, 10, 60, {"num_leaves": 800}),
    ("lightgbm", 40, 6, 300, {}),
    ("xgboost", 1, 2, 5, {}),
    ("xgboost", 100, 4, 20, {}),
    ("xgboost", 300, 6, 54, {}),
    ("xgboost", 1000, 6, 54, {}),
    ("xgboost", 2000, 3, 15, {}),
    ("xgboost", 60, 8, 40, {}),
    ("xgboost", 30, 10, 60, {}),
]
TOLERANCE = 1e-5


def attributes(path):
    graph = onnx.load(str(path)).graph
    node = next(node for node in graph.node if node.op_type == "TreeEnsembleRegressor")
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def hard_rows(trees, rows, width):
    """Rows like the training ones, half of them with cells on thresholds and on the floats beside them."""
    x, _ = invented(99, rows, width)
    rng = np.random.default_rng(5)
    by_feature = {}
    for mode, feature, value in zip(trees["nodes_modes"], trees["nodes_featureids"], trees["nodes_values"]):
        if mode != b"LEAF" and np.isfinite(value):
            by_feature.setdefault(feature, set()).add(np.float32(value))
    half = rows // 2
    for feature, values in by_feature.items():
        values = np.array(sorted(values), dtype=np.float32)
        values = np.concatenate([values, np.nextafter(values, np.float32(np.inf)), np.nextafter(values, np.float32(-np.inf))])
        here = np.flatnonzero(rng.random(half) < 0.2)
        x[here, feature] = rng.choice(values, len(here))
    x[rng.random(x.shape) < 0.05] = np.nan
    infinite = rng.random(x.shape) < 0.01
    x[infinite] = np.where(rng.random(int(infinite.sum())) < 0.5, np.inf, -np.inf).astype(np.float32)
    return x


def single_precision_error(trees):
    """What a sum of that many floats, in any order, may be off by."""
    largest = {}
    for tree, weight in zip(trees["target_treeids"], trees["target_weights"]):
        largest[tree] = max(largest.get(tree, 0.0), abs(weight))
    base = sum(abs(value) for value in trees.get("base_values", []))
    return (len(largest) + 2) * 2.0**-24 * (sum(largest.values()) + base)


COMPARE = {b"BRANCH_LEQ": operator.le, b"BRANCH_LT": operator.lt, b"BRANCH_GTE": operator.ge, b"BRANCH_GT": operator.gt,
           b"BRANCH_EQ": operator.eq, b"BRANCH_NEQ": operator.ne}


def exact(trees, rows):
    """The exported trees walked one by one, their leaves added without rounding: what the export says, whoever runs it."""
    columns = zip(*(trees[f"nodes_{name}"] for name in
                    ["treeids", "nodeids", "modes", "featureids", "values", "truenodeids", "falsenodeids"]),
                  trees.get("nodes_missing_value_tracks_true") or [0] * len(trees["nodes_treeids"]))
    nodes = {(tree, node): rest for tree, node, *rest in columns}
    weights = dict(zip(zip(trees["target_treeids"], trees["target_nodeids"]), trees["target_weights"]))
    base = list(trees.get("base_values", []))
    answers = []
    for row in rows:
        leaves = []
        for tree in dict.fromkeys(trees["nodes_treeids"]):
            at = 0
            while nodes[tree, at][0] != b"LEAF":
                mode, feature, value, on_true, on_false, missing = nodes[tree, at]
                is_true = missing if np.isnan(row[feature]) else COMPARE[mode](row[feature], np.float32(value))
                at = on_true if is_true else on_false
            leaves.append(float(np.float32(weights[tree, at])))
        answers.append(math.fsum(leaves + base))
    return np.array(answers)


class Native:
    def __init__(self, binary, folder, x):
        self.binary, self.rows, self.out, self.width = binary, folder / "hard.bin", folder / "answers.bin", x.shape[1]
        x.astype("<f8").tofile(self.rows)

    def answer(self, model, *options):
        command = [self.binary, "answer", str(model), str(self.rows), str(self.width), str(self.out), *options]
        subprocess.run(command, check=True)
        return np.fromfile(self.out, dtype="<f8")


def runtime_answers(path, x):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {session.get_inputs()[0].name: x})[0], dtype=np.float64).ravel()


def instruction_sets(binary):
    return subprocess.run([binary, "sets"], check=True, capture_output=True, text=True).stdout.split()


def compare(args, folder, spec):
    kind, count, depth, width, options = spec
    model = train(args.work, kind, count, depth, width, **options)
    trees = attributes(model.path)
    x = hard_rows(trees, args.rows, width)
    native = Native(args.trees, folder, x)
    ours = native.answer(model.path)
    faults = []
    for option in ["batch=1", "batch=7", "batch=64", "batch=334", "threads=2 batch=100", *(f"how={name}" for name in args.sets)]:
        if native.answer(model.path, *option.split()).tobytes() != ours.tobytes():
            faults.append(f"other bits with {option}")
    runtime, allowed = runtime_answers(model.path, x), single_precision_error(trees)
    worst = float(np.max(np.abs(ours - runtime)))
    if not worst <= allowed:
        faults.append(f"{worst:.2e} from ONNX Runtime, {allowed:.2e} allowed")
    # XGBoost refuses infinite values.
    judged = ~np.isinf(x).any(axis=1) if kind == "xgboost" else np.ones(len(x), dtype=bool)
    library = np.asarray(model.predict(x[judged]), dtype=np.float64)
    bound = TOLERANCE * np.maximum(1, np.abs(library))
    export_agrees = np.abs(runtime[judged] - library) <= bound
    near = np.abs(ours[judged] - library) <= bound
    # ONNX Runtime adds in single precision, and now and then its error takes it to the library's side of the bound. What the
    # export says is then settled by adding its leaves exactly.
    odd = np.flatnonzero(export_agrees & ~near)
    settled = np.abs(exact(trees, x[judged][odd]) - library[odd]) > bound[odd] if len(odd) else np.zeros(0, dtype=bool)
    export_agrees[odd[settled]] = False
    wrong = int(np.sum(export_agrees & ~near))
    if wrong:
        faults.append(f"{wrong} rows differ from the library where the export does not")
    json_worst = ""
    if kind == "catboost":
        own = native.answer(f"{model.path.with_suffix('.model')}.cat.json")
        json_worst = f"{float(np.max(np.abs(own - library) / np.maximum(1, np.abs(library)))):.1e}"
        if not np.all(np.abs(own - library) <= bound):
            faults.append("CatBoost's own JSON differs from CatBoost")
    note = ", ".join(f"{key} {value}" for key, value in options.items())
    row = (f"| {kind} {note} | {count} | {depth} | {width} | {worst:.1e} | {allowed:.1e} | {len(library):,} | {int(near.sum()):,} "
           f"| {int(np.sum(~export_agrees)):,} | {wrong} | {json_worst} | {'; '.join(faults) or 'same bits'} |")
    return {"row": row, "good": not faults, "rows": int(len(x)), "judged": len(library), "near": int(near.sum()),
            "export_differs": int(np.sum(~export_agrees)), "settled": int(np.sum(settled)), "wrong": wrong}


class Memory:
    """What was found so far, by model; only what this binary answered for that many rows, asked by this script."""

    def __init__(self, folder, binary, rows):
        who = [pathlib.Path(binary), pathlib.Path(__file__)]
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in who)).hexdigest()
        self.path, self.key = folder / "parity.json", f"{digest} {rows}"
        held = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.found = held.get("found", {}) if held.get("key") == self.key else {}

    def keep(self, name, result):
        self.found[name] = result
        self.path.write_text(json.dumps({"key": self.key, "found": self.found}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trees", required=True, help="the binary `trees` of the crate bench, release build")
    parser.add_argument("--work", required=True, help="folder for models and rows, outside the repository")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--only", default="", help="models of this library only")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no model after this time")
    args = parser.parse_args()
    args.sets = instruction_sets(args.trees)
    folder = pathlib.Path(args.work)
    folder.mkdir(parents=True, exist_ok=True)
    memory, began = Memory(folder, args.trees, args.rows), time.monotonic()
    chosen = {json.dumps(spec): spec for spec in MODELS if args.only in spec[0]}
    for name, spec in chosen.items():
        if name not in memory.found and time.monotonic() - began < 60 * args.minutes:
            memory.keep(name, compare(args, folder, spec))
            print(memory.found[name]["row"], file=sys.stderr, flush=True)
    found = [memory.found[name] for name in chosen if name in memory.found]
    print("| model | trees | depth | features | from ONNX Runtime | allowed | rows beside the library | within 1e-5 "
          "| export differs from library | differs although the export agrees | CatBoost JSON from CatBoost | |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|")
    for result in found:
        print(result["row"])
    good = sum(result["good"] for result in found)
    total = {key: sum(result[key] for result in found) for key in ["judged", "near", "export_differs", "settled", "wrong"]}
    print(f"\n{good} of {len(found)} models, {args.rows:,} rows each, instruction sets: {', '.join(args.sets)}. Beside the libraries "
          f"{total['judged']:,} rows: {total['near']:,} within 1e-5, {total['export_differs']:,} on which the export differs from its "
          f"library ({total['settled']} of them only when its leaves are added exactly), {total['wrong']} on which only the engine does.")
    if len(found) < len(chosen):
        print(f"{len(chosen) - len(found)} models are left: run again", file=sys.stderr)
        sys.exit(3)
    sys.exit(0 if good == len(found) else 1)


if __name__ == "__main__":
    main()
