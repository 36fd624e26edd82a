"""Makes models/tests/fixtures: small ensembles on invented data, with the answers others give.

    ~/.cache/tipoff/train-venv/bin/python models/training/make_fixtures.py

Each fixture is NAME.onnx and NAME.json: {"width", "rows": [[...]], "float64": [...], "onnxruntime": [...]}. `float64` is
onnx_trees.py's answer in tree order, to be met bit for bit; `onnxruntime` sums in float32, to be met to a few digits.
`network` is no ensemble: only ONNX Runtime runs it, and `float64` is numpy's answer. `three_heads` gives three numbers a row.
Rows cover ordinary values, missing ones, both infinities, zeros of both signs and values exactly on a threshold.
JSON has no NaN or infinity, so those are written as null, "inf" and "-inf".
"""

import json
import math
import pathlib

import catboost
import lightgbm
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnxmltools.convert import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

from onnx_trees import Trees

OUT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures"
WIDTH = 6
MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]


def invented(seed: int, n: int = 1500):
    rng = np.random.default_rng(seed)
    x = rng.normal(12, 6, size=(n, WIDTH)).astype(np.float32)
    x[:, 4] = rng.integers(0, 2, n)
    x[:, 5] = rng.integers(0, 5, n)
    y = 0.5 * x[:, 0] + 0.3 * x[:, 1] + np.where(x[:, 4] > 0, 2.0, -1.0) + np.abs(x[:, 2] - 10) + rng.normal(0, 1, n)
    x[rng.random(x.shape) < 0.12] = np.nan
    return x, y


def catboost_model(seed, nan_mode):
    """Symmetric trees only: CatBoost exports no others to ONNX."""
    x, y = invented(seed)
    model = catboost.CatBoostRegressor(
        iterations=4, depth=6, learning_rate=0.2, loss_function="MAE", nan_mode=nan_mode, random_seed=seed,
        thread_count=1, verbose=False, allow_writing_files=False,
    )
    model.fit(x, y)
    path = OUT / "scratch.onnx"
    model.save_model(str(path), format="onnx")
    proto = onnx.load(str(path))
    path.unlink()
    return proto, lambda rows: model.predict(rows)


def lightgbm_model(seed):
    x, y = invented(seed)
    model = lightgbm.LGBMRegressor(n_estimators=8, num_leaves=21, learning_rate=0.2, random_state=seed, n_jobs=1, verbose=-1)
    model.fit(x, y)
    proto = convert_lightgbm(model, initial_types=[("features", FloatTensorType([None, WIDTH]))], zipmap=False)
    return proto, None


