"""The systems: what each reads, how it is trained, and how many rounds.

A learner is trained on rows before a day and answers in the market's unit. `catboost_v2` is none of its own: it is the line,
moved by what the books' prices say of the median and by a share of its difference to a model without market features
(`stacked`), all of which is again a sum of trees.
"""

import zlib
from dataclasses import dataclass, field

import catboost
import lightgbm
import numpy as np
import xgboost

import ensemble
import network

GENERAL = """
games_in_last_7_days opponent_pace home_away back_to_back playoff_game team_pace team_off_rating team_win_pct
minutes_avg_last_10 minutes_volatility_last_10 minutes_load_last_7d minutes_change days_rest rest_advantage fatigue_score
games_vs_opponent opponent_def_rating dnp_rate usage_rate_last_5 games_since_structural_change blowout_minutes_risk
opponent_pace_mismatch points_avg_last_10 rebounds_avg_last_10 assists_avg_last_10 threes_avg_last_10
""".split()
# No game lines of 2025-26 are at hand, and many users will have none: in training every second game is shown without.
GAME_LINES = ["game_total_line", "spread_magnitude", "implied_team_total"]
POINTS = """
points_avg_last_5 points_avg_season points_std_last_10 ppm_avg_last_10 avg_points_vs_opponent points_avg_last_3
scoring_trend_slope pts_slope_10g deviation_from_avg_last3 consecutive_games_below_avg recent_trend pct_three pct_free_throw
pts_vs_season_zscore opponent_points_allowed_last_10
""".split()
OTHER = "{0}_avg_last_5 {0}_avg_season {0}_std_last_10 {0}_per_minute_last_10 {0}_avg_vs_opponent opponent_{0}_allowed_last_10"
OPINION = "{0}_consensus_line {0}_no_vig_over {0}_line_minus_consensus {0}_book_count {0}_line_move"
POINTS_LINE = """
vegas_points_line vegas_line_move multi_book_line_std line_vs_season_avg prop_line_delta over_rate_last_10
margin_vs_line_avg_last_5
""".split()
OTHER_LINE = "{0}_line {0}_line_vs_season_avg {0}_book_std"
# Few player-days of the past have a line, nearly every one has when a model is used, so those count more.
LINE_WEIGHT = 5.0
MOVING_AVERAGE = {"{0}_avg_last_5": 0.4, "{0}_avg_last_10": 0.35, "{0}_avg_season": 0.25}


def line_of(market):
    return "vegas_points_line" if market == "points" else f"{market}_line"


def own_features(market):
    """What is known without the player's own lines."""
    special = POINTS + ["threes_per_minute_last_10"] if market == "points" else OTHER.format(market).split()
    return list(dict.fromkeys([*special, *GENERAL, *GAME_LINES]))


def line_features(market):
    return [*(POINTS_LINE if market == "points" else OTHER_LINE.format(market).split()), *OPINION.format(market).split()]


@dataclass(frozen=True)
class Learner:
    """One way to train: library, loss, window in days that had games (0: everything), and what it may see of the market."""

    library: str
    loss: str
    sees_market: bool
    market_weight: float = 1.0
    window: int = 0
    calendar: int = 0
    options: dict = field(default_factory=dict, hash=False)

    def features(self, market):
        return own_features(market) + (line_features(market) if self.sees_market else [])

    def rows(self, table, before):
        """What it is trained on to be used from `before` on."""
        past = table[table.game_date < before]
        if self.window:
            past = past[past.game_date >= sorted(past.game_date.unique())[-self.window]]
        if self.calendar:
            past = past[past.day >= past.day.max() - self.calendar]
        return past

    def train(self, rows, market, rounds, stop=None):
        """A trained model. With rows to stop on (all of them later), as many rounds as serve these best."""
        names = self.features(market)
        x, y, weight = self._data(rows, market)
        later = None if stop is None else self._data(stop, market)
        return TRAINERS[self.library](self, names, (x, y, weight), later, rounds)

    def _data(self, rows, market):
        names = self.features(market)
        x = rows[names].to_numpy(float, copy=True)
        blank = np.array([zlib.crc32(g.encode()) % 2 == 0 for g in rows.game_id])
        x[np.ix_(blank, [names.index(f) for f in GAME_LINES])] = np.nan
        with_line = rows[line_of(market)].notna().to_numpy()
        return x, rows[market].to_numpy(float), np.where(with_line & self.sees_market, LINE_WEIGHT, 1.0)


