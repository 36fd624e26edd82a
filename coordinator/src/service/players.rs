//! Every player of a batch with the end of his job and every refusal on the way: the answer to "why has he none?"

use proto::api::{Page, PlayerLine, StateReason};
use proto::codec::{decode_job, decode_outcome};
use proto::{BatchId, CodeNote, OutcomeKind};
use protocol::ops::JobView;
use warehouse::StoredOutcome;

use super::{Service, ServiceError, page_limit};

/// Jobs read from the state store in one call.
const STORE_PAGE: usize = 500;

impl Service {
    /// The players of a batch in order, while it is open and after; `outcome` leaves out all others.
    pub async fn players(
        &self,
        batch_id: &BatchId,
        outcome: Option<OutcomeKind>,
        limit: Option<u64>,
        cursor: Option<String>,
    ) -> Result<Page<PlayerLine>, ServiceError> {
        let limit = page_limit(limit)? as usize;
        let from = match cursor.as_deref().map(str::parse::<usize>) {
            None => 0,
            Some(Ok(from)) => from,
            Some(Err(_)) => return Err(ServiceError::field("cursor", "not a cursor of this list")),
        };
        let lines = match self.context.store.batch(batch_id).await? {
            Some(view) if view.state.is_open() => self.open_players(batch_id).await?,
            _ => self.ended_players(batch_id).await?,
        };
        let wanted: Vec<_> =
            lines.into_iter().filter(|line| outcome.is_none() || line.outcome == outcome).collect();
        let next = (wanted.len() > from + limit).then(|| (from + limit).to_string());
        Ok(Page { rows: wanted.into_iter().skip(from).take(limit).collect(), next })
    }

    async fn open_players(&self, batch_id: &BatchId) -> Result<Vec<PlayerLine>, ServiceError> {
        let mut lines = Vec::new();
        loop {
            let page = self.context.store.jobs(batch_id, lines.len() as u32, STORE_PAGE).await?;
            if page.is_empty() {
                return Ok(lines);
            }
            for job in &page {
                lines.push(open_line(job)?);
            }
        }
    }

    async fn ended_players(&self, batch_id: &BatchId) -> Result<Vec<PlayerLine>, ServiceError> {
        if self.receipt(batch_id).await?.is_none() {
            return Err(ServiceError::not_found(format!("there is no batch {batch_id}")));
        }
        let outcomes = self.context.warehouse.job_outcomes(batch_id).await?;
        Ok(outcomes.into_iter().map(ended_line).collect())
    }
}

fn open_line(job: &JobView) -> Result<PlayerLine, ServiceError> {
    let record = decode_job(&job.payload).map_err(ServiceError::internal)?;
    let (reason, codes): (_, Vec<CodeNote>) = match &job.done {
        None => (None, Vec::new()),
        Some(done) if done.body.is_empty() => {
            let why = if done.note.is_empty() { done.code.sentence() } else { &done.note };
            (Some((done.code, format!("{}: {why}", record.name))), Vec::new())
        }
        Some(done) => {
            let outcome = decode_outcome(&done.body).map_err(ServiceError::internal)?;
            (Some((outcome.code, outcome.sentence)), outcome.codes)
        }
    };
    Ok(PlayerLine {
        player_lookup: job.id.player.clone(),
        name: record.name,
        game_id: job.id.game.to_string(),
        outcome: job.done.as_ref().map(|done| done.code.outcome()),
        reason: reason.map(|(code, sentence)| StateReason { code: code.to_string(), sentence }),
        codes,
        attempts: job.done.as_ref().map_or(job.attempts, |done| done.attempts),
        published: 0,
        carried: 0,
    })
}

fn ended_line(stored: StoredOutcome) -> PlayerLine {
    let outcome = stored.outcome;
    PlayerLine {
        player_lookup: outcome.job.player,
        name: outcome.name,
        game_id: outcome.job.game.to_string(),
        outcome: Some(outcome.kind),
        reason: Some(StateReason { code: outcome.code.to_string(), sentence: outcome.sentence }),
        codes: outcome.codes,
        attempts: outcome.attempts,
        published: stored.published,
        carried: stored.carried,
    }
}
