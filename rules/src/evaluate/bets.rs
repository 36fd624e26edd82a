//! What betting on the side of each margin would have brought at the offered prices, by size of the margin.

use bigdecimal::ToPrimitive;
use proto::Price;
use serde::Serialize;

use super::{Days, Estimate, Scored};

/// Where the buckets of |margin| begin; each ends where the next begins, the last one nowhere.
pub const EDGES: [f64; 5] = [0.0, 1.0, 2.0, 3.0, 5.0];

/// The bets of one size of margin, one unit each. A margin of exactly nothing has no side and is no bet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bucket {
    /// Smallest |margin|, included.
    pub from: f64,
    /// Largest, not included; none for the last bucket.
    pub to: Option<f64>,
    /// Bets, pushes among them.
    pub bets: u64,
    /// Results on the line: the stake came back.
    pub pushes: u64,
    /// Won ÷ (won + lost); none without either.
    pub hit_rate: Option<Estimate>,
    /// Profit ÷ stakes; a push is a stake without profit. None without bets.
    pub roi: Option<Estimate>,
}

/// How a bet ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bet {
    /// |prediction - line|, in the market's unit.
    pub margin: f64,
    /// None for a push.
    pub won: Option<bool>,
    /// Of one unit; a push brings nothing.
    pub profit: f64,
}

/// All buckets, empty ones too.
pub(super) fn buckets(rows: &[&Scored], days: &Days) -> Vec<Bucket> {
    let bets: Vec<_> = rows.iter().filter_map(|row| Some((row.date(), bet(row)?))).collect();
    let bucket = |(at, from): (usize, &f64)| {
        let to = EDGES.get(at + 1).copied();
        let inside = |bet: &Bet| bet.margin >= *from && to.is_none_or(|to| bet.margin < to);
        let mine = || bets.iter().filter(|(_, bet)| inside(bet));
        let decided = mine().filter_map(|(date, bet)| Some((*date, if bet.won? { 1.0 } else { 0.0 }, 1.0)));
        Bucket {
            from: *from,
            to,
            bets: mine().count() as u64,
            pushes: mine().filter(|(_, bet)| bet.won.is_none()).count() as u64,
            hit_rate: days.ratio(decided),
            roi: days.ratio(mine().map(|(date, bet)| (*date, bet.profit, 1.0))),
        }
    };
    EDGES.iter().enumerate().map(bucket).collect()
}

/// One unit on the side of the margin at the offered price; none for a margin of exactly nothing, which has no side.
pub fn bet(row: &Scored) -> Option<Bet> {
    let line = row.line.points();
    let margin = row.predicted - line;
    if margin == 0.0 {
        return None;
    }
    let is_over = margin > 0.0;
    let won = (row.actual != line).then_some((row.actual > line) == is_over);
    let profit = match won {
        None => 0.0,
        Some(false) => -1.0,
        Some(true) => winnings(if is_over { &row.over_price } else { &row.under_price })?,
    };
    Some(Bet { margin: margin.abs(), won, profit })
}

/// What one unit wins, the stake not included.
fn winnings(price: &Price) -> Option<f64> {
    Some(price.decimal().to_f64()? - 1.0)
}
