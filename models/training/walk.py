"""Walks forward through time: every prediction comes from models trained on earlier days, every probability from earlier answers.

For each fold and system a model is trained on all days before the fold and answers the fold. The line-moving system's two
numbers and every calibration are then fitted on the answers of earlier folds only. The number of rounds is found once, by
stopping on a window that lies before the first fold. Nothing of a fold is looked at before it is judged.
"""

import multiprocessing
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

import probability
import systems
from raw import MARKETS, day_number

START = "2022-10-01"
STOP = ("2024-02-26", "2024-03-25")
MOST_ROUNDS = 250
PAST_FOLDS = [("2024-03-26", "2024-04-09"), ("2024-04-10", "2024-05-25")]
# The only market with lines of that season.
THREES_FOLDS = [("2024-11-20", "2025-01-14"), ("2025-01-15", "2025-06-30")]
WEEKS = [
    ("2025-10-21", "2025-10-26"), ("2025-10-27", "2025-11-02"), ("2025-11-03", "2025-11-09"), ("2025-11-10", "2025-11-16"),
]  # fmt: skip


def folds(market):
    return sorted(PAST_FOLDS + (THREES_FOLDS if market == "threes" else []) + WEEKS)


def usable(table):
    """A result exists only for who played (incident 79)."""
    table = table[(table.minutes > 0) & (table.game_date >= START)]
    return table.assign(day=day_number(table.game_date)).sort_values(["game_date", "game_id", "player_lookup"]).reset_index(drop=True)


@dataclass
class Fit:
    """One trained model and what it answers."""

    market: str
    system: str
    fold: tuple
    answers: pd.Series
    trained: object
    window: tuple
    invented: list
    invented_answers: list


_table = None


def _rounds(task):
    market, system = task
    learner = systems.learners(market)[system]
    stop = _table[(_table.game_date >= STOP[0]) & (_table.game_date <= STOP[1])]
    return task, learner.train(learner.rows(_table, STOP[0]), market, MOST_ROUNDS, stop).rounds


def _fit(task):
    market, system, fold, rounds, keep = task
    learner = systems.learners(market)[system]
    rows = learner.rows(_table, fold[0])
    assert rows.game_date.max() < fold[0], "a model must not see the days it is judged on"
    trained = learner.train(rows, market, rounds)
    names = learner.features(market)
    asked = _table[(_table.game_date >= fold[0]) & (_table.game_date <= fold[1])]
    answers = pd.Series(trained.predict(asked[names].to_numpy(float)), index=asked.index)
    invented = invented_rows(rows, names, trained.trees) if keep else []
    invented_answers = trained.predict(np.array(invented)) if keep else []
    trained.predict = None
    if not keep:
        trained.trees = trained.network = None
    window = (rows.game_date.min(), rows.game_date.max())
    return Fit(market, system, fold, answers, trained, window, invented, list(invented_answers))


def invented_rows(table, names, trees, n=12):
    """Rows like the data's and none of them in it: ordinary, with gaps, exactly on thresholds, and empty."""
    rng = np.random.default_rng(42)
    x = table[names]
    mean, std = x.mean().fillna(0), x.std().fillna(0)
    whole = [f for f in names if (x[f].dropna() % 1 == 0).all()]
    cuts = sorted({(node[1], node[2]) for tree in trees.trees for node in tree if isinstance(node, tuple)}) if trees else []
    rows = []
    for i in range(n):
        row = [round(float(v), 0 if f in whole else 2) for f, v in zip(names, rng.normal(mean, std))]
        if i in (4, 5, 6, 7):
            row = [np.nan if rng.random() < 0.25 else v for v in row]
        if i in (8, 9, 10):
            for feature, threshold in cuts[i::12]:
                # Next to zero lies a cut of LightGBM's whose inputs it takes for zero.
                if threshold == 0 or 1e-30 < abs(threshold) < 1e6:
                    row[feature] = threshold
        rows.append(row if i != n - 1 else [np.nan] * len(names))
    return rows


