//! The team table and the table of spellings.

use proto::PlayerName;
use proto::tables::{AliasRow, TeamRow};

use super::super::harvest::Harvest;
use super::super::refuse::Refusal;
use super::super::table::{Damage, Table, columns};
use super::each_row;

columns!(struct TeamColumns {
    id = "team_id",
    team = "team",
    full_name = "full_name",
    nickname = "nickname",
});

/// `team_id, team, full_name, nickname …`
pub(crate) fn teams(table: &mut Table, out: &mut Harvest) -> Result<(), Damage> {
    let c = TeamColumns::of(&table.header);
    each_row(table, out, |row, out| {
        let team = TeamRow {
            team: row.parse(c.team, "three capital letters, e.g. BOS")?,
            league_team_id: row.parse(c.id, "a whole number")?,
            full_name: row.text(c.full_name)?.to_owned(),
            nickname: row.text(c.nickname)?.to_owned(),
        };
        out.chunk.teams.push(team, 1);
        Ok(())
    })
}

columns!(struct AliasColumns {
    odds_name = "odds_name",
    box_name = "box_name",
});

/// `odds_name, box_name, player_id`
pub(crate) fn aliases(table: &mut Table, out: &mut Harvest) -> Result<(), Damage> {
    let c = AliasColumns::of(&table.header);
    each_row(table, out, |row, out| {
        let (alias, player) = (row.player(c.odds_name)?, row.player(c.box_name)?);
        let row = alias_row(&alias, &player)?;
        out.chunk.aliases.push(row, 1);
        Ok(())
    })
}

fn alias_row(alias: &PlayerName, player: &PlayerName) -> Result<AliasRow, Refusal> {
    if alias.lookup == player.lookup {
        let sentence = format!("`{}` and `{}` are one spelling already", alias.display, player.display);
        return Err(Refusal::new(super::super::refuse::NOT_USED, sentence));
    }
    Ok(AliasRow { alias: alias.lookup.clone(), player_lookup: player.lookup.clone() })
}
