"""Trains the systems of the zoo, walking forward, and writes their cards.

    python models/training/train.py --data DIR --out OUT [--zoo models/zoo] [--jobs 2]

From the raw files (or `--features FILE`, the table of `tipoff features export` or features.py) it trains every system once for
each fold of walk.py and writes

    OUT/2025-10-21/*.toml + files ...   the models of each week as they stood before it, for `tipoff models evaluate --models`
    OUT/answers.parquet                 every out-of-fold answer with line, prices and P(over); not to be published
    --zoo DIR                           the set of the last week: trained on all days before it, judged on the weeks before

The shipped set is the last week's, so its card's figures are of strictly earlier models on days that it has seen since.
"""

import argparse
import json
import os
import pathlib
import time

import numpy as np
import pandas as pd

import cards
import features
import probability
import systems
import walk
from raw import MARKETS


def figures(rows):
    """A system's figures on rows with a line."""
    error = (rows.predicted - rows.result).abs()
    off_line = (rows.line - rows.result).abs()
    decided = rows[rows.p_over.notna() & rows.no_vig.notna() & (rows.result != rows.line)]
    over = (decided.result > decided.line).to_numpy(float)
    margin = decided.predicted - decided.line
    hit = (margin > 0) == (decided.result > decided.line)
    out = {
        "rows_with_line": len(rows), "mae_with_line": error.mean(), "market_mae": off_line.mean(),
        "bias_with_line": (rows.predicted - rows.result).mean(), "mean_margin": (rows.predicted - rows.line).mean(),
        "mean_edge": (rows.predicted - rows.line).abs().mean(), "rows_decided": len(decided),
        "brier": probability.brier(decided.p_over, over), "market_brier": probability.brier(decided.no_vig, over),
        "log_loss": probability.log_loss(decided.p_over.to_numpy(), over),
        "market_log_loss": probability.log_loss(decided.no_vig.to_numpy(), over),
    }  # fmt: skip
    for floor in (1, 3):
        chosen = margin.abs() >= floor
        if chosen.any():
            out |= {f"hit_rate_edge_{floor}": hit[chosen].mean(), f"rows_edge_{floor}": int(chosen.sum())}
    return {k: round(float(v), 4) for k, v in out.items()}


def table_of(args):
    if args.features is None:
        return features.build(args.data, walk.START, args.until)
    read = pd.read_parquet if args.features.suffix == ".parquet" else pd.read_csv
    return read(args.features)


def judged_figures(judged, market, system, before):
    """Over the weeks before `before`; for the first week over the folds of earlier seasons."""
    weeks = [f for f in walk.WEEKS if f[0] < before] or [f for f in walk.folds(market) if f[0] < before]
    rows = pd.concat([judged[market, system, f].rows for f in weeks])
    return figures(rows) if rows.p_over.notna().any() else {}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=os.environ.get("TIPOFF_DATA"))
    parser.add_argument("--features", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--zoo", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--until", default=walk.WEEKS[-1][1])
    parser.add_argument("--markets", nargs="+", default=list(MARKETS), choices=list(MARKETS))
    parser.add_argument("--no-calibration", action="store_true", help="cards for programs that do not know the table yet")
    args = parser.parse_args()
    if args.data is None and args.features is None:
        parser.error("say where the raw files are: --data or TIPOFF_DATA, or give --features")
    started = time.time()
    table = walk.usable(table_of(args))
    print(f"{len(table)} rows after {time.time() - started:.0f} s", flush=True)
    fits, rounds = walk.run(table, set(walk.WEEKS), args.jobs, args.markets)
    judged = walk.judge(table, fits, args.markets)
    print(f"trained after {time.time() - started:.0f} s", flush=True)
    args.out.mkdir(parents=True, exist_ok=True)
    pd.concat([j.rows for j in judged.values()]).to_parquet(args.out / "answers.parquet", index=False)
    stacks = {f"{m} {f[0]}": j.stack for (m, s, f), j in judged.items() if s == systems.CHAMPION}
    (args.out / "choices.json").write_text(json.dumps({"rounds": {" ".join(k): v for k, v in rounds.items()}, "stacks": stacks}, indent=1))
    places = [(args.out / week[0], week) for week in walk.WEEKS]
    places += [(args.zoo, walk.WEEKS[-1])] if args.zoo else []
    for folder, week in places:
        for market in args.markets:
            for system in systems.SHIPPED[market]:
                metrics = judged_figures(judged, market, system, week[0])
                cards.write(folder, market, system, week, fits, judged, metrics, not args.no_calibration)
    print(f"written after {time.time() - started:.0f} s", flush=True)
    for market in args.markets:
        for system in systems.SHIPPED[market]:
            found = figures(pd.concat([judged[market, system, w].rows for w in walk.WEEKS[:-1]]))
            print(market, system, json.dumps(found))


if __name__ == "__main__":
    np.seterr(invalid="ignore")
    main()
