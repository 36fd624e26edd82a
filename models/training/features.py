"""Features straight from the raw files: a second, independent implementation of the feature contract.

    python features.py --data DIR --from 2023-10-24 --to 2025-11-09 --out features.csv     (or TIPOFF_DATA for --data)

It shares no code with `tipoff features export` and writes the same shape: game_date, game_id, player_lookup, team, minutes,
points, line, then one column per feature by name; empty means missing. One row per player who appeared.

Everything about a game on day D is computed from what was known before it: results of days strictly before D, and quotes
seen before tip-off. The windows:

    last N       the last N games the player appeared in within 365 days before D
    season       games of the same season before D, play-offs included
    team last 10 the team's last ten games before D, whatever the season, play-in and cup final included
    st. dev.     of the population
"""

import argparse
import os
import pathlib
import re
import unicodedata

import numpy as np
import pandas as pd

FEATURES = [
    "points_avg_last_5", "points_avg_last_10", "points_avg_season", "points_std_last_10", "games_in_last_7_days",
    "opponent_pace", "home_away", "back_to_back", "playoff_game", "team_pace", "team_off_rating", "team_win_pct",
    "vegas_points_line", "vegas_opening_line", "vegas_line_move", "has_vegas_line", "avg_points_vs_opponent",
    "games_vs_opponent", "minutes_avg_last_10", "ppm_avg_last_10", "game_total_line", "days_rest", "spread_magnitude",
    "implied_team_total", "points_avg_last_3", "scoring_trend_slope", "deviation_from_avg_last3",
    "consecutive_games_below_avg", "multi_book_line_std", "line_vs_season_avg", "blowout_minutes_risk",
    "minutes_volatility_last_10", "opponent_pace_mismatch",
]  # fmt: skip
BOOK_RANK = ["draftkings", "fanduel", "betmgm", "williamhill_us"]
LAST_N_DAYS, RECENT_DAYS = 365, 60
GAME_LINE_TEAMS = {"gs": "GSW", "no": "NOP", "ny": "NYK", "sa": "SAS", "utah": "UTA", "wsh": "WAS"}


def read(data, *parts, **options):
    return pd.concat([pd.read_csv(f, **options) for p in parts for f in sorted(data.glob(p))], ignore_index=True)


def day_number(dates):
    return pd.to_datetime(dates).to_numpy().astype("datetime64[D]").astype(np.int64)


# --- names -----------------------------------------------------------------------------------------------------------


def player_lookup(name):
    """The product's join key: marks dropped, lower case, letters and digits only; suffixes stay."""
    return re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFD", name).lower())


def match_name(name):
    """For joining odds to box scores here: as above, without suffixes."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9 ]", " ", re.sub(r"[.']", "", plain)).split()
    return " ".join(w for w in words if w not in {"jr", "sr", "ii", "iii", "iv", "v"})


# --- teams -----------------------------------------------------------------------------------------------------------


def team_table(data):
    """Per team and game: what was known of the team before it."""
    games = read(data, "teams/team_games_*.csv.gz", dtype={"game_id": str})
    games = games[games.season >= "2021-22"].copy()
    games["poss"] = games.fga + 0.44 * games.fta - games.oreb + games.tov
    other = games[["game_id", "team", "poss"]].rename(columns={"team": "opponent", "poss": "opp_poss"})
    games = games.merge(other, on=["game_id", "opponent"], how="left")
    games["pace"] = 48 * ((games.poss + games.opp_poss) / 2) / (games["min"] / 5)
    games["day"] = day_number(games.game_date)
    out = []
    for _, t in games.sort_values("day").groupby("team"):
        day, pace, pts, poss = (t[c].to_numpy() for c in ("day", "pace", "pts", "poss"))
        won, blowout = (t.wl == "W").to_numpy(), (t.plus_minus.abs() >= 15).to_numpy()
        season = t.season.to_numpy()
        for i in range(len(t)):
            last = slice(max(0, i - 10), i)
            this_season = season[:i] == season[i]
            known = i > 0
            out.append({
                "game_id": t.game_id.iloc[i],
                "team": t.team.iloc[i],
                "team_pace": pace[last].mean() if known else np.nan,
                "team_off_rating": 100 * pts[last].sum() / poss[last].sum() if known else np.nan,
                "team_win_pct": won[:i][this_season].mean() if this_season.sum() >= 5 else 0.5,
                "blowout_minutes_risk": blowout[last].mean() if known else np.nan,
                "back_to_back": float(known and day[i - 1] == day[i] - 1),
            })  # fmt: skip
    return pd.DataFrame(out)


def game_lines(data):
    """Closing total and the home team's spread (negative for a favourite) by day and home team; none for 2025-26."""
    lines = read(data, "odds/game_lines_closing_*.csv.gz")
    lines["home"] = lines.home.map(lambda t: GAME_LINE_TEAMS.get(t, t.upper()))
    lines["home_spread"] = np.where(lines.whos_favored == "home", -lines.spread, lines.spread)
    lines = lines.rename(columns={"date": "game_date", "total": "game_total_line"})
    return lines[["game_date", "home", "home_spread", "game_total_line"]].drop_duplicates(["game_date", "home"])


