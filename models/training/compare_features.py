"""Holds what `tipoff features export` wrote against the same features recomputed here from the raw files.

    python compare_features.py --data DIR --sample 200 --seed 1 EXPORTED.csv …     (or TIPOFF_DATA for --data)

Every feature of the sampled player-games has to agree within 1e-6, and both have to call the same values missing; exit code 1
otherwise, with every difference by name. Beside it stands how many cells of the whole table differ.
"""

import argparse
import os
import pathlib
import sys

import numpy as np
import pandas as pd

import features

KEY = ["game_date", "game_id", "player_lookup"]
TOLERANCE = 1e-6


def recomputed(data, start, end):
    """The features of a range; what is missing or outside its range is NaN, defaults included, as in an export."""
    out = features.everything(data, start, end)
    values = {}
    for f in features.contract():
        x = out[f["name"]].astype(float)
        values[f["name"]] = x.where((x >= f["min"]) & (x <= f["max"]))
    return pd.concat([out[KEY], pd.DataFrame(values)], axis=1)


def differences(both, names):
    """One row per cell that differs: the key, the feature and both values."""
    found = []
    for name in names:
        ours, theirs = both[f"{name}_exported"].astype(float), both[f"{name}_recomputed"].astype(float)
        differs = ~(((ours - theirs).abs() <= TOLERANCE) | (ours.isna() & theirs.isna()))
        cells = both.loc[differs, KEY].assign(feature=name, exported=ours[differs], recomputed=theirs[differs])
        found.append(cells)
    return pd.concat(found, ignore_index=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=os.environ.get("TIPOFF_DATA"))
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("exported", type=pathlib.Path, nargs="+")
    args = parser.parse_args()
    if args.data is None:
        parser.error("say where the raw files are: --data or TIPOFF_DATA")
    parts = []
    for path in args.exported:
        exported = pd.read_csv(path, dtype={"game_id": str}, low_memory=False)
        again = recomputed(args.data, exported.game_date.min(), exported.game_date.max())
        parts.append(exported.merge(again, on=KEY, suffixes=("_exported", "_recomputed"), how="outer", indicator=True))
    table = pd.concat(parts, ignore_index=True)
    names = [f["name"] for f in features.contract()]
    both = table[table._merge == "both"]
    print(f"{len(both)} player-games in both; {(table._merge == 'left_only').sum()} exported only (who did not play), "
          f"{(table._merge == 'right_only').sum()} recomputed only (nothing known of him before)")  # fmt: skip
    if len(both) < args.sample:
        sys.exit(f"only {len(both)} player-games, {args.sample} are wanted")
    whole = differences(both, names)
    print(f"{len(whole)} of {len(both) * len(names)} cells differ by more than {TOLERANCE}")
    if len(whole):
        print(whole.groupby("feature").size().to_string())
    rng = np.random.default_rng(args.seed)
    sample = both.iloc[np.sort(rng.choice(len(both), args.sample, replace=False))]
    cells = differences(sample, names)
    print(f"sample of {len(sample)} (seed {args.seed}): {len(cells)} of {len(sample) * len(names)} cells differ")
    if len(cells):
        sys.exit(cells.to_string())


if __name__ == "__main__":
    main()
