"""The raw files as tables: box scores, team games, game lines and quotes, with one spelling of names, teams and days.

Nothing here computes a feature. `seen` of a quote is the moment it was known; only quotes seen before tip-off are kept.
"""

import re
import unicodedata

import numpy as np
import pandas as pd

FIRST_SEASON = "2018-19"
BOOK_RANK = (
    "draftkings fanduel betmgm williamhill_us pointsbetus fanatics espnbet hardrockbet betrivers unibet_us fliff betparx "
    "ballybet betonlineag mybookieag bovada"
).split()
NO_CONSENSUS = "bovada"
MARKETS = {"points": "player_points", "rebounds": "player_rebounds", "assists": "player_assists", "threes": "player_threes"}
STAT = {"points": "pts", "rebounds": "reb", "assists": "ast", "threes": "fg3m"}
SUFFIXES = {"jr", "sr", "ii", "iii", "iv", "v"}
GAME_LINE_TEAMS = {"gs": "GSW", "no": "NOP", "ny": "NYK", "sa": "SAS", "utah": "UTA", "wsh": "WAS"}


def read(data, *patterns, **options):
    return pd.concat([pd.read_csv(f, **options) for p in patterns for f in sorted(data.glob(p))], ignore_index=True)


def season_start(dates):
    """The year in which the season of a day began; seasons change in August."""
    dates = pd.to_datetime(dates).dt
    return (dates.year - (dates.month < 8)).to_numpy()


def day_number(dates):
    """Days since 1970, whole numbers."""
    return pd.to_datetime(dates).to_numpy().astype("datetime64[D]").astype(np.int64)


def player_lookup(name):
    """The product's join key: marks dropped, lower case, letters and digits only; suffixes stay."""
    return re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFD", name).lower())


def match_name(name):
    """For joining odds to box scores here: marks and suffixes dropped."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9 ]", " ", re.sub(r"[.']", "", plain)).split()
    return " ".join(w for w in words if w not in SUFFIXES)


def without_suffix(name):
    """The name as written, without a generational suffix."""
    head, _, last = name.strip().rpartition(" ")
    return head.rstrip(" ,") if head and player_lookup(last) in SUFFIXES else name


def mapped(names, rule):
    """`rule` once per distinct name."""
    return names.map({n: rule(n) for n in names.unique()})


def box_scores(data):
    """One row per player who appeared, in order of player and day."""
    box = read(data, "boxscores/player_boxscores_*.csv.gz", dtype={"game_id": str})
    box = box[box.season >= FIRST_SEASON].drop_duplicates(["game_id", "player_id"])
    box = box.assign(day=day_number(box.game_date))
    return box.sort_values(["player_id", "day", "game_id"], kind="stable").reset_index(drop=True)


def team_games(data):
    """One row per team and game, in order of team and day, with possessions of both sides."""
    games = read(data, "teams/team_games_*.csv.gz", dtype={"game_id": str})
    games = games[games.season >= FIRST_SEASON].drop_duplicates(["game_id", "team"])
    games = games.assign(poss=games.fga + 0.44 * games.fta - games.oreb + games.tov, day=day_number(games.game_date))
    theirs = ["poss", "pts", "reb", "ast", "fg3m"]
    other = games[["game_id", "team", *theirs]].rename(columns={"team": "opponent"} | {c: f"opp_{c}" for c in theirs})
    games = games.merge(other, on=["game_id", "opponent"], how="left")
    return games.sort_values(["team", "day", "game_id"], kind="stable").reset_index(drop=True)


def game_lines(data):
    """Closing total and the home team's spread (negative for a favourite) by day and home team; none for 2025-26."""
    lines = read(data, "odds/game_lines_closing_*.csv.gz")
    lines["home"] = lines.home.map(lambda t: GAME_LINE_TEAMS.get(t, t.upper()))
    lines["home_spread"] = np.where(lines.whos_favored == "home", -lines.spread, lines.spread)
    lines = lines.rename(columns={"date": "game_date", "total": "game_total_line"})
    return lines[["game_date", "home", "home_spread", "game_total_line"]].drop_duplicates(["game_date", "home"])


def injury_moves(data):
    """Who went onto the injury list or came back, in the order of the file: date, team (none when unknown), name, back, notes."""
    moves = read(data, "injuries/injuries_pst_*.csv.gz", dtype=str)
    moves = moves[moves.Acquired.notna() != moves.Relinquished.notna()]
    name = moves.Acquired.fillna(moves.Relinquished)
    moves = pd.DataFrame({
        "date": moves.Date, "team": moves.Team.map(nicknames(data)), "name": name, "back": moves.Acquired.notna(),
        "notes": moves.Notes.fillna(""),
    })  # fmt: skip
    return moves[moves.name.map(player_lookup) != ""].reset_index(drop=True)


def implied(price):
    """The probability at which an American price is fair."""
    price = np.asarray(price, float)
    size = np.abs(price)
    return np.where(price < 0, size, 100.0) / (size + 100.0)


def _v4(data):
    """Over and under are rows of their own; a file has a day, so its moment is the event's newest update before tip-off."""
    v4 = read(data, "odds/oddsapi_v4_props_*.csv.gz")
    v4 = v4.rename(columns={
        "bookmaker_key": "bookmaker", "market_key": "market", "outcome_description": "player", "outcome_point": "line",
        "market_last_update": "update",
    })  # fmt: skip
    v4 = before_tip(data, v4, "update")
    v4["seen"] = v4.groupby(["snapshot_file_date", "event_id"])["update"].transform("max")
    v4 = v4[v4.market.isin(MARKETS.values())]
    key = ["game_date_et", "home_team", "away_team", "bookmaker", "market", "player", "seen", "line"]
    v4 = v4.drop_duplicates([*key, "outcome_name"])
    over, under = v4[v4.outcome_name == "Over"], v4[v4.outcome_name == "Under"]
    both = over[[*key, "outcome_price"]].merge(under[[*key, "outcome_price"]], on=key, how="outer", suffixes=("_over", "_under"))
    return both.rename(columns={"outcome_price_over": "over_price", "outcome_price_under": "under_price"})


