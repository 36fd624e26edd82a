"""Who was not there: a player's own state on the injury list, and the team-mates who were off it.

The list has dates, no times; a report counts from its day on. It is believed until the player has played on a later day, or
for 120 days. In a fortnight without any report nobody keeps the list up, and nothing is known of anybody.
"""

import numpy as np
import pandas as pd

import raw
from history import usage

BELIEVED, SILENT, TEAMMATE, USAGE, YEAR = 120, 14, 60, 30, 365
STAR, MOST_STARS, WHOLE_BALL = 18.0, 5, 100.0
QUESTIONABLE, GONE = 2, 3
WIDE = np.int64(1 << 20)


class Keyed:
    """Rows by player and day, asked for each player's rows before a day."""

    def __init__(self, player, day):
        self.key = player.astype(np.int64) * WIDE + day
        assert (np.diff(self.key) >= 0).all()

    def end(self, player, day):
        """Index after his last row before a day."""
        return np.searchsorted(self.key, player.astype(np.int64) * WIDE + day)


class List:
    """Box scores and reports of every player, by one numbering of players."""

    def __init__(self, data, box, games):
        lookup = raw.mapped(box.player_name, raw.player_lookup)
        box = box.assign(lookup=lookup, usage=usage(box, games))
        self.lookups, player = np.unique(box.lookup, return_inverse=True)
        order = np.lexsort((box.opponent, box.day, player))
        self.box, self.player = box.iloc[order].reset_index(drop=True), player[order]
        self.played = Keyed(self.player, self.box.day.to_numpy())
        has = self.box.usage.notna().to_numpy()
        self.sums = {
            "points": np.r_[0, np.cumsum(self.box.pts.to_numpy(float))],
            "usage": np.r_[0, np.cumsum(np.where(has, self.box.usage, 0.0))],
            "has": np.r_[0, np.cumsum(has)],
        }
        reports = resolved(data, self.box)
        self.days = np.sort(reports.day.to_numpy())
        number = {lookup: i for i, lookup in enumerate(self.lookups)}
        reports = reports[reports.lookup.isin(number)]
        reports = reports.assign(player=reports.lookup.map(number))
        reports = reports.sort_values(["player", "day"], kind="stable").reset_index(drop=True)
        self.reports = reports
        self.reported = Keyed(reports.player.to_numpy(), reports.day.to_numpy())

    def is_silent(self, day):
        """True when nobody at all was reported in the fortnight up to the evening of a day."""
        return np.searchsorted(self.days, day - SILENT, side="right") == np.searchsorted(self.days, day, side="right")

    def newest_game(self, player, day):
        """Index of his newest game within a year before a day; -1 without."""
        end = self.played.end(player, day)
        return np.where(end > self.played.end(player, day - YEAR), end - 1, -1)

    def state(self, player, day):
        """0 available, 2 questionable, 3 out, on a day."""
        if not len(self.reports):
            return np.zeros(len(player), int)
        report = self.reported.end(player, day + 1) - 1
        has = (report >= 0) & (self.reports.player.to_numpy()[report] == player)
        since = self.reports.day.to_numpy()[report]
        game = self.newest_game(player, day)
        played = (game >= 0) & (self.box.day.to_numpy()[game] > since)
        counts = has & ~played & (day - since <= BELIEVED)
        return np.where(counts, self.reports.state.to_numpy()[report], 0)

    def gone(self, day):
        """Whoever is out on a day and played in 60 days: lookup, team of his newest game, star or not, mean usage."""
        player = np.arange(len(self.lookups))
        game = self.newest_game(player, day)
        near = (game >= 0) & (day - self.box.day.to_numpy()[game] <= TEAMMATE)
        player, game = player[near], game[near]
        out = self.state(player, day) == GONE
        player, game = player[out], game[out]
        end = game + 1
        ten = np.maximum(self.played.end(player, day - YEAR), end - 10)
        points = (self.sums["points"][end] - self.sums["points"][ten]) / (end - ten)
        recent = self.played.end(player, day - USAGE)
        n = self.sums["has"][end] - self.sums["has"][recent]
        used = (self.sums["usage"][end] - self.sums["usage"][recent]) / np.maximum(n, 1)
        return pd.DataFrame({
            "day": day, "team": self.box.team.to_numpy()[game], "lookup": self.lookups[player],
            "stars": (points >= STAR).astype(float), "usage_free": np.where(n > 0, used, 0.0),
        })  # fmt: skip