def run(table, kept, jobs, markets=tuple(MARKETS)):
    """All fits, those of the shipped set first: {(market, system, fold): Fit} and {(market, system): rounds}. `kept` folds keep
    their models."""
    global _table
    _table, started = table, time.time()
    # Forked children share the table; each trains with one thread.
    with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=8) as pool:
        names = [(market, system) for market in markets for system in systems.learners(market)]
        rounds = {}
        for task, n in pool.imap_unordered(_rounds, names):
            rounds[task] = n if task[1].startswith("network") else max(n, 30)
            print(f"{task[0]} {task[1]}: {n} rounds", flush=True)
        tasks = [
            (market, system, fold, rounds[market, system], fold in kept)
            for market, system in names
            for fold in folds(market)
            if system in systems.SHIPPED[market] or system.endswith("_noveg")
        ]
        fits = {}
        shipped = [task for task in tasks if task[2] == WEEKS[-1]]
        for some, what in [(shipped, "shipped"), ([task for task in tasks if task not in shipped], "refits that judge them")]:
            for i, fit in enumerate(pool.imap_unordered(_fit, some)):
                fits[fit.market, fit.system, fit.fold] = fit
                print(f"[{i + 1}/{len(some)}] {fit.market} {fit.system} {fit.fold[0]}: {len(fit.answers)} answers", flush=True)
            print(f"{len(some)} models ({what}) trained after {time.time() - started:.0f} s", flush=True)
    return fits, rounds


@dataclass
class Judged:
    """One system's answers in one fold, its calibration and, for the line-moving one, its two numbers."""

    rows: pd.DataFrame
    calibration: dict
    calibrated_on: tuple
    stack: tuple


def moving_average(table, market):
    return sum(weight * table[name.format(market)] for name, weight in systems.MOVING_AVERAGE.items())


def judge(table, fits, markets=tuple(MARKETS)):
    """{(market, system, fold): Judged}: rows with a line, and P(over) by what earlier folds taught."""
    out = {}
    for market in markets:
        past = {system: [] for system in systems.SHIPPED[market]}
        stack_past = []
        for fold in folds(market):
            asked = table[(table.game_date >= fold[0]) & (table.game_date <= fold[1])]
            base = pd.DataFrame({
                "game_date": asked.game_date, "game_id": asked.game_id, "player_lookup": asked.player_lookup,
                "market": market, "fold": fold[0], "result": asked[market].astype(float),
                "line": asked[f"{market}_chosen_line"], "consensus": asked[f"{market}_consensus_line"],
                "no_vig": asked[f"{market}_chosen_no_vig"], "median_no_vig": asked[f"{market}_no_vig_over"],
                "over_price": asked[f"{market}_chosen_over_price"], "under_price": asked[f"{market}_chosen_under_price"],
                "last_10": asked[f"{market}_avg_last_10"],
            })  # fmt: skip
            own = fits[market, "catboost_v2_noveg", fold].answers
            before = pd.concat(stack_past) if stack_past else base.iloc[:0].assign(own=[])
            stack = systems.fit_stack(before.own, before.line, before.median_no_vig, before.result)
            with_own = base.assign(own=own)
            stack_past.append(with_own[with_own.line.notna()])
            for system in systems.SHIPPED[market]:
                if system == systems.CHAMPION:
                    predicted = base.line + systems.margin(own, base.line, base.median_no_vig, *stack)
                elif system == "moving_average_v1":
                    predicted = moving_average(asked, market)
                else:
                    predicted = fits[market, system, fold].answers
                rows = base.assign(system=system, predicted=predicted)
                rows = rows[rows.line.notna() & rows.predicted.notna()]
                calibration, on = calibrate(past[system], system)
                rows["p_over"] = np.nan
                if calibration:
                    p = probability.p_over(calibration, rows.predicted - rows.line, rows.no_vig)
                    rows["p_over"] = np.where(rows.no_vig.notna() | (calibration["market"] == 0), p, np.nan)
                past[system].append(rows)
                out[market, system, fold] = Judged(rows, calibration, on, stack)
    return out


def calibrate(past, system):
    """From the answers of earlier folds; none while there are none."""
    rows = pd.concat(past) if past else None
    if rows is None:
        return None, None
    rows = rows[rows.no_vig.notna() & (rows.result != rows.line)]
    fitted = probability.fit(rows.predicted - rows.line, rows.no_vig, (rows.result > rows.line).to_numpy(float), system not in systems.NO_MARKET)
    return fitted, (rows.game_date.min(), rows.game_date.max(), len(rows))
