"""Features straight from the raw files: a second, independent implementation of the feature contract.

    python features.py --data DIR --from 2023-10-24 --to 2025-11-16 --out features.csv     (or TIPOFF_DATA for --data)

It shares no code with `tipoff features export`; both follow the texts of rules/features.toml. One row per player who appeared:
game_date, game_id, player_lookup, team, minutes, the four results, per market the chosen quote (`M_line_chosen`, prices, book)
and then one column per feature by name; empty means missing. `--out` may end in .csv, .csv.gz or .parquet.

Everything about a game on day D is computed from what was known before it: results of days strictly before D, and quotes
seen before tip-off. `--until DAY` reads the raw files as if nothing after that day existed, which changes no earlier row.
"""

import argparse
import os
import pathlib
import tomllib

import numpy as np
import pandas as pd

import absences
import history
import lines
import raw
from raw import MARKETS, STAT

CONTRACT = pathlib.Path(__file__).resolve().parents[2] / "rules/features.toml"
META = ["game_date", "game_id", "player_lookup", "team", "minutes", *MARKETS]
QUOTE = ["line", "over_price", "under_price", "no_vig", "book"]


def contract():
    """The features in the contract's order."""
    return tomllib.loads(CONTRACT.read_text())["features"]


def quote_columns():
    return [f"{market}_chosen_{c}" for market in MARKETS for c in QUOTE]


def add_lines(out, table):
    """Per market the chosen quote and the market's opinion."""
    parts = []
    for market in MARKETS:
        own = table[table.market == market].drop(columns="market")
        own = out[["game_date", "team", "match"]].merge(own, on=["game_date", "team", "match"], how="left")
        assert len(own) == len(out), "two quotes for one player and day"
        parts.append(own[[*QUOTE, "opening"]].add_prefix(f"{market}_chosen_"))
        season = out[f"{market}_avg_season"].to_numpy()
        parts.append(pd.DataFrame({
            f"{market}_line": own.line,
            f"{market}_line_vs_season_avg": own.line - season,
            f"{market}_book_std": own.book_std,
            f"{market}_consensus_line": own.consensus_line,
            f"{market}_no_vig_over": own.no_vig_over,
            f"{market}_line_minus_consensus": own.line - own.consensus_line,
            f"{market}_book_count": own.book_count,
            f"{market}_line_move": own.consensus_line - own.opening_consensus,
        }))  # fmt: skip
    out = pd.concat([out.reset_index(drop=True), *parts], axis=1).copy()
    return out.assign(
        vegas_points_line=out.points_line,
        vegas_opening_line=out.points_chosen_opening,
        vegas_line_move=out.points_line - out.points_chosen_opening,
        has_vegas_line=out.points_line.notna().astype(float),
        multi_book_line_std=out.points_book_std,
        line_vs_season_avg=out.points_line_vs_season_avg,
    )


def until_day(table, column, last):
    return table if last is None else table[table[column] <= last].reset_index(drop=True)


def everything(data, start, end, until=None):
    """All columns for the games of `start` to `end`; nothing after `until` is read."""
    data = pathlib.Path(data)
    box = until_day(raw.box_scores(data), "game_date", until)
    box["match"] = raw.mapped(box.player_name, raw.match_name)
    games = until_day(raw.team_games(data), "game_date", until)
    table = lines.line_table(until_day(raw.quotes(data), "game_date", until))
    on = ["game_date", "team", "match"]
    line = box[on].merge(table[table.market == "points"][[*on, "line"]], on=on, how="left").line.to_numpy()
    past = [history.player_table(box, games), history.against_opponent(box), history.graded_table(box, line)]
    out = pd.concat([box, *past], axis=1)
    out = out[(out.game_date >= start) & (out.game_date <= end)]
    team = history.for_every_game(history.team_table, games, box)
    allowed = history.for_every_game(lambda g: history.allowed_table(g, box), games, box)
    out = out.merge(team, on=["game_id", "team"], how="left")
    out = out.merge(history.opponent_view(team), on=["game_id", "opponent"], how="left")
    out = out.merge(allowed.rename(columns={"team": "opponent"}), on=["game_id", "opponent"], how="left")
    at_home = out.is_home == 1
    out["home"] = np.where(at_home, out.team, out.opponent)
    out["away"] = np.where(at_home, out.opponent, out.team)
    out = out.merge(raw.game_lines(data), on=["game_date", "home"], how="left")
    out = lines.add_previous_line(add_game(add_lines(out, table)).copy(), table)
    out = pd.concat([out, absences.absence_table(data, box, games, out)], axis=1).copy()
    out["prop_line_delta"] = out.points_consensus_line - out.points_previous_line
    lookup = raw.mapped(out.player_name, raw.player_lookup)
    game_id = out.game_date.str.replace("-", "") + "_" + out.away + "_" + out.home
    out = out.assign(minutes=out["min"], player_lookup=lookup, game_id=game_id, **{m: out[s] for m, s in STAT.items()})
    return out.sort_values(["game_date", "game_id", "player_lookup"]).reset_index(drop=True).copy()


def believed(out):
    """A value outside its range counts as missing; where a feature is required, its default stands in."""
    values = {}
    for f in contract():
        x = out[f["name"]].astype(float)
        x = x.where((x >= f["min"]) & (x <= f["max"]))
        values[f["name"]] = x.fillna(f["default"]) if f["required"] else x
    return pd.DataFrame(values)


def build(data, start, end, until=None):
    """The table in the shape that is written."""
    out = everything(data, start, end, until)
    absent = [f["name"] for f in contract() if f["name"] not in out]
    if absent:
        raise SystemExit(f"not computed here: {', '.join(absent)}")
    return pd.concat([out[[*META, *quote_columns()]], believed(out)], axis=1).copy()


def add_game(out):
    """What follows from the game and both teams."""
    at_home = out.is_home == 1
    own_spread = np.where(at_home, out.home_spread, -out.home_spread)
    return out.assign(
        home_away=out.is_home.astype(float),
        playoff_game=(out.season_type == "playoffs").astype(float),
        spread_magnitude=out.home_spread.abs(),
        implied_team_total=(out.game_total_line - own_spread) / 2,
        opponent_pace_mismatch=out.team_pace - out.opponent_pace,
        pace_score=np.clip((out.opponent_pace - out.team_pace) / 2, -3, 3),
        rest_advantage=np.clip(out.rest - out.opponent_rest, -2, 2),
    )


def write(table, path):
    table.to_parquet(path, index=False) if path.suffix == ".parquet" else table.to_csv(path, index=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=os.environ.get("TIPOFF_DATA"))
    parser.add_argument("--from", dest="start", required=True)
    parser.add_argument("--to", dest="end", required=True)
    parser.add_argument("--until")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    if args.data is None:
        parser.error("say where the raw files are: --data or TIPOFF_DATA")
    table = build(args.data, args.start, args.end, args.until)
    assert not table.duplicated(["game_id", "player_lookup"]).any()
    write(table, args.out)
    print(f"{len(table)} rows; missing by feature:")
    print(table[[f["name"] for f in contract()]].isna().mean().round(3).to_string())
    for market in MARKETS:
        line = table[f"{market}_chosen_line"]
        print(f"{market}: {line.notna().sum()} with a line, MAE of the line {(table[market] - line).abs().mean():.3f}")


if __name__ == "__main__":
    main()
