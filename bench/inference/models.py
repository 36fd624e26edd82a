"""Models on invented data, trained by the three libraries, with their ONNX exports. Used by inference and parity."""

import json
import pathlib

import catboost
import lightgbm
import numpy as np
import onnx
import xgboost
from onnxmltools.convert import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType


def invented(seed, rows, width):
    """Features of many kinds: normal, skewed, few values; a tenth missing. The target bends in some of them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(12, 6, size=(rows, width)).astype(np.float32)
    x[:, ::5] = np.exp(x[:, ::5] / 8)
    x[:, 3::7] = rng.integers(0, 6, size=x[:, 3::7].shape)
    y = 0.5 * x[:, 0] + np.abs(x[:, 1 % width] - 10) + np.where(x[:, 3 % width] > 2, 2.0, -1.0) + rng.normal(0, 2, rows)
    y += np.sin(x[:, 2 % width]) * x[:, 4 % width] / 5
    x[rng.random(x.shape) < 0.1] = np.nan
    return x, y


class Trained:
    """A library's model beside its ONNX file; `predict` is the library's own, one thread."""

    def __init__(self, kind, path, width, model):
        self.kind, self.path, self.width, self.model = kind, path, width, model

    def predict(self, x):
        if self.kind == "catboost":
            return np.asarray(self.model.predict(x, thread_count=1))
        if self.kind == "lightgbm":
            return self.model.predict(x, num_threads=1)
        return self.model.inplace_predict(x, validate_features=False)


def train(folder, kind, trees, depth, width, seed=1, rows=2000, **options):
    """Trains, exports and keeps: the second call reads the files of the first."""
    name = "-".join(str(part) for part in [kind, trees, depth, width, seed, *options.values()])
    onnx_path, own_path = pathlib.Path(folder, f"{name}.onnx"), pathlib.Path(folder, f"{name}.model")
    if not (onnx_path.exists() and own_path.exists()):
        x, y = invented(seed, rows, width)
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        {"catboost": _catboost, "lightgbm": _lightgbm, "xgboost": _xgboost}[kind](
            x, y, trees, depth, seed, onnx_path, own_path, options
        )
    return Trained(kind, onnx_path, width, _load(kind, own_path))


def _load(kind, path):
    if kind == "catboost":
        return catboost.CatBoostRegressor().load_model(str(path))
    if kind == "lightgbm":
        return lightgbm.Booster(model_file=str(path))
    return xgboost.Booster(model_file=_json(path), params={"nthread": 1})


def _json(path):
    """XGBoost tells formats apart by name, so its file has one more ending."""
    return f"{path}.json"


def _catboost(x, y, trees, depth, seed, onnx_path, own_path, options):
    model = catboost.CatBoostRegressor(
        iterations=trees, depth=depth, learning_rate=0.05, random_seed=seed, thread_count=1, verbose=False,
        allow_writing_files=False, **options,
    )
    model.fit(x, y)
    model.save_model(str(own_path))
    model.save_model(f"{own_path}.cat.json", format="json")
    model.save_model(str(onnx_path), format="onnx")


def _lightgbm(x, y, trees, depth, seed, onnx_path, own_path, options):
    leaves = options.get("num_leaves", 2**depth - 1)
    model = lightgbm.LGBMRegressor(
        n_estimators=trees, max_depth=depth, num_leaves=leaves, min_child_samples=options.get("min_child_samples", 5),
        learning_rate=0.05, random_state=seed, n_jobs=1, verbose=-1,
    )
    model.fit(x, y)
    model.booster_.save_model(str(own_path))
    types = [("features", FloatTensorType([None, x.shape[1]]))]
    onnx.save(convert_lightgbm(model, initial_types=types, zipmap=False), str(onnx_path))


def _xgboost(x, y, trees, depth, seed, onnx_path, own_path, options):
    model = xgboost.XGBRegressor(
        n_estimators=trees, max_depth=depth, learning_rate=0.05, random_state=seed, n_jobs=1, tree_method="hist",
        base_score=float(np.mean(y)), **options,
    )
    model.fit(x, y)
    model.get_booster().save_model(_json(own_path))
    own_path.write_text(json.dumps({"see": _json(own_path)}))
    types = [("features", FloatTensorType([None, x.shape[1]]))]
    onnx.save(convert_xgboost(model, initial_types=types), str(onnx_path))
