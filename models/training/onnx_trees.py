"""A slow, plain evaluator of ONNX tree ensembles, in float64, one row at a time.

It shares no code with the Rust engine and follows the text of the operator, so that the reference vectors it writes
into fixtures and model cards are a second opinion. ONNX Runtime is the third: it sums in float32, so it can only be
asked to agree to a few digits.
"""

import math

import numpy as np
import onnx
from onnx import numpy_helper

COMPARE = {
    "BRANCH_LEQ": lambda x, t: x <= t,
    "BRANCH_LT": lambda x, t: x < t,
    "BRANCH_GTE": lambda x, t: x >= t,
    "BRANCH_GT": lambda x, t: x > t,
    "BRANCH_EQ": lambda x, t: x == t,
    "BRANCH_NEQ": lambda x, t: x != t,
}


class Trees:
    """The one TreeEnsembleRegressor of a model."""

    def __init__(self, model: onnx.ModelProto):
        (node,) = [n for n in model.graph.node if n.op_type == "TreeEnsembleRegressor"]
        a = {x.name: onnx.helper.get_attribute_value(x) for x in node.attribute}
        elem = model.graph.input[0].type.tensor_type.elem_type
        casts = [n for n in model.graph.node if n.op_type == "Cast" and n.output[0] in node.input]
        self.is_float = elem == onnx.TensorProto.FLOAT or any(
            onnx.helper.get_attribute_value(c.attribute[0]) == onnx.TensorProto.FLOAT for c in casts
        )
        self.aggregate = a.get("aggregate_function", b"SUM").decode()
        self.base = float(_reals(a, "base_values")[0]) if len(_reals(a, "base_values")) else 0.0
        values = _reals(a, "nodes_values")
        tracks = a.get("nodes_missing_value_tracks_true") or [0] * len(values)
        self.nodes, self.roots, children = {}, {}, set()
        for i, key in enumerate(zip(a["nodes_treeids"], a["nodes_nodeids"])):
            mode = a["nodes_modes"][i].decode()
            yes, no = a["nodes_truenodeids"][i], a["nodes_falsenodeids"][i]
            self.nodes[key] = (mode, a["nodes_featureids"][i], float(values[i]), yes, no, tracks[i])
            if mode != "LEAF":
                children |= {(key[0], yes), (key[0], no)}
        for key in self.nodes:
            if key not in children:
                self.roots[key[0]] = key[1]
        weights = _reals(a, "target_weights")
        self.leaves = dict(zip(zip(a["target_treeids"], a["target_nodeids"]), map(float, weights)))

    def predict(self, row) -> float:
        row = [float(np.float32(x)) if self.is_float else float(x) for x in row]
        leaves = [self._leaf(tree, row) for tree in self.roots]
        total = {"SUM": sum, "AVERAGE": lambda v: sum(v) / len(v), "MIN": min, "MAX": max}[self.aggregate](leaves)
        return total + self.base

    def _leaf(self, tree, row) -> float:
        at = self.roots[tree]
        while True:
            mode, feature, threshold, yes, no, tracks = self.nodes[(tree, at)]
            if mode == "LEAF":
                return self.leaves[(tree, at)]
            x = row[feature]
            at = yes if COMPARE[mode](x, threshold) or (tracks and math.isnan(x)) else no

    def thresholds(self):
        """(feature, threshold) of every branch, for rows that sit exactly on one."""
        return sorted({(f, t) for (mode, f, t, *_) in self.nodes.values() if mode != "LEAF"})


def _reals(attributes, name):
    tensor = attributes.get(f"{name}_as_tensor")
    if tensor is not None:
        return numpy_helper.to_array(tensor).tolist()
    return attributes.get(name, [])
