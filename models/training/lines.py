"""The market's opinion of each player and day, from the quotes seen before tip-off."""

import numpy as np
import pandas as pd

from raw import BOOK_RANK, NO_CONSENSUS, day_number

KEY = ["game_date", "home", "away", "match", "market"]


def preferred(q):
    """The best-ranked book of each player and market: its newest and its earliest quote."""
    rank = {book: i for i, book in enumerate(BOOK_RANK)}
    ranked = q.assign(rank=q.bookmaker.map(lambda b: rank.get(b, len(rank))))
    ranked = ranked.sort_values([*KEY, "rank", "bookmaker", "seen"], kind="stable")
    best = ranked.drop_duplicates(KEY)[[*KEY, "bookmaker"]]
    of_best = ranked.merge(best, on=[*KEY, "bookmaker"])
    newest = of_best.drop_duplicates(KEY, keep="last").rename(columns={"bookmaker": "book"})
    opening = of_best.drop_duplicates(KEY)[[*KEY, "line"]].rename(columns={"line": "opening"})
    return newest[[*KEY, "book", "line", "over_price", "under_price", "no_vig"]].merge(opening, on=KEY)


def consensus(q):
    """Over the books, without the one whose main line is not to be had: medians of newest and earliest line, spread, number."""
    books = q[q.bookmaker != NO_CONSENSUS].sort_values([*KEY, "bookmaker", "seen"], kind="stable")
    newest = books.drop_duplicates([*KEY, "bookmaker"], keep="last").groupby(KEY)
    earliest = books.drop_duplicates([*KEY, "bookmaker"]).groupby(KEY)
    out = pd.DataFrame({
        "consensus_line": newest.line.median(),
        "no_vig_over": newest.no_vig.median(),
        "book_count": newest.line.size().astype(float),
        "book_std": newest.line.std(ddof=0),
        "opening_consensus": earliest.line.median(),
    })  # fmt: skip
    out["book_std"] = np.where(out.book_count >= 2, out.book_std, np.nan)
    return out.reset_index()


def line_table(q):
    """One row per day, team (both of the game), player and market."""
    table = preferred(q).merge(consensus(q), on=KEY, how="left")
    both = [table.assign(team=table.home), table.assign(team=table.away)]
    return pd.concat(both, ignore_index=True).drop(columns=["home", "away"])


def previous_line(table):
    """Per day and player, the points consensus of the newest earlier day within 14 that has one, whether he played or not."""
    own = table[(table.market == "points") & table.consensus_line.notna()]
    own = own.assign(day=day_number(own.game_date)).drop_duplicates(["match", "day"])
    return own[["match", "day", "consensus_line"]].sort_values("day").rename(columns={"consensus_line": "points_previous_line"})


def add_previous_line(out, table):
    earlier = previous_line(table)
    asked = out[["match", "day"]].assign(row=np.arange(len(out))).sort_values("day", kind="stable")
    found = pd.merge_asof(asked, earlier, on="day", by="match", tolerance=14, allow_exact_matches=False)
    return out.assign(points_previous_line=found.sort_values("row").points_previous_line.to_numpy())
