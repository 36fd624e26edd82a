//! The list of injured players: who went onto it and who came back, by date.
//!
//! The source has dates only, so a report counts from the start of its league date. It looks back at most as far as
//! what was written that day; the column that estimates days out was filled in later and is never read.

use proto::tables::InjuryRow;
use proto::{InjuryStatus, league_time};

use super::super::harvest::Harvest;
use super::super::known::Known;
use super::super::refuse::Refusal;
use super::super::table::{Damage, Table, columns, player_name};
use super::each_row;

columns!(struct Columns {
    date = "Date",
    team = "Team",
    acquired = "Acquired",
    relinquished = "Relinquished",
    notes = "Notes",
});

/// `Date, Team, Player, Acquired, Relinquished, Notes …`
pub(crate) fn moves(table: &mut Table, known: &Known, out: &mut Harvest) -> Result<(), Damage> {
    let c = Columns::of(&table.header);
    each_row(table, out, |row, out| {
        let note = row.opt(c.notes).unwrap_or_default();
        let (name, back) = match (row.opt(c.acquired), row.opt(c.relinquished)) {
            (Some(name), None) => (name, true),
            (None, Some(name)) => (name, false),
            (None, None) => return Err(Refusal::missing("Acquired or Relinquished")),
            (Some(_), Some(_)) => {
                return Err(Refusal::bad("Acquired", "both", "either Acquired or Relinquished"));
            }
        };
        let name = player_name("Player", name)?;
        let injury = InjuryRow {
            player_lookup: name.lookup.clone(),
            player_name: name.display.clone(),
            player_resolved: false,
            team: row.opt(c.team).and_then(|team| known.teams.team(team)),
            status: if back { InjuryStatus::Available } else { status_of(note) },
            reported_at: league_time::start_of(row.date(c.date)?),
            note: note.to_owned(),
        };
        out.chunk.injuries.push((injury, name), 1);
        Ok(())
    })
}

columns!(struct ReportColumns {
    reported_at = "reported_at",
    player = "player",
    team = "team",
    status = "status",
    note = "note",
});

/// `reported_at, player, team, status, note`: an official report with its instant, as the simulator writes it.
pub(crate) fn reports(table: &mut Table, known: &Known, out: &mut Harvest) -> Result<(), Damage> {
    let c = ReportColumns::of(&table.header);
    each_row(table, out, |row, out| {
        let name = row.player(c.player)?;
        let injury = InjuryRow {
            player_lookup: name.lookup.clone(),
            player_name: name.display.clone(),
            player_resolved: false,
            team: row.opt(c.team).and_then(|team| known.teams.team(team)),
            status: row.parse(c.status, "available, probable, questionable, doubtful or out")?,
            reported_at: row.instant(c.reported_at)?,
            note: row.opt(c.note).unwrap_or_default().to_owned(),
        };
        out.chunk.injuries.push((injury, name), 1);
        Ok(())
    })
}

/// `DTD` is day to day; whoever is put on the list otherwise is out.
fn status_of(note: &str) -> InjuryStatus {
    if note.contains("DTD") { InjuryStatus::Questionable } else { InjuryStatus::Out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_tell_day_to_day_from_out() {
        for (note, status) in [
            ("placed on IL with illness", InjuryStatus::Out),
            ("sore left knee (DTD)", InjuryStatus::Questionable),
            ("placed on IL (out for season)", InjuryStatus::Out),
        ] {
            assert_eq!(status_of(note), status, "{note}");
        }
    }
}
