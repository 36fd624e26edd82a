//! Published rows, page by page; a cursor names the generation it was made for.

use proto::api::Page;
use proto::{Market, PlayerLookup, Slate, SystemId};
use warehouse::{PredictionFilter, StoredPrediction};

use super::{Service, ServiceError, page_limit};

/// Filters of `GET /predictions`.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredictionQuery {
    /// Of one slate: `YYYY-MM-DD`, `TODAY` or `TOMORROW`.
    pub game_date: Option<String>,
    /// Of one player.
    pub player: Option<PlayerLookup>,
    /// Of one market.
    pub market: Option<Market>,
    /// Of one system.
    pub system: Option<SystemId>,
    /// Active rows or inactive ones; default: active ones, unless a generation is named.
    pub active: Option<bool>,
    /// Of one generation.
    pub generation: Option<u64>,
    /// Rows a page, at most and by default 10,000.
    pub limit: Option<u64>,
    /// From the page before.
    pub cursor: Option<String>,
}

impl Service {
    /// A page of published rows.
    pub async fn predictions(&self, query: PredictionQuery) -> Result<Page<StoredPrediction>, ServiceError> {
        let limit = page_limit(query.limit)?;
        let slate = query.game_date.as_deref().map(|date| self.slate_of(date)).transpose()?;
        let published = self.published_generation(slate).await?;
        let after = query.cursor.as_deref().map(|cursor| resume(cursor, published)).transpose()?;
        let filter = PredictionFilter {
            game_date: slate.map(|slate| slate.game_date),
            player: query.player,
            market: query.market,
            system: query.system,
            active: query.active.or(query.generation.is_none().then_some(true)),
            generation: query.generation,
            after,
            limit: limit as u32,
        };
        let page = self.context.warehouse.predictions(&filter).await?;
        let next = page.next.map(|after| format!("{published}~{after}"));
        Ok(Page { rows: page.rows, next })
    }

    /// All rows of a query, for formats that come whole.
    pub async fn predictions_all(
        &self,
        query: PredictionQuery,
    ) -> Result<Vec<StoredPrediction>, ServiceError> {
        let mut rows = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.predictions(PredictionQuery { cursor, limit: None, ..query.clone() }).await?;
            rows.extend(page.rows);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(rows),
            }
        }
    }

    async fn published_generation(&self, slate: Option<Slate>) -> Result<u64, ServiceError> {
        match slate {
            Some(slate) => Ok(self.context.warehouse.slate_record(slate).await?.published_generation),
            None => Ok(0),
        }
    }
}

/// The warehouse's part of a cursor, if the slate still shows the generation it was made for.
fn resume(cursor: &str, published: u64) -> Result<String, ServiceError> {
    let parts =
        cursor.split_once('~').and_then(|(made_for, after)| Some((made_for.parse::<u64>().ok()?, after)));
    match parts {
        Some((made_for, after)) if made_for == published => Ok(after.to_owned()),
        Some((made_for, _)) => Err(ServiceError::Gone {
            detail: format!(
                "the slate has moved from generation {made_for} to {published}; read it from the start"
            ),
        }),
        None => Err(ServiceError::field("cursor", "not a cursor of this list")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_names_its_generation() {
        assert!(matches!(resume("3~abc", 3).as_deref(), Ok("abc")));
        assert!(matches!(resume("3~abc", 4), Err(ServiceError::Gone { .. })));
        assert!(matches!(resume("abc", 4), Err(ServiceError::Invalid { .. })));
    }
}
