//! Tables of facts: teams, schedule, box scores, team games, injuries, aliases.

pub(crate) mod boxscores;
pub(crate) mod closing;
pub(crate) mod injuries;
pub(crate) mod people;
pub(crate) mod schedule;
pub(crate) mod teamgames;

use super::harvest::Harvest;
use super::refuse::Refusal;
use super::table::{Damage, Next, Row, Table};

/// Takes every row of a table in hand: `each` uses it or says why not. One bad row costs itself only.
pub(crate) fn each_row(
    table: &mut Table,
    out: &mut Harvest,
    mut each: impl FnMut(&Row<'_>, &mut Harvest) -> Result<(), Refusal>,
) -> Result<(), Damage> {
    while let Some(next) = table.next()? {
        out.tally.read += 1;
        match next {
            Next::Row(row) => {
                if let Err(refusal) = each(&row, out) {
                    out.tally.refuse(Some(row.line), refusal, &row.excerpt(), 1, None);
                }
            }
            Next::Bad(line, refusal, text) => out.tally.refuse(Some(line), refusal, &text, 1, None),
        }
        out.flow()?;
    }
    Ok(())
}
