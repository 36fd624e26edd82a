"""How good the systems were in weeks that none of their models had seen, beside the market.

    python models/training/accuracy.py --answers OUT/answers.parquet [--json FILE]

Reads what train.py wrote and prints the tables of docs/accuracy.md. Intervals are 95 %, from 2,000 resamples of whole dates:
rows of one night are not independent. Differences are paired, row by row.
"""

import argparse
import json
import pathlib

import numpy as np
import pandas as pd

import walk

RESAMPLES = 2000


def by_date(values, dates):
    """Sums and counts per date."""
    codes, _ = pd.factorize(np.asarray(dates), sort=True)
    return np.bincount(codes, np.asarray(values, float)), np.bincount(codes)


def interval(values, dates):
    """Mean and its 95 % interval over resampled dates."""
    total, n = by_date(values, dates)
    picks = np.random.default_rng(42).integers(0, len(n), (RESAMPLES, len(n)))
    means = total[picks].sum(1) / n[picks].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(np.mean(values)), float(low), float(high)


def losses(p, over):
    p = np.clip(np.asarray(p, float), 1e-6, 1 - 1e-6)
    return (p - over) ** 2, -np.where(over, np.log(p), np.log(1 - p))


def system_row(rows):
    """One system's figures; `rows` have a line and a consensus."""
    error = (rows.predicted - rows.result).abs()
    off_consensus = error - (rows.consensus - rows.result).abs()
    off_line = error - (rows.line - rows.result).abs()
    sure = rows[rows.p_over.notna() & rows.no_vig.notna() & (rows.result != rows.line)]
    over = (sure.result > sure.line).to_numpy(float)
    brier, log_loss = losses(sure.p_over, over)
    market_brier, market_log_loss = losses(sure.no_vig, over)
    return {
        "n": len(rows),
        "mae": interval(error, rows.game_date),
        "against_consensus": interval(off_consensus, rows.game_date),
        "against_line": interval(off_line, rows.game_date),
        "bias": float((rows.predicted - rows.result).mean()),
        "n_decided": len(sure),
        "brier": interval(brier, sure.game_date),
        "brier_against_market": interval(brier - market_brier, sure.game_date),
        "log_loss": float(log_loss.mean()),
        "log_loss_against_market": interval(log_loss - market_log_loss, sure.game_date),
    }


def baselines(rows):
    """The market and the last ten games, on the rows of one system that has them all."""
    rows = rows[rows.last_10.notna() & rows.no_vig.notna()]
    toward = rows.line + np.where(rows.no_vig > 0.5, 0.5, np.where(rows.no_vig < 0.5, -0.5, 0))
    over = (rows.result > rows.line).to_numpy(float)
    error = lambda x: interval((x - rows.result).abs(), rows.game_date)
    return {
        "n": len(rows),
        "mae": {
            "consensus line": error(rows.consensus),
            "offered line": error(rows.line),
            "offered line, half a point toward its dearer side": error(toward),
            "average of the last ten games": error(rows.last_10),
        },
        "brier": {
            "no-vig, offered quote": interval(losses(rows.no_vig, over)[0], rows.game_date),
            "no-vig, median of the books": interval(losses(rows.median_no_vig, over)[0], rows.game_date),
        },
        "log_loss": {"no-vig, offered quote": float(losses(rows.no_vig, over)[1].mean())},
    }


def evaluate(answers, folds):
    answers = answers[answers.fold.isin(folds) & answers.consensus.notna()]
    out = {}
    for market, of_market in answers.groupby("market", sort=False):
        systems = {name: system_row(rows) for name, rows in of_market.groupby("system", sort=False)}
        out[market] = {"baselines": baselines(of_market[of_market.system == "catboost_v2"]), "systems": systems}
    return out


def shown(x, digits):
    mean, low, high = x
    return f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def change(x, digits):
    mean, low, high = x
    return f"{mean:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"


def markdown(found):
    for market, of_market in found.items():
        base = of_market["baselines"]
        print(f"\n### {market}\n\n| the market and the past, {base['n']} player-games | MAE |\n|---|---|")
        for name, x in base["mae"].items():
            print(f"| {name} | {shown(x, 3)} |")
        print("\n| its probability | Brier |\n|---|---|")
        for name, x in base["brier"].items():
            print(f"| {name} | {shown(x, 4)} |")
        print("\n| system | n | MAE | against the consensus | bias | Brier | against the market | log loss against the market |")
        print("|---|---|---|---|---|---|---|---|")
        for name, s in of_market["systems"].items():
            print(
                f"| {name} | {s['n']} | {s['mae'][0]:.3f} | {change(s['against_consensus'], 3)} | {s['bias']:+.2f} "
                f"| {s['brier'][0]:.4f} | {change(s['brier_against_market'], 4)} | {change(s['log_loss_against_market'], 4)} |"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=pathlib.Path, required=True)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--past", action="store_true", help="the folds of earlier seasons that have a calibration, instead of the weeks")
    args = parser.parse_args()
    answers = pd.read_parquet(args.answers)
    weeks = [w[0] for w in walk.WEEKS]
    if args.past:
        answers = answers[answers.p_over.notna()]
        weeks = sorted(set(answers.fold) - set(weeks))
    found = evaluate(answers, weeks)
    markdown(found)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