# --- lines -----------------------------------------------------------------------------------------------------------


def implied(price):
    return np.where(price < 0, -price / (100.0 - price), 100.0 / (price + 100.0))


def quotes(data, until):
    """Every pre-tip two-sided quote for points: day, home and away team, player, book, when it was seen, line, prices."""
    key = ["game_date_et", "home_team", "away_team", "bookmaker", "player", "seen", "line"]
    v4 = read(data, "odds/oddsapi_v4_props_*.csv.gz")
    v4 = v4[(v4.market_key == "player_points") & (v4.market_last_update < v4.commence_time)]
    v4 = v4.rename(columns={
        "bookmaker_key": "bookmaker", "outcome_description": "player", "market_last_update": "seen", "outcome_point": "line",
    })  # fmt: skip
    v4 = v4.pivot_table(index=key, columns="outcome_name", values="outcome_price", aggfunc="first").reset_index()
    v4 = v4.rename(columns={"Over": "over_price", "Under": "under_price"})
    paired = read(data, "odds/oddsapi_props_2025-*.csv.gz")
    paired = paired[paired.market == "player_points"].copy()
    paired["seen"] = pd.to_datetime(paired.snapshot_file, format="%Y%m%d_%H%M%S").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    paired = paired[paired.seen < paired.commence_time]
    both = pd.concat([v4, paired[[*key, "over_price", "under_price"]]], ignore_index=True)
    return both[(both.game_date_et <= until)].dropna(subset=["over_price", "under_price", "line"])


def line_table(data, until):
    """Per day, team and player: the line-derived features."""
    q = quotes(data, until)
    q["uneven"] = np.abs(implied(q.over_price) - implied(q.under_price))
    # Of one book's points at one time, the main one is nearest even money.
    q = q.sort_values(["uneven", "line"]).drop_duplicates(["game_date_et", "home_team", "player", "bookmaker", "seen"])
    aliases = read(data, "odds/name_aliases.csv.gz")
    alias = dict(zip(aliases.odds_name, aliases.box_name))
    q["match"] = q.player.map(lambda name: match_name(alias.get(name, name)))
    teams = read(data, "teams/teams.csv.gz")
    code = dict(zip(teams.full_name, teams.team)) | {"LA Clippers": "LAC", "Los Angeles Clippers": "LAC"}
    q["home"], q["away"] = q.home_team.map(code), q.away_team.map(code)
    assert q.home.notna().all() and q.away.notna().all(), "a team name of the odds is unknown"
    rank = {book: i for i, book in enumerate(BOOK_RANK)}
    q["rank"] = q.bookmaker.map(lambda b: (rank.get(b, len(rank)), b))
    rows = []
    for (day, home, away, match), g in q.groupby(["game_date_et", "home", "away", "match"]):
        best = g[g.bookmaker == min(g["rank"])[1]].sort_values("seen")
        latest = g.sort_values("seen").groupby("bookmaker").line.last()
        consensus = latest[latest.index != "bovada"]
        opening, line = best.line.iloc[0], best.line.iloc[-1]
        std = consensus.std(ddof=0) if len(consensus) >= 2 else np.nan
        for team in (home, away):
            rows.append((day, team, match, line, opening, line - opening, std))
    columns = ["game_date", "team", "match", "vegas_points_line", "vegas_opening_line", "vegas_line_move", "multi_book_line_std"]
    return pd.DataFrame(rows, columns=columns)


# --- players ---------------------------------------------------------------------------------------------------------


def slope(y):
    x = np.arange(len(y)) - (len(y) - 1) / 2
    return float((x * y).sum() / (x * x).sum())


