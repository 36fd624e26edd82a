"""Model cards and files: what `tipoff` loads, with reference vectors that it replays.

Reference vectors are invented rows (no row of the data leaves it), answered by onnx_trees.py in float64; the library that
trained the model and ONNX Runtime must agree to a few digits, else nothing is written.
"""

import gzip
import hashlib
import json
import math

import numpy as np
import onnxruntime

import ensemble
import systems
from onnx_trees import Trees


def number(x):
    return "nan" if math.isnan(x) else repr(float(x))


def references(model, rows, library):
    """The rows with their float64 answers, after both other opinions were heard."""
    trees = Trees(model)
    expected = np.array([trees.predict(r) for r in rows])
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    runtime = np.asarray(session.run(None, {"features": np.array(rows, np.float32)})[0]).ravel()
    for other, name in ((runtime, "ONNX Runtime"), (library, "the library")):
        worst = float(np.abs((expected - np.asarray(other)) / np.maximum(1, np.abs(expected))).max())
        assert worst < 1e-4, f"{name} differs by {worst}"
    return list(zip(rows, expected))


def text(system, market, target, role, engine, features, tables, notes, vectors):
    lines = [
        "format = 1",
        f'system_id = "{system}"',
        f'market = "{market}"',
        f'target = "{target}"',
        f'role = "{role}"',
        *engine,
        "features = [",
        *[f'    "{name}",' for name in features],
        "]",
        f"notes = {json.dumps(notes)}",
        "",
    ]
    for name, values in tables.items():
        if values:
            lines += [f"[{name}]", *[f"{k} = {v}" for k, v in values.items()], ""]
    for inputs, expected in vectors:
        lines += ["[[reference]]", f"inputs = [{', '.join(map(number, inputs))}]", f"expected = {number(expected)}", ""]
    return "\n".join(lines).rstrip() + "\n"


def calibration_table(judged):
    if not judged.calibration:
        return None
    start, end, rows = judged.calibrated_on
    values = {k: number(round(v, 6)) for k, v in judged.calibration.items()}
    return {"method": '"platt"', "from": f'"{start}"', "to": f'"{end}"', "rows": rows, **values}


NOTES = {
    "catboost_v2": "The market's line, moved by what the books' prices say of the median and by a share of its difference to a "
    "CatBoost on box scores, schedule and game lines (its trees, and stairs over the line and the no-vig probability).",
    "catboost_v2_noveg": "CatBoost on box scores, schedule and game lines, without the player's lines: an opinion of its own.",
    "catboost_v2_lowveg": "CatBoost that may look at the market's lines at a fifth of the weight of everything else.",
    "catboost_v2_56d": "CatBoost on the newest 56 days that had games.",
    "catboost_v2_season": "CatBoost on the newest 365 days.",
    "catboost_v2_q43": "CatBoost, the 43 % quantile, with the market's lines.",
    "catboost_v2_q50": "CatBoost, the median by quantile loss, with the market's lines.",
    "catboost_v2_q57": "CatBoost, the 57 % quantile, with the market's lines.",
    "lgbm_v2": "LightGBM with the market's lines.",
    "lgbm_v2_noveg": "LightGBM without the player's lines.",
    "xgb_v2_noveg": "XGBoost without the player's lines.",
    "network_v2_noveg": "A small network without the player's lines.",
    "moving_average_v1": "A weighted mean of recent games: the baseline that a trained model has to beat. It has seen no "
    "results, so no day is in its sample.",
}


def write(folder, market, system, fold, fits, judged, metrics, calibration=True):
    """The card and file of a system as it stood before `fold`."""
    folder.mkdir(parents=True, exist_ok=True)
    own = judged[market, system, fold]
    tables = {"metrics": {k: number(v) for k, v in metrics.items()}}
    if calibration:
        tables["calibration"] = calibration_table(own)
    role = "champion" if system == systems.CHAMPION else "shadow"
    target, name, note = "points", f"{system}.{market}", NOTES[system]
    if system == "moving_average_v1":
        weights = {k.format(market): v for k, v in systems.MOVING_AVERAGE.items()}
        rows = [[20.0, 20.0, 20.0], [31.4, 28.6, 27.25], [0.0, 4.0, 2.0], [0.0, 0.0, 0.0], [7.2, 9.9, 11.5]]
        vectors = [(r, sum(w * x for w, x in zip(weights.values(), r))) for r in rows]
        features, engine = list(weights), ['engine = "formula"']
        tables = {"weights": weights} | tables
    elif fits[market, own_model(system), fold].trained.network:
        fit = fits[market, system, fold]
        net, body, file = fit.trained.network, fit.trained.network.safetensors(), f"{name}.safetensors"
        (folder / file).write_bytes(body)
        features, vectors = systems.learners(market)[system].features(market), list(zip(fit.invented, fit.invented_answers))
        engine = ['engine = "candle"', f'file = "{file}"', f'sha256 = "{hashlib.sha256(body).hexdigest()}"']
        window = {"start": f'"{fit.window[0]}"', "end": f'"{fit.window[1]}"'}
        tables = {"network": net.card(), "training": window} | tables
        tables["metrics"]["rounds"] = number(fit.trained.rounds)
    else:
        fit = fits[market, own_model(system), fold]
        features, trees, rows, answers = as_trees(market, system, fit, own.stack)
        model = ensemble.to_onnx(trees, len(features))
        vectors = references(model, rows, answers)
        body, file = model.SerializeToString(), f"{name}.onnx.gz"
        (folder / file).write_bytes(gzip.compress(body, 9, mtime=0))
        engine = ['engine = "native"', f'file = "{file}"', f'sha256 = "{hashlib.sha256(body).hexdigest()}"']
        target = "margin_over_line" if system == systems.CHAMPION else "points"
        if system == systems.CHAMPION:
            note = f"{NOTES[system]} Here: {own.stack[0]} times the probability over one half, and a share of {own.stack[1]}."
        tables = {"training": {"start": f'"{fit.window[0]}"', "end": f'"{fit.window[1]}"'}} | tables
        tables["metrics"]["rounds"] = number(fit.trained.rounds)
    card = text(system, market, target, role, engine, features, tables, note, vectors)
    (folder / f"{name}.toml").write_text(card)


def own_model(system):
    """The trained model behind a system."""
    return "catboost_v2_noveg" if system == systems.CHAMPION else system


def as_trees(market, system, fit, stack):
    """Features, trees, invented rows and the answers of other arithmetic to them."""
    own_names = systems.learners(market)[fit.system].features(market)
    if system != systems.CHAMPION:
        return own_names, fit.trained.trees, fit.invented, fit.invented_answers
    names, trees = systems.stacked(fit.trained.trees, market, *stack)
    line = np.array([0.5, 3.5, 7.0, 10.5, 1.5, 2.5, 5.5, 8.5, 6.5, 4.5, 11.5, 9.5])
    no_vig = np.array([0.5, 0.44, np.nan, 0.56, 0.515, 0.485, np.nan, 0.7, np.nan, 0.4951, 0.505, np.nan])
    rows = [[*r, p, q][-len(names) :] for r, p, q in zip(fit.invented, line, no_vig)]
    answers = systems.margin(fit.invented_answers, line, no_vig, *stack)
    return names, trees, rows, answers