@dataclass
class Trained:
    """Answers, the same as a sum of trees (or the network itself), and the number of rounds."""

    predict: object
    trees: ensemble.Ensemble
    rounds: int
    network: object = None


def _catboost(learner, names, data, later, rounds):
    options = {
        "depth": 6, "learning_rate": 0.08, "l2_leaf_reg": 5, "border_count": 64, "nan_mode": "Min", "random_seed": 42,
        "thread_count": 1, "allow_writing_files": False, "verbose": False, "loss_function": learner.loss,
    } | learner.options  # fmt: skip
    if learner.market_weight != 1:
        seen = set(n for m in ("points", "rebounds", "assists", "threes") for n in line_features(m))
        options["feature_weights"] = [learner.market_weight if n in seen else 1.0 for n in names]
    model = catboost.CatBoostRegressor(iterations=rounds, **options)
    stopping = {} if later is None else {"eval_set": catboost.Pool(later[0], later[1], weight=later[2]), "early_stopping_rounds": 40}
    model.fit(catboost.Pool(data[0], data[1], weight=data[2]), **stopping)
    return Trained(model.predict, ensemble.from_catboost(model), model.tree_count_)


def _lightgbm(learner, names, data, later, rounds):
    options = {
        "objective": learner.loss, "num_leaves": 24, "learning_rate": 0.08, "min_data_in_leaf": 80, "feature_fraction": 0.7,
        "bagging_fraction": 0.8, "bagging_freq": 5, "max_bin": 63, "num_threads": 1, "seed": 42, "deterministic": True,
        "verbose": -1,
    } | learner.options  # fmt: skip
    sets = lightgbm.Dataset(data[0], data[1], weight=data[2])
    stopping = {}
    if later is not None:
        stopping["valid_sets"] = [lightgbm.Dataset(later[0], later[1], weight=later[2], reference=sets)]
        stopping["callbacks"] = [lightgbm.early_stopping(40, verbose=False)]
    booster = lightgbm.train(options, sets, rounds, **stopping)
    best = booster.best_iteration if later is not None else booster.num_trees()
    return Trained(booster.predict, ensemble.from_lightgbm(booster), best)


def _xgboost(learner, names, data, later, rounds):
    options = {
        "objective": learner.loss, "max_depth": 5, "eta": 0.08, "subsample": 0.8, "colsample_bytree": 0.7, "max_bin": 64,
        "min_child_weight": 30, "tree_method": "hist", "nthread": 1, "seed": 42,
    } | learner.options  # fmt: skip
    sets = xgboost.DMatrix(data[0], data[1], weight=data[2])
    stopping = {}
    if later is not None:
        stopping = {"evals": [(xgboost.DMatrix(later[0], later[1], weight=later[2]), "later")], "early_stopping_rounds": 40}
    booster = xgboost.train(options, sets, rounds, verbose_eval=False, **stopping)
    best = booster.best_iteration + 1 if later is not None else rounds
    trees = ensemble.from_xgboost(booster, [f"f{i}" for i in range(len(names))])
    return Trained(lambda x: booster.predict(xgboost.DMatrix(x)).astype(float), trees, best)


def _network(learner, names, data, later, rounds):
    net, epochs = network.train(*data, min(rounds, 12), later)
    return Trained(net.predict, None, epochs, net)