def _paired(data):
    paired = read(data, "odds/oddsapi_props_2025-*.csv.gz")
    paired["seen"] = pd.to_datetime(paired.snapshot_file, format="%Y%m%d_%H%M%S").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return before_tip(data, paired[paired.market.isin(MARKETS.values())], "seen")


def _threes(data):
    """This file has a day and mostly no times: its moment is the game's newest update before tip-off, else any update, else
    the last second of that day that is before tip-off. It looked at other hours than the file that also has these days."""
    threes = with_tip(data, read(data, "odds/oddsapi_threes_*.csv.gz"))
    update, tip = pd.to_datetime(threes.market_last_update, utc=True), pd.to_datetime(threes.tip, utc=True)
    look = [threes.snapshot_file_date, threes.game_date_et, threes.home_team]
    midnight = pd.to_datetime(threes.snapshot_file_date).dt.tz_localize("America/New_York") + pd.DateOffset(days=1)
    midnight = midnight.dt.tz_convert("UTC")
    seen = update.where(update < tip).groupby(look).transform("max").fillna(update.groupby(look).transform("max"))
    seen = seen.fillna(midnight.where(midnight < tip, tip) - pd.Timedelta(seconds=1))
    known = (seen < tip) & (update.isna() | (update < tip))
    return threes.assign(seen=seen.dt.strftime("%Y-%m-%dT%H:%M:%SZ"))[known]


def tip_offs(data):
    """Scheduled tip-off in UTC by day and home team."""
    old = read(data, "schedule/schedule_2018-*.csv.gz")
    local = pd.to_datetime(old.date_et + " " + old.time_et, errors="coerce").dt.tz_localize("America/New_York")
    old = pd.DataFrame({"game_date_et": old.date_et, "home": old.home_team, "tip": local.dt.tz_convert("UTC")})
    new = read(data, "schedule/schedule_2025-26_*.csv.gz")
    new = pd.DataFrame({"game_date_et": new.date_est, "home": new.home_tricode, "tip": pd.to_datetime(new.datetime_utc, utc=True)})
    tips = pd.concat([old, new]).dropna().sort_values("tip").drop_duplicates(["game_date_et", "home"])
    return tips.assign(tip=tips.tip.dt.strftime("%Y-%m-%dT%H:%M:%SZ"))


def with_tip(data, q):
    """With `tip`, the earlier of the scheduled and the vendor's tip-off."""
    q = q.assign(home=q.home_team.map(team_codes(data))).merge(tip_offs(data), on=["game_date_et", "home"], how="left")
    return q.assign(tip=q.tip.where(q.tip < q.commence_time, q.commence_time)).drop(columns="home")


def before_tip(data, q, moment):
    """The quotes of before tip-off."""
    q = with_tip(data, q)
    return q[q[moment] < q.tip].drop(columns="tip")


def team_codes(data):
    teams = read(data, "teams/teams.csv.gz")
    return dict(zip(teams.full_name, teams.team)) | {"LA Clippers": "LAC", "Los Angeles Clippers": "LAC"}


def nicknames(data):
    teams = read(data, "teams/teams.csv.gz")
    return dict(zip(teams.nickname, teams.team)) | {"Blazers": "POR"}


def aliases(data):
    """The player's join key by that of another spelling."""
    table = read(data, "odds/name_aliases.csv.gz")
    return {player_lookup(alias): player_lookup(name) for alias, name in zip(table.odds_name, table.box_name)}


def quotes(data):
    """Every pre-tip main quote: of one book's points at one time the one nearest even money, two-sided ones first.

    Columns: game_date, home, away, match, market (ours), bookmaker, seen, line, over_price, under_price, no_vig.
    """
    paired = _paired(data)
    threes = _threes(data)
    columns = ["game_date_et", "home_team", "away_team", "bookmaker", "market", "player", "seen", "line", "over_price", "under_price"]
    q = pd.concat([_v4(data)[columns], paired[columns], threes[columns]], ignore_index=True)
    q = q[q.line.notna() & (q.over_price.notna() | q.under_price.notna())]
    over, under = implied(q.over_price), implied(q.under_price)
    no_vig = over / (over + under)
    one_sided = np.isnan(no_vig)
    off_even = np.abs(np.where(one_sided, np.where(np.isnan(over), under, over), no_vig) - 0.5)
    q = q.assign(no_vig=no_vig, one_sided=one_sided, off_even=np.round(off_even, 12))
    aliases = read(data, "odds/name_aliases.csv.gz")
    alias = dict(zip(aliases.odds_name, aliases.box_name))
    q["match"] = mapped(q.player, lambda name: match_name(alias.get(name, name)))
    who = ["game_date_et", "home_team", "match", "market", "bookmaker", "seen"]
    q = q.sort_values([*who, "one_sided", "off_even", "line"], kind="stable").drop_duplicates(who)
    code = team_codes(data)
    q["home"], q["away"] = q.home_team.map(code), q.away_team.map(code)
    assert q.home.notna().all() and q.away.notna().all(), "a team name of the odds is unknown"
    q["market"] = q.market.map({vendor: ours for ours, vendor in MARKETS.items()})
    q = q.rename(columns={"game_date_et": "game_date"})
    return q[["game_date", "home", "away", "match", "market", "bookmaker", "seen", "line", "over_price", "under_price", "no_vig"]]