def handmade(aggregate, elem_type, wrapped):
    """Every branch mode, both missing-value flags, a base value; double thresholds when asked."""
    rng = np.random.default_rng(7)
    a = {k: [] for k in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids", "missing_value_tracks_true")}
    leaves, weights = [], []
    for tree in range(12):
        # Ids neither dense nor in order: the reader has to look them up.
        ids = [int(v) for v in rng.permutation(100)[:15]]
        for position, node in enumerate(ids):
            branch = position < 7
            a["treeids"].append(tree * 3)
            a["nodeids"].append(node)
            a["featureids"].append(int(rng.integers(0, WIDTH)) if branch else 0)
            a["values"].append(float(rng.choice([0.0, 1.0, 2.0, 10.5, 12.1])) if branch else 0.0)
            a["modes"].append(MODES[(tree + position) % 6] if branch else "LEAF")
            a["truenodeids"].append(ids[2 * position + 1] if branch else 0)
            a["falsenodeids"].append(ids[2 * position + 2] if branch else 0)
            a["missing_value_tracks_true"].append(int(rng.integers(0, 2)) if branch else 0)
            if not branch:
                leaves.append((tree * 3, node))
                weights.append(float(np.float32(rng.normal())))
    real = {f"nodes_{k}": v for k, v in a.items()}
    real |= {"target_treeids": [t for t, _ in leaves], "target_nodeids": [n for _, n in leaves], "target_ids": [0] * len(leaves)}
    if elem_type == TensorProto.DOUBLE:
        values = real.pop("nodes_values")
        real["nodes_values_as_tensor"] = helper.make_tensor("v", TensorProto.DOUBLE, [len(values)], values)
        real["target_weights_as_tensor"] = helper.make_tensor("w", TensorProto.DOUBLE, [len(weights)], weights)
        real["base_values_as_tensor"] = helper.make_tensor("b", TensorProto.DOUBLE, [1], [3.25])
    else:
        real |= {"target_weights": weights, "base_values": [3.25]}
    ensemble = helper.make_node(
        "TreeEnsembleRegressor", ["cast" if wrapped else "features"], ["scores" if wrapped else "points"], name="trees",
        domain="ai.onnx.ml", n_targets=1, aggregate_function=aggregate, post_transform="NONE", **real,
    )
    nodes, initializers = [ensemble], []
    if wrapped:
        # Exactly what wrapping may do: a cast in front; identity, cast and reshape behind.
        nodes = [
            helper.make_node("Identity", ["features"], ["same"], name="same"),
            helper.make_node("Cast", ["same"], ["cast"], name="cast", to=TensorProto.FLOAT),
            ensemble,
            helper.make_node("Reshape", ["scores", "shape"], ["flat"], name="flat"),
            helper.make_node("Cast", ["flat"], ["points"], name="back", to=TensorProto.DOUBLE),
        ]
        initializers = [helper.make_tensor("shape", TensorProto.INT64, [1], [-1])]
    input_type = TensorProto.DOUBLE if wrapped else elem_type
    # The operator itself always gives float, whatever it compares.
    output_type = TensorProto.DOUBLE if wrapped else TensorProto.FLOAT
    graph = helper.make_graph(
        nodes, "handmade", [helper.make_tensor_value_info("features", input_type, [None, WIDTH])],
        [helper.make_tensor_value_info("points", output_type, None)], initializers,
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9), None


def rows_for(trees, seed):
    x, _ = invented(seed + 100, 24)
    rows = [list(map(float, r)) for r in x]
    on_threshold = trees.thresholds()
    for i in range(16):
        row = list(rows[i])
        for feature, threshold in on_threshold[i::16]:
            row[feature] = threshold
        rows.append(row)
    rows += [[v] * WIDTH for v in (math.nan, math.inf, -math.inf, 0.0, -0.0, 1e30, -1e30)]
    return rows


def plain(x):
    if math.isnan(x):
        return None
    return x if math.isfinite(x) else ("inf" if x > 0 else "-inf")


def save(name, proto, rows, exact, runtime):
    (OUT / f"{name}.onnx").write_bytes(proto.SerializeToString())
    body = {"width": WIDTH, "rows": [[plain(x) for x in r] for r in rows], "float64": exact, "onnxruntime": runtime}
    lines = ",\n".join(f' "{k}": {json.dumps(v, separators=(",", ":"))}' for k, v in body.items())
    (OUT / f"{name}.json").write_text("{\n" + lines + "\n}\n")


def write(name, proto, library, seed):
    for field in ("doc_string", "producer_version"):
        proto.ClearField(field)
    proto.graph.ClearField("doc_string")
    trees = Trees(proto)
    rows = rows_for(trees, seed)
    is_double = proto.graph.input[0].type.tensor_type.elem_type == TensorProto.DOUBLE
    table = np.array(rows, dtype=np.float64 if is_double else np.float32)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    runtime = [float(v) for v in np.asarray(session.run(None, {session.get_inputs()[0].name: table})[0]).ravel()]
    exact = [trees.predict(r) for r in rows]
    worst = max(abs(a - b) for a, b in zip(exact, runtime))
    assert worst < 1e-3, (name, worst)
    note = ""
    if library is not None:
        note = f", library {max(abs(a - b) for a, b in zip(exact, library(table))):.2e}"
    save(name, proto, rows, exact, runtime)
    size = (OUT / f"{name}.onnx").stat().st_size
    print(f"{name}: {size} bytes, {len(rows)} rows, onnxruntime differs by at most {worst:.2e}{note}")


def network():
    """What native does not run: two layers, whose answer to a gap is no number."""
    rng = np.random.default_rng(11)
    weights = [rng.normal(0, 0.4, shape).astype(np.float32) for shape in ((WIDTH, 5), (5,), (5, 1), (1,))]
    nodes = [
        helper.make_node("Gemm", ["features", "w0", "b0"], ["h"], name="first"),
        helper.make_node("Relu", ["h"], ["r"], name="bend"),
        helper.make_node("Gemm", ["r", "w1", "b1"], ["points"], name="second"),
    ]
    initializers = [helper.make_tensor(n, TensorProto.FLOAT, w.shape, w.ravel()) for n, w in zip(("w0", "b0", "w1", "b1"), weights)]
    graph = helper.make_graph(
        nodes, "network", [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, WIDTH])],
        [helper.make_tensor_value_info("points", TensorProto.FLOAT, [None, 1])], initializers,
    )
    w0, b0, w1, b1 = [w.astype(float) for w in weights]
    rows = [list(map(float, r)) for r in np.nan_to_num(invented(12, 30)[0], nan=3.5)]
    exact = [float((np.maximum(np.array(r) @ w0 + b0, 0) @ w1 + b1)[0]) for r in rows]
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), rows, exact


