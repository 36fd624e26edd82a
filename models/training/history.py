"""What was known of players and teams before each game, from box scores and team games alone."""

import numpy as np
import pandas as pd

from raw import STAT
from windows import Windows, ratio

YEAR, RECENT, WEEK = 365, 60, 7


# --- teams -----------------------------------------------------------------------------------------------------------


def for_every_game(table, games, box):
    """`table(games)` with rows also for games that have player rows but no team row: asked about, never looked at."""
    key = ["game_id", "team"]
    asked = box[[*key, "opponent", "season", "day"]].drop_duplicates(key)
    asked = asked[~pd.MultiIndex.from_frame(asked[key]).isin(pd.MultiIndex.from_frame(games[key]))]
    out = [table(games)]
    # One of a team at a time, so that none is in the window of another.
    for _, some in asked.groupby(asked.groupby("team").cumcount()):
        mixed = pd.concat([games, some]).sort_values(["team", "day", "game_id"], kind="stable").reset_index(drop=True)
        out.append(table(mixed).merge(some[key], on=key))
    return pd.concat(out, ignore_index=True)


def team_table(games):
    """Per team and game, before it."""
    w = Windows(games.team, games.day)
    year = w.since(YEAR)
    ten = w.last(10, year)
    season = np.maximum(w.of_same(games.season), year)
    other = games.opp_poss.notna()
    pace = (48 * ((games.poss + games.opp_poss) / 2) / (games["min"] / 5)).where(other, 0)
    won = (games.wl == "W").to_numpy(float)
    has_past = w.first < w.rows
    last_day = np.r_[0, games.day.to_numpy()[:-1]]
    out = games[["game_id", "team"]].copy()
    out["team_pace"] = ratio(w.total(pace, ten), w.total(other, ten))
    out["team_off_rating"] = 100 * ratio(w.total(games.pts, ten), w.total(games.poss, ten))
    out["team_def_rating"] = 100 * ratio(w.total(games.opp_pts.fillna(0), ten), w.total(games.opp_poss.fillna(0), ten))
    out["team_win_pct"] = np.where(w.count(season) >= 5, w.mean(won, season), np.nan)
    out["blowout_minutes_risk"] = w.mean(games.plus_minus.abs() >= 15, ten)
    out["back_to_back"] = (has_past & (last_day == games.day.to_numpy() - 1)).astype(float)
    out["team_rest"] = np.where(w.rows > year, games.day.to_numpy() - last_day, np.nan)
    return out


def allowed_table(games, box):
    """Per team and game: what the players of its opponents had together in its newest ten games that have rows of them."""
    sums = box.groupby(["game_id", "team"])[list(STAT.values())].sum().add_prefix("theirs_").reset_index()
    games = games[["game_id", "team", "opponent", "day"]].merge(
        sums.rename(columns={"team": "opponent"}), on=["game_id", "opponent"]
    )
    games = games.sort_values(["team", "day", "game_id"], kind="stable").reset_index(drop=True)
    w = Windows(games.team, games.day)
    ten = w.last(10, w.since(YEAR))
    out = games[["game_id", "team"]].copy()
    for market, stat in STAT.items():
        out[f"opponent_{market}_allowed_last_10"] = w.mean(games[f"theirs_{stat}"], ten)
    return out


def opponent_view(team):
    """The opponent's row of the team table."""
    names = {"team": "opponent", "team_pace": "opponent_pace", "team_def_rating": "opponent_def_rating", "team_rest": "opponent_rest"}
    return team[["game_id", *names]].rename(columns=names)


# --- players ---------------------------------------------------------------------------------------------------------