TRAINERS = {"catboost": _catboost, "lightgbm": _lightgbm, "xgboost": _xgboost, "network": _network}
CATBOOST_MAE = {"library": "catboost", "loss": "MAE"}
POINTS_LEARNERS = {
    "catboost_v2_noveg": Learner(**CATBOOST_MAE, sees_market=False),
    "catboost_v2_lowveg": Learner(**CATBOOST_MAE, sees_market=True, market_weight=0.2),
    "catboost_v2_56d": Learner(**CATBOOST_MAE, sees_market=True, window=56, options={"depth": 4, "l2_leaf_reg": 20}),
    "catboost_v2_season": Learner(**CATBOOST_MAE, sees_market=True, calendar=365, options={"depth": 5, "l2_leaf_reg": 10}),
    "catboost_v2_q43": Learner("catboost", "Quantile:alpha=0.43", sees_market=True),
    "catboost_v2_q50": Learner("catboost", "Quantile:alpha=0.5", sees_market=True),
    "catboost_v2_q57": Learner("catboost", "Quantile:alpha=0.57", sees_market=True),
    "lgbm_v2": Learner("lightgbm", "regression_l1", sees_market=True),
    "lgbm_v2_noveg": Learner("lightgbm", "regression_l1", sees_market=False),
    "xgb_v2_noveg": Learner("xgboost", "reg:absoluteerror", sees_market=False),
    "network_v2_noveg": Learner("network", "MAE", sees_market=False),
}
OTHER_LEARNERS = {name: POINTS_LEARNERS[name] for name in ("catboost_v2_noveg", "catboost_v2_lowveg")}
SHIPPED = {
    "points": ["catboost_v2", *POINTS_LEARNERS, "moving_average_v1"],
    "rebounds": ["catboost_v2", "catboost_v2_lowveg", "moving_average_v1"],
    "assists": ["catboost_v2", "catboost_v2_lowveg", "moving_average_v1"],
    "threes": ["catboost_v2", "catboost_v2_lowveg", "moving_average_v1"],
}
CHAMPION = "catboost_v2"
# Without market features: their P(over) is their own.
NO_MARKET = {"catboost_v2_noveg", "lgbm_v2_noveg", "xgb_v2_noveg", "network_v2_noveg", "moving_average_v1"}


def learners(market):
    return POINTS_LEARNERS if market == "points" else OTHER_LEARNERS


# --- the line, moved -------------------------------------------------------------------------------------------------

PRICE_STEP, MOST_STEPS = 0.01, 12
PRICE_SLOPES, OWN_SHARES = (0, 4, 8, 12, 16, 25), (0.0, 0.1, 0.2, 0.3)
FIRST_GUESS = (8, 0.2)


def price_steps(slope):
    """How many hundredths of probability move the line, so that it moves by half a point at most."""
    return min(MOST_STEPS, int(0.5 / (slope * PRICE_STEP) + 1e-9)) if slope else 0


def price_move(no_vig, slope):
    """What the books' prices say of the median: `slope` times (probability - 1/2), in steps, half a point at most; 0 unknown."""
    n = price_steps(slope)
    edges = 0.5 + (np.arange(n) + 0.5) * PRICE_STEP
    no_vig = np.float32(np.asarray(no_vig, float))[:, None]
    up, down = (no_vig > np.float32(edges)).sum(1), (no_vig < np.float32(1 - edges)).sum(1)
    return (up - down) * slope * PRICE_STEP


def margin(own, line, no_vig, slope, share):
    """The stacked system's margin over the line."""
    return price_move(no_vig, slope) + share * (np.asarray(own) - np.asarray(line))


def stacked(own, market, slope, share):
    """The same as trees over own features, the line and the no-vig probability: (features, trees). Without a share the
    probability is all it reads."""
    names = [*own_features(market), line_of(market)] if share else []
    at_line, at_price = len(names) - 1, len(names)
    names.append(f"{market}_no_vig_over")
    out = own.scaled(share) if share else ensemble.Ensemble([])
    if share:
        # Lines stand on a grid of half points, so stairs between its points say exactly -share * line.
        highest = {"points": 60, "rebounds": 25, "assists": 20, "threes": 12}[market]
        out += ensemble.staircase(at_line, np.arange(0.25, highest, 0.5), -share * 0.5, "BRANCH_GT")
    n = price_steps(slope)
    if n:
        edges = 0.5 + (np.arange(n) + 0.5) * PRICE_STEP
        out += ensemble.staircase(at_price, edges, slope * PRICE_STEP, "BRANCH_GT")
        out += ensemble.staircase(at_price, 1 - edges, -slope * PRICE_STEP, "BRANCH_LT")
    return names, out


def fit_stack(own, line, no_vig, result):
    """Slope and share with the least absolute error on past, out-of-fold rows; a first guess while there are few."""
    if len(result) < 500:
        return FIRST_GUESS
    error = lambda s: np.abs(line + margin(own, line, no_vig, *s) - result).mean()
    return min(((slope, share) for slope in PRICE_SLOPES for share in OWN_SHARES), key=error)
