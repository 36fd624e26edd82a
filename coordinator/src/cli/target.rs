//! Which batch a command means: an id, a date, or, when nothing is said, the one that is open.

use proto::BatchId;
use proto::api::{BatchStatus, OpenBatches};

use super::client::{Client, Reply};
use super::exit::Exit;
use super::failure::Failure;

/// A batch by id or by date.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct TargetArgs {
    /// A batch id, or a date
    ///
    /// `batch_YYYY-MM-DD_SECONDS`, or `YYYY-MM-DD`, `TODAY` or `TOMORROW` in league time. A date means its open batch,
    /// else its newest. Default: the batch that is open.
    #[arg(value_name = "BATCH_OR_DATE", conflicts_with_all = ["game_date", "batch_id"])]
    pub(crate) target: Option<String>,

    /// The batch of a date
    ///
    /// `YYYY-MM-DD`, `TODAY` or `TOMORROW`, league time.
    #[arg(long, value_name = "DATE", conflicts_with = "batch_id")]
    pub(crate) game_date: Option<String>,

    /// A batch by its id
    ///
    /// `batch_YYYY-MM-DD_SECONDS`, as `tipoff start` prints it.
    #[arg(long, value_name = "ID")]
    pub(crate) batch_id: Option<BatchId>,
}

/// What the arguments mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Batch(BatchId),
    Date(String),
    Unsaid,
}

impl TargetArgs {
    pub(crate) fn target(&self) -> Target {
        match (&self.batch_id, &self.game_date, &self.target) {
            (Some(id), _, _) => Target::Batch(id.clone()),
            (_, Some(date), _) => Target::Date(date.clone()),
            (_, _, Some(text)) => text.parse().map_or_else(|_| Target::Date(text.clone()), Target::Batch),
            _ => Target::Unsaid,
        }
    }

    /// The answer of `/status` for the target; a batch of nobody's choice only if it is the only open one.
    pub(crate) async fn find(&self, client: &Client) -> Result<(Reply, BatchStatus), Failure> {
        let (batch_id, game_date) = match self.target() {
            Target::Batch(id) => (Some(id.to_string()), None),
            Target::Date(date) => (None, Some(date)),
            Target::Unsaid => (None, Some(self.only_open(client).await?)),
        };
        let reply = client.get("/status", &[("batch_id", batch_id), ("game_date", game_date)]).await?;
        let status = reply.read()?;
        Ok((reply, status))
    }

    /// The date of the only open batch, else today.
    async fn only_open(&self, client: &Client) -> Result<String, Failure> {
        let open: OpenBatches = client.get("/status", &[]).await?.read()?;
        match open.batches.as_slice() {
            [] => Ok("TODAY".to_owned()),
            [one] => Ok(one.game_date.to_string()),
            many => {
                let ids: Vec<_> = many.iter().map(|batch| batch.batch_id.to_string()).collect();
                let message = format!("{} batches are open; name one: {}", many.len(), ids.join(", "));
                Err(Failure::new(Exit::Usage, message))
            }
        }
    }

    /// The two fields of a request; a command that ends something wants the batch named.
    pub(crate) fn named(&self) -> Result<(Option<BatchId>, Option<String>), Failure> {
        match self.target() {
            Target::Batch(id) => Ok((Some(id), None)),
            Target::Date(date) => Ok((None, Some(date))),
            Target::Unsaid => {
                Err(Failure::usage("name a batch or a date; `tipoff status` lists what is open"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_id_is_told_from_a_date() {
        let id = "batch_2026-01-23_1769180406";
        let target =
            |text: &str| TargetArgs { target: Some(text.to_owned()), ..TargetArgs::default() }.target();
        assert_eq!(target(id), Target::Batch(BatchId::new(jiff::civil::date(2026, 1, 23), 1_769_180_406)));
        assert_eq!(target("TODAY"), Target::Date("TODAY".to_owned()));
        assert_eq!(TargetArgs::default().target(), Target::Unsaid);
        assert_eq!(TargetArgs::default().named().map_err(|failure| failure.exit), Err(Exit::Usage));
    }
}