def player_table(box, games):
    """Per row of the box scores, the player's own past."""
    w = Windows(box.player_id, box.day)
    year, recent, week = w.since(YEAR), w.since(RECENT), w.since(WEEK)
    season = np.maximum(w.of_same(box.season), year)
    ten, five = w.last(10, year), w.last(5, year)
    minutes, pts, day = box["min"].to_numpy(float), box.pts.to_numpy(float), box.day.to_numpy()
    out = pd.DataFrame(index=box.index)
    for market, stat in STAT.items():
        x = box[stat].to_numpy(float)
        out[f"{market}_avg_last_5"] = w.mean(x, five)
        out[f"{market}_avg_last_10"] = w.mean(x, ten)
        out[f"{market}_avg_season"] = w.mean(x, season)
        out[f"{market}_std_last_10"] = w.std(x, ten)
        out[f"{market}_per_minute_last_10"] = ratio(w.total(x, ten), w.total(minutes, ten))
    out = out.rename(columns={"points_per_minute_last_10": "ppm_avg_last_10"})
    out["games_in_last_7_days"] = w.count(week)
    out["minutes_load_last_7d"] = w.total(minutes, week)
    out["minutes_avg_last_10"] = w.mean(minutes, ten)
    out["minutes_volatility_last_10"] = w.std(minutes, ten)
    rest = np.where(w.rows > year, day - np.r_[0, day[:-1]], np.nan)
    out["rest"], out["days_rest"] = rest, np.minimum(rest, 10)
    last3 = w.mean(pts, w.last(3, recent))
    out["points_avg_last_3"] = last3
    out["scoring_trend_slope"] = w.slope(pts, w.last(7, year), least=4)
    out["pts_slope_10g"] = w.slope(pts, ten, least=5)
    out["deviation_from_avg_last3"] = ratio(last3 - w.mean(pts, recent), w.std(pts, recent))
    out["consecutive_games_below_avg"] = cold_streak(w, pts, season)
    out["fatigue_score"] = freshness(w, day, rest, out)
    two, before_two = w.last(2, year), w.last(5, year)
    three = ratio(w.total(pts, before_two) - w.total(pts, two), np.maximum(w.count(before_two) - 2, 0))
    trend = w.mean(pts, two) - three
    out["recent_trend"] = np.where(w.count(before_two) >= 5, steps(trend, 2, 5), np.nan)
    usual = w.mean(minutes, season)
    out["minutes_change"] = steps(ratio(out.minutes_avg_last_10 - usual, usual), 0.1, 0.2)
    out["pct_three"] = ratio(w.total(box.fg3a, ten), w.total(box.fga, ten))
    free = ratio(w.total(box.ftm, ten), w.total(pts, ten))
    out["pct_free_throw"] = np.where(w.count(ten) >= 5, np.minimum(free, 0.5), np.nan)
    above = out.points_avg_last_5 - out.points_avg_season
    out["pts_vs_season_zscore"] = np.clip(ratio(above, out.points_std_last_10), -3, 3)
    known = above.notna() & out.points_std_last_10.notna()
    out["breakout_flag"] = np.where(known, above > 1.5 * out.points_std_last_10, np.nan)
    out["usage_rate_last_5"] = usage_last_5(w, box, games, five)
    out["games_since_structural_change"] = since_change(w, box, day, year, rest)
    out["dnp_rate"] = dnp_rate(w, box, games, day, year)
    return out


def steps(x, small, large):
    """-2, -1, 0, 1 or 2 by how far x is from 0; NaN stays."""
    x = np.asarray(x, float)
    size = (np.abs(x) >= small).astype(float) + (np.abs(x) >= large)
    return np.where(np.isnan(x), np.nan, np.sign(x) * size)


def cold_streak(w, pts, season):
    """Games since the last one at or above the season's mean; NaN without a season yet."""
    return np.where(w.count(season) > 0, streak(w.rows, season, pts, w.mean(pts, season)), np.nan)


def streak(end, start, x, limit):
    """How many rows just before `end`, not before `start`, have x < limit (of the asking row)."""
    length = np.zeros(len(end))
    asking = np.arange(len(end))
    while len(asking):
        at = end[asking] - 1 - length[asking].astype(int)
        asking = asking[(at >= start[asking]) & (x[np.maximum(at, 0)] < limit[asking])]
        length[asking] += 1
    return length


def freshness(w, day, rest, out):
    """The contract's fatigue_score, high when fresh."""
    # A row that is one of a pair on consecutive days, counted at the second.
    previous = np.r_[-10, day[:-1]]
    second = ((day - previous) == 1) & (w.rows > w.first)
    fortnight = w.since(14)
    # The first game of the window may be the second of a pair whose first lies outside.
    cut = np.where(fortnight < w.rows, second[np.minimum(fortnight, len(second) - 1)], False)
    pairs = w.total(second, fortnight) - cut
    n, load = out.games_in_last_7_days, out.minutes_load_last_7d
    score = 100.0 - 15 * (rest == 1) + 5 * (rest >= 3) - 10 * (n >= 4) - 10 * (load > 240)
    score = score - 8 * (ratio(load, n) > 35) - np.where(pairs >= 2, 12, np.where(pairs >= 1, 5, 0))
    return np.where(np.isnan(rest), np.nan, np.clip(score, 0, 100))


def usage(box, games):
    """Per row of the box scores, the share of his team's endings that were his while he played, in percent."""
    team = games[["game_id", "team", "min", "fga", "fta", "tov"]]
    t = box[["game_id", "team"]].merge(team, on=["game_id", "team"], how="left")
    own = box.fga.to_numpy() + 0.44 * box.fta.to_numpy() + box.tov.to_numpy()
    whole = box["min"].to_numpy() * (t.fga + 0.44 * t.fta + t.tov).to_numpy()
    return 100 * ratio(own * (t["min"].to_numpy() / 5), whole)