def player_rows(p, first, last):
    """The player-derived features of one player's games; `p` is sorted by day."""
    day, pts, minutes = p.day.to_numpy(), p.pts.to_numpy(float), p["min"].to_numpy(float)
    season, opponent = p.season.to_numpy(), p.opponent.to_numpy()
    for i in range(len(p)):
        if not first <= day[i] <= last:
            continue
        year = np.searchsorted(day, day[i] - LAST_N_DAYS)
        month2 = np.searchsorted(day, day[i] - RECENT_DAYS)
        before, mins = pts[year:i], minutes[year:i]
        recent = pts[month2:i]
        of_season = pts[:i][season[:i] == season[i]]
        against = pts[year:i][opponent[year:i] == opponent[i]]
        ten, ten_min = before[-10:], mins[-10:]
        mean = of_season.mean() if len(of_season) else np.nan
        last3 = recent[-3:].mean() if len(recent) else np.nan
        spread = recent.std() if len(recent) else 0.0
        above = np.flatnonzero(of_season >= mean) if len(of_season) else []
        yield i, {
            "points_avg_last_5": before[-5:].mean() if len(before) else np.nan,
            "points_avg_last_10": ten.mean() if len(ten) else np.nan,
            "points_avg_season": mean,
            "points_std_last_10": ten.std() if len(ten) else np.nan,
            "games_in_last_7_days": float(i - np.searchsorted(day, day[i] - 7)),
            "avg_points_vs_opponent": against.mean() if len(against) else np.nan,
            "games_vs_opponent": float(len(against)),
            "minutes_avg_last_10": ten_min.mean() if len(ten) else np.nan,
            "ppm_avg_last_10": ten.sum() / ten_min.sum() if ten_min.sum() > 0 else np.nan,
            "days_rest": float(min(day[i] - day[i - 1], 10)) if len(before) else np.nan,
            "points_avg_last_3": last3,
            "scoring_trend_slope": slope(before[-7:]) if len(before) >= 4 else np.nan,
            "deviation_from_avg_last3": (last3 - recent.mean()) / spread if spread > 0 else np.nan,
            "consecutive_games_below_avg": float(len(of_season) - 1 - above[-1]) if len(above) else np.nan,
            "minutes_volatility_last_10": ten_min.std() if len(ten) else np.nan,
        }  # fmt: skip


def build(data, start, end):
    box = read(data, "boxscores/player_boxscores_*.csv.gz", dtype={"game_id": str})
    box = box[box.season >= "2021-22"].drop_duplicates(["game_id", "player_id"]).copy()
    box["day"] = day_number(box.game_date)
    first, last = day_number([start, end])
    rows = []
    for _, p in box.sort_values(["day", "game_id"]).groupby("player_id"):
        index = p.index.to_numpy()
        for i, values in player_rows(p, first, last):
            rows.append({"index": index[i], **values})
    out = box.join(pd.DataFrame(rows).set_index("index"), how="inner")
    team = team_table(data)
    out = out.merge(team, on=["game_id", "team"], how="left")
    pace = team[["game_id", "team", "team_pace"]].rename(columns={"team": "opponent", "team_pace": "opponent_pace"})
    out = out.merge(pace, on=["game_id", "opponent"], how="left")
    out["home"] = np.where(out.is_home == 1, out.team, out.opponent)
    out["away"] = np.where(out.is_home == 1, out.opponent, out.team)
    out = out.merge(game_lines(data), on=["game_date", "home"], how="left")
    out["match"] = out.player_name.map(match_name)
    out = out.merge(line_table(data, end), on=["game_date", "team", "match"], how="left")
    out["has_vegas_line"] = out.vegas_points_line.notna().astype(float)
    out["home_away"] = out.is_home.astype(float)
    out["playoff_game"] = (out.season_type == "playoffs").astype(float)
    out["spread_magnitude"] = out.home_spread.abs()
    own_spread = np.where(out.is_home == 1, out.home_spread, -out.home_spread)
    out["implied_team_total"] = (out.game_total_line - own_spread) / 2
    out["line_vs_season_avg"] = out.vegas_points_line - out.points_avg_season
    out["opponent_pace_mismatch"] = out.team_pace - out.opponent_pace
    out["line"] = out.vegas_points_line
    out["minutes"], out["points"] = out["min"], out.pts
    out["player_lookup"] = out.player_name.map(player_lookup)
    out["game_id"] = out.game_date.str.replace("-", "") + "_" + out.away + "_" + out.home
    out = out.sort_values(["game_date", "game_id", "player_lookup"])
    return out[["game_date", "game_id", "player_lookup", "team", "minutes", "points", "line", *FEATURES]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=os.environ.get("TIPOFF_DATA"))
    parser.add_argument("--from", dest="start", required=True)
    parser.add_argument("--to", dest="end", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    if args.data is None:
        parser.error("say where the raw files are: --data or TIPOFF_DATA")
    table = build(pathlib.Path(args.data), args.start, args.end)
    assert not table.duplicated(["game_id", "player_lookup"]).any()
    table.to_csv(args.out, index=False)
    with_line = table.line.notna()
    print(f"{len(table)} rows, {with_line.sum()} with a line; missing by feature:")
    print(table[FEATURES].isna().mean().round(3).to_string())
    print(f"MAE of the line: {(table.points - table.line)[with_line].abs().mean():.3f}")


if __name__ == "__main__":
    main()
