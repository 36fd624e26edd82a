//! Numbers of what rows refer to by number: the systems and the models that ever answered.
//!
//! A name is given its number when it is first met, before the verdict and outside of its transaction, so that rows are staged
//! as they will be stored. A number that no row came to use says nothing and harms nobody.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Display;
use std::hash::Hash;
use std::str::FromStr;

use proto::{Sha256, SystemId};

use crate::error::{Doing, Result};
use crate::history::{Args, fetch};
use crate::sqlite::Conn;

/// Names of one kind with their numbers, as far as they were asked for.
#[derive(Debug)]
pub(super) struct Dictionary<N> {
    table: &'static str,
    read: &'static str,
    add: &'static str,
    known: HashMap<N, i64>,
}

impl Dictionary<SystemId> {
    /// Of system ids; they are less than 65536.
    pub(super) fn of_systems() -> Self {
        Self {
            table: "prediction_systems",
            read: include_str!("../../sql/system_numbers.sql"),
            add: include_str!("../../sql/add_systems.sql"),
            known: HashMap::new(),
        }
    }
}

impl Dictionary<Sha256> {
    /// Of the sha256 of models.
    pub(super) fn of_models() -> Self {
        Self {
            table: "prediction_models",
            read: include_str!("../../sql/model_numbers.sql"),
            add: include_str!("../../sql/add_models.sql"),
            known: HashMap::new(),
        }
    }
}

impl<N> Dictionary<N>
where
    N: Eq + Hash + Ord + Display + FromStr<Err: Display> + Send + Sync,
{
    pub(super) fn number_of(&self, name: &N) -> Option<i64> {
        self.known.get(name).copied()
    }

    /// Those of `names` that have to be learned.
    pub(super) fn unknown<'n>(&self, names: impl Iterator<Item = &'n N>) -> BTreeSet<&'n N> {
        names.filter(|name| !self.known.contains_key(*name)).collect()
    }

    /// Learns numbers; names that have none are given the next ones.
    pub(super) async fn learn(&mut self, conn: &mut Conn, names: &BTreeSet<&N>) -> Result<()> {
        self.look_up(conn, names).await?;
        let new = self.unknown(names.iter().copied());
        if new.is_empty() {
            return Ok(());
        }
        sqlx::query(self.add)
            .bind(listed(&new))
            .execute(&mut *conn)
            .await
            .doing("number the models and systems of a batch")?;
        self.look_up(conn, &new).await
    }

    async fn look_up(&mut self, conn: &mut Conn, names: &BTreeSet<&N>) -> Result<()> {
        let doing = "read the numbers of models and systems";
        let args = Args::default().with(listed(names));
        let found = fetch(conn, self.read, args, self.table, doing, |r| Ok((r.parsed()?, r.int()?))).await?;
        self.known.extend(found);
        Ok(())
    }
}

/// As the statements take them. Texts always can be written.
fn listed(names: &BTreeSet<&impl Display>) -> String {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    serde_json::to_string(&names).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;
    use crate::sqlite::open::open;

    #[tokio::test]
    async fn a_name_has_one_number_whoever_asks() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir.path().join("w.db")).await.unwrap();
        let mut conn = store.writer().await.unwrap();
        let [alpha, beta, gamma] = ["alpha", "beta", "gamma"].map(|name| name.parse::<SystemId>().unwrap());
        let mut first = Dictionary::of_systems();
        first.learn(&mut conn, &[&beta].into()).await.unwrap();
        first.learn(&mut conn, &[&alpha, &beta].into()).await.unwrap();
        assert_eq!(first.unknown([&alpha, &gamma].into_iter()), [&gamma].into());
        let mut second = Dictionary::of_systems();
        second.learn(&mut conn, &[&alpha, &beta, &gamma].into()).await.unwrap();
        let numbers = [&alpha, &beta, &gamma].map(|name| second.number_of(name).unwrap());
        assert_eq!([&alpha, &beta].map(|name| first.number_of(name)), [Some(numbers[0]), Some(numbers[1])]);
        assert!(numbers[1] < numbers[0] && numbers[0] < numbers[2], "in the order in which they are met");
    }
}
