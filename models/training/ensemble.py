"""Tree ensembles in one neutral form: read from CatBoost, LightGBM and XGBoost, scaled, added up, written as ONNX.

An `Ensemble` is a sum of trees and a constant. A node is (mode, feature, threshold, yes, no, missing): the answer of `x mode
threshold` picks `yes` or `no`, a missing value goes to `yes` if `missing`, else where the comparison sends it, and comparisons
with a missing value are false. Thresholds are float32, as inputs are when they are compared.
"""

import json
import math
import pathlib
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper


class Ensemble:
    """`trees`: lists of nodes, root first; a node is a tuple as above, a leaf is a float."""

    def __init__(self, trees, base=0.0):
        self.trees, self.base = trees, base

    def scaled(self, factor):
        """The same function times `factor`."""
        return Ensemble([[n if isinstance(n, tuple) else n * factor for n in t] for t in self.trees], self.base * factor)

    def renumbered(self, columns):
        """Reads feature f from column `columns[f]`."""
        moved = lambda n: (n[0], columns[n[1]], *n[2:]) if isinstance(n, tuple) else n
        return Ensemble([[moved(n) for n in t] for t in self.trees], self.base)

    def __add__(self, other):
        return Ensemble(self.trees + other.trees, self.base + other.base)


def from_catboost(model):
    """Through CatBoost's own ONNX export, whose leaves are float32."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.onnx"
        model.save_model(str(path), format="onnx")
        proto = onnx.load(str(path))
    (node,) = [n for n in proto.graph.node if n.op_type == "TreeEnsembleRegressor"]
    a = {x.name: helper.get_attribute_value(x) for x in node.attribute}
    missing = a.get("nodes_missing_value_tracks_true") or [0] * len(a["nodes_modes"])
    leaves = {}
    for tree, at, weight in zip(a["target_treeids"], a["target_nodeids"], a["target_weights"]):
        leaves[tree, at] = float(weight)
    trees = {}
    for i, (tree, at) in enumerate(zip(a["nodes_treeids"], a["nodes_nodeids"])):
        nodes = trees.setdefault(tree, [])
        assert at == len(nodes), "nodes are numbered from the root"
        mode = a["nodes_modes"][i].decode()
        yes, no = a["nodes_truenodeids"][i], a["nodes_falsenodeids"][i]
        branch = (mode, a["nodes_featureids"][i], float(a["nodes_values"][i]), yes, no, bool(missing[i]))
        nodes.append(leaves[tree, at] if mode == "LEAF" else branch)
    base = a.get("base_values") or [0.0]
    return Ensemble([trees[t] for t in sorted(trees)], float(base[0]))


def below(threshold):
    """The largest float32 that is not above: for float32 inputs `x <= it` says the same as `x <= threshold`."""
    single = np.float32(threshold)
    return float(single if float(single) <= threshold else np.nextafter(single, np.float32(-np.inf)))


def from_lightgbm(booster):
    """A feature that had no gaps in training reads a gap as zero in LightGBM; the missing track says the same."""

    def add(node, nodes):
        at = len(nodes)
        if "leaf_value" in node:
            nodes.append(float(node["leaf_value"]))
            return at
        assert node["decision_type"] == "<=", "numerical splits only"
        threshold = float(node["threshold"])
        missing = {"NaN": node["default_left"], "None": 0.0 <= threshold}[node["missing_type"]]
        nodes.append(None)
        yes, no = add(node["left_child"], nodes), add(node["right_child"], nodes)
        nodes[at] = ("BRANCH_LEQ", node["split_feature"], below(threshold), yes, no, bool(missing))
        return at

    trees = []
    for tree in booster.dump_model()["tree_info"]:
        nodes = []
        add(tree["tree_structure"], nodes)
        trees.append(nodes)
    return Ensemble(trees)


def from_xgboost(booster, features):
    """Its splits are `x < threshold` in float32; the constant is in the saved configuration."""
    column = {name: i for i, name in enumerate(features)}

    def add(node, nodes):
        at = len(nodes)
        if "leaf" in node:
            nodes.append(float(node["leaf"]))
            return at
        child = {c["nodeid"]: c for c in node["children"]}
        nodes.append(None)
        yes, no = add(child[node["yes"]], nodes), add(child[node["no"]], nodes)
        threshold = float(np.float32(node["split_condition"]))
        nodes[at] = ("BRANCH_LT", column[node["split"]], threshold, yes, no, node["missing"] == node["yes"])
        return at

    trees = []
    for text in booster.get_dump(dump_format="json"):
        nodes = []
        add(json.loads(text), nodes)
        trees.append(nodes)
    base = json.loads(booster.save_config())["learner"]["learner_model_param"]["base_score"]
    return Ensemble(trees, float(json.loads(base)[0] if base.startswith("[") else base))


def staircase(feature, edges, step, mode):
    """`step` for each edge that x is beyond (`mode` BRANCH_GT or BRANCH_LT); a missing value is beyond none.

    Six edges make one symmetric tree of depth six, whose leaves count them.
    """
    trees = []
    for i in range(0, len(edges), 6):
        cut = [float(np.float32(e)) for e in edges[i : i + 6]]
        nodes = []

        def add(level, passed):
            at = len(nodes)
            if level == len(cut):
                nodes.append(float(np.float32(step * passed)))
                return at
            nodes.append(None)
            yes, no = add(level + 1, passed + 1), add(level + 1, passed)
            nodes[at] = (mode, feature, cut[level], yes, no, False)
            return at

        add(0, 0)
        trees.append(nodes)
    return Ensemble(trees)


def to_onnx(ensemble, width):
    """One TreeEnsembleRegressor over a float matrix of `width` columns."""
    keys = "treeids nodeids featureids modes values truenodeids falsenodeids missing_value_tracks_true hitrates".split()
    nodes = {k: [] for k in keys}
    targets = {k: [] for k in "treeids nodeids ids weights".split()}
    for tree, tree_nodes in enumerate(ensemble.trees):
        for at, n in enumerate(tree_nodes):
            leaf = not isinstance(n, tuple)
            mode, feature, threshold, yes, no, missing = ("LEAF", 0, 0.0, 0, 0, False) if leaf else n
            for key, value in zip(keys, (tree, at, feature, mode, threshold, yes, no, int(missing), 1.0)):
                nodes[key].append(value)
            if leaf:
                for key, value in zip(targets, (tree, at, 0, n)):
                    targets[key].append(value)
    attributes = {f"nodes_{k}": v for k, v in nodes.items()} | {f"target_{k}": v for k, v in targets.items()}
    node = helper.make_node(
        "TreeEnsembleRegressor", ["features"], ["prediction"], domain="ai.onnx.ml", aggregate_function="SUM",
        post_transform="NONE", n_targets=1, base_values=[ensemble.base], **attributes,
    )  # fmt: skip
    graph = helper.make_graph(
        [node],
        "trees",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, [None, 1])],
    )
    opsets = [helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 1)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="tipoff", ir_version=8)
    onnx.checker.check_model(model)
    return model


def finite(ensemble):
    """Whether every leaf and threshold is a number."""
    flat = [n if not isinstance(n, tuple) else n[2] for t in ensemble.trees for n in t]
    return all(map(math.isfinite, [*flat, ensemble.base]))