def three_heads():
    """Stumps of three targets, as a quantile model has them: target t of a row is its sum of leaves 10 t + (0 or 1)."""
    trees = 4
    real = {
        "nodes_treeids": [t for t in range(trees) for _ in range(3)],
        "nodes_nodeids": [0, 1, 2] * trees,
        "nodes_featureids": [v for t in range(trees) for v in (t, 0, 0)],
        "nodes_values": [v for _ in range(trees) for v in (12.0, 0.0, 0.0)],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"] * trees,
        "nodes_truenodeids": [1, 0, 0] * trees,
        "nodes_falsenodeids": [2, 0, 0] * trees,
        "nodes_missing_value_tracks_true": [1, 0, 0] * trees,
        "target_treeids": [t for t in range(trees) for _ in range(6)],
        "target_nodeids": [1, 1, 1, 2, 2, 2] * trees,
        "target_ids": [0, 1, 2, 0, 1, 2] * trees,
        "target_weights": [0.0, 10.0, 20.0, 1.0, 11.0, 21.0] * trees,
    }
    node = helper.make_node("TreeEnsembleRegressor", ["features"], ["quantiles"], domain="ai.onnx.ml", n_targets=3, **real)
    graph = helper.make_graph(
        [node], "three_heads", [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, WIDTH])],
        [helper.make_tensor_value_info("quantiles", TensorProto.FLOAT, [None, 3])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    rows = [list(map(float, r)) for r in invented(13, 20)[0]]
    over = [sum(not (math.isnan(v) or v <= 12.0) for v in r[:trees]) for r in rows]
    exact = [float(trees * 10 * target + n) for n in over for target in range(3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9), rows, exact


def write_plain(name, proto, rows, exact):
    """A fixture that onnx_trees.py does not read."""
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    runtime = [float(v) for v in np.asarray(session.run(None, {"features": np.array(rows, np.float32)})[0]).ravel()]
    worst = max(abs(a - b) for a, b in zip(exact, runtime))
    assert worst < 1e-4, (name, worst)
    save(name, proto, rows, exact, runtime)
    print(f"{name}: {len(rows)} rows, onnxruntime differs by at most {worst:.2e}")


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    write("catboost_symmetric", *catboost_model(1, "Min"), 1)
    write("catboost_nan_max", *catboost_model(2, "Max"), 2)
    write("lightgbm", *lightgbm_model(4), 4)
    write("modes_sum_float", *handmade("SUM", TensorProto.FLOAT, False), 5)
    write("modes_average_wrapped", *handmade("AVERAGE", TensorProto.FLOAT, True), 6)
    write("modes_min_float", *handmade("MIN", TensorProto.FLOAT, False), 7)
    write("modes_max_double", *handmade("MAX", TensorProto.DOUBLE, False), 8)
    write_plain("network", *network())
    write_plain("three_heads", *three_heads())


if __name__ == "__main__":
    main()