def usage_last_5(w, box, games, five):
    share = usage(box, games)
    has = ~np.isnan(share)
    n = w.total(has, five)
    return np.where(n >= 3, ratio(w.total(np.where(has, share, 0), five), n), np.nan)


def since_change(w, box, day, year, rest):
    """Games since a change of team or a gap of more than 14 days, at most 30."""
    team = box.team.to_numpy()
    change = np.r_[False, (team[1:] != team[:-1]) | (np.diff(day) > 14)]
    newest = np.maximum.accumulate(np.where(change, w.rows, -1))
    # The change of the row before; the first game of the window has none before it.
    before = np.r_[-1, newest[:-1]]
    start = np.where(before > year, before, year)
    n = np.where(rest > 14, 0, w.rows - start)
    return np.minimum(n, 30).astype(float)


def dnp_rate(w, box, games, day, year):
    """Share of the team's newest ten games since he came in which he has no row. A game of which there is no row of the
    team does not count, nor does one of which there is no row of any of its players."""
    key = ["team", "game_id"]
    counting = box[[*key, "day"]].drop_duplicates(key).merge(games[key].drop_duplicates(), on=key)
    counts = pd.MultiIndex.from_frame(box[key]).isin(pd.MultiIndex.from_frame(counting[key]))
    # `at`: how many counting games his team had before this day.
    codes = {team: code for code, team in enumerate(sorted(box.team.unique()))}
    wide = np.int64(1 << 20)
    nights = np.sort(counting.team.map(codes).to_numpy(np.int64) * wide + counting.day.to_numpy())
    of_team = box.team.map(codes).to_numpy(np.int64) * wide
    at = np.searchsorted(nights, of_team + day) - np.searchsorted(nights, of_team)
    team = box.team.to_numpy()
    new_run = (w.rows == w.first) | np.r_[True, team[1:] != team[:-1]]
    run = np.cumsum(new_run)
    run_start = np.maximum(np.maximum.accumulate(np.where(new_run, w.rows, 0)), year)
    first_at = at[np.minimum(run_start, len(at) - 1)]
    low = np.maximum(first_at, at - 10)
    since = np.maximum(np.searchsorted(run * wide + at, run * wide + low), run_start)
    so_far = np.r_[0, np.cumsum(counts)]
    his = so_far[w.rows] - so_far[since]
    n = np.where(run_start < w.rows, at - low, 0)
    return np.where(n >= 3, ratio(n - his, n), np.nan)


def against_opponent(box):
    """Means and number of games against this opponent within the year."""
    order = np.lexsort((box.game_id, box.day, box.opponent, box.player_id))
    ordered = box.iloc[order]
    w = Windows(ordered.player_id.astype(str) + ordered.opponent, ordered.day)
    year = w.since(YEAR)
    out = pd.DataFrame({f"{m}_avg_vs_opponent": w.mean(ordered[s], year) for m, s in STAT.items()}, index=ordered.index)
    out["games_vs_opponent"] = w.count(year)
    return out.rename(columns={"points_avg_vs_opponent": "avg_points_vs_opponent"}).sort_index()


# --- graded games ----------------------------------------------------------------------------------------------------


def graded_table(box, line):
    """From earlier games of 60 days with minutes and a points line: streaks and margins. `line` is per row of `box`."""
    w = Windows(box.player_id, box.day)
    is_graded = (box["min"].to_numpy() > 0) & ~np.isnan(line)
    rank = np.r_[0, np.cumsum(is_graded)]
    end, start = rank[w.rows], rank[w.since(RECENT)]
    margin = (box.pts.to_numpy(float) - line)[is_graded]
    zero = np.zeros(len(end))
    run = np.r_[0.0, np.cumsum(margin)]
    overs = np.r_[0.0, np.cumsum(margin > 0)]
    n = end - start
    ten, five = np.maximum(start, end - 10), np.maximum(start, end - 5)
    out = pd.DataFrame(index=box.index)
    out["prop_over_streak"] = np.where(n > 0, streak(end, start, -margin, zero), np.nan)
    out["prop_under_streak"] = np.where(n > 0, streak(end, start, margin, zero), np.nan)
    out["over_rate_last_10"] = np.where(n >= 3, ratio(overs[end] - overs[ten], end - ten), np.nan)
    out["margin_vs_line_avg_last_5"] = np.where(n >= 3, ratio(run[end] - run[five], end - five), np.nan)
    return out