def resolved(data, box):
    """The reports in the order of the file: day, lookup of the player who is meant, state."""
    reports = raw.injury_moves(data)
    season = raw.season_start(reports.date)
    people = {year: Roster(box, year) for year in np.unique(season)}
    alias = raw.aliases(data)
    who = [people[s].who(n, t, alias) for n, t, s in zip(reports.name, reports.team, season)]
    state = np.where(reports.back, 0, np.where(reports.notes.str.contains("DTD"), QUESTIONABLE, GONE))
    reports = reports.assign(lookup=who, state=state, day=raw.day_number(reports.date))
    return reports.drop_duplicates(["lookup", "day", "state", "notes"])


class Roster:
    """Everybody with a box score in a season or the one before, by team."""

    def __init__(self, box, year):
        season = raw.season_start(box.game_date)
        some = box[(season == year) | (season == year - 1)][["player_name", "lookup", "team"]].drop_duplicates()
        some = some.assign(base=raw.mapped(some.player_name, lambda name: raw.player_lookup(raw.without_suffix(name))))
        self.teams = {team: dict(zip(rows.lookup, rows.base)) for team, rows in some.groupby("team")}

    def who(self, name, team, alias):
        """The exact name in that team; an alias; the only one of the team but for the suffix; the exact name elsewhere; else
        the name itself."""
        lookup, base = raw.player_lookup(name), raw.player_lookup(raw.without_suffix(name))
        team = self.teams.get(team, {})
        if lookup in team:
            return lookup
        if lookup in alias:
            return alias[lookup]
        fitting = [player for player, of in team.items() if of == base]
        return fitting[0] if len(fitting) == 1 else lookup


def absence_table(data, box, games, rows):
    """Per row of `rows` (day, team, player_name): injury_risk, star_teammates_out, teammate_usage_available."""
    known = List(data, box, games)
    day = rows.day.to_numpy()
    lookup = raw.mapped(rows.player_name, raw.player_lookup)
    number = {lookup: i for i, lookup in enumerate(known.lookups)}
    player = lookup.map(number).to_numpy()
    spoken = {d: not known.is_silent(d) for d in np.unique(day)}
    heard = pd.Series(day).map(spoken).to_numpy()
    risk = np.full(len(rows), np.nan)
    for d in (d for d, is_heard in spoken.items() if is_heard):
        risk[day == d] = known.state(player[day == d], d)
    gone = pd.concat([known.gone(d) for d in spoken if spoken[d]] or [known.gone(day.min())[:0]], ignore_index=True)
    asked = pd.DataFrame({"day": day, "team": rows.team.to_numpy(), "lookup": lookup.to_numpy()})
    both = ["stars", "usage_free"]
    of_team = asked.merge(gone.groupby(["day", "team"])[both].sum().reset_index(), on=["day", "team"], how="left")[both].fillna(0)
    own = asked.merge(gone, on=["day", "team", "lookup"], how="left")[both].fillna(0)
    others = (of_team - own).to_numpy()
    return pd.DataFrame({
        "injury_risk": risk,
        "star_teammates_out": np.where(heard, np.minimum(others[:, 0], MOST_STARS), np.nan),
        # A difference of sums may be a hair below nothing.
        "teammate_usage_available": np.where(heard, np.clip(np.round(others[:, 1], 9), 0, WHOLE_BALL), np.nan),
    })  # fmt: skip
