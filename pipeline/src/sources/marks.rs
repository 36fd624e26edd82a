//! What sources brought reaches the slates that are published.
//!
//! Late lines changed nobody's prediction until somebody started a batch by hand (incidents 55, 60). A turn that brought
//! something new marks each published slate it may be about, by the message that the follower of any server acts on
//! ([`Warehouse::mark`]): it waits in the warehouse, whether or not a server runs. Who is affected follows from
//! inputs alone, so a mark too many costs a look. Days that are over are not marked: what is known of them later is
//! a backfill's business.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use proto::Slate;
use proto::league_time::league_date;
use proto::trigger::{Trigger, TriggerKind};
use warehouse::Warehouse;

use crate::error::Result;

/// Marks the published slates among changed dates; answers which.
pub(super) async fn mark(
    warehouse: &Warehouse,
    changed: &BTreeSet<Date>,
    now: Timestamp,
) -> Result<BTreeSet<Date>> {
    let mut marked = BTreeSet::new();
    for game_date in changed.range(league_date(now)..).copied() {
        if warehouse.published_generation(Slate::nba(game_date)).await? == 0 {
            continue;
        }
        let trigger = Trigger {
            kind: TriggerKind::InputsChanged,
            id: format!("{game_date}/{}", now.as_microsecond()),
            source: "sources".to_owned(),
            time: now,
            game_date,
        };
        warehouse.mark(&trigger, now).await?;
        marked.insert(game_date);
    }
    Ok(marked)
}
