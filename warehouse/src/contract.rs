//! The feature contract as the schema sees it: a version means one list of features for ever, and each feature has
//! a column of its own, so that tables can be read without a decoder.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proto::codec::sha256_hex;
use proto::features::FeatureContract;
use sqlx::AssertSqlSafe;

use crate::error::{Doing, Error, Result};
use crate::history::{Args, fetch};
use crate::sqlite::{Conn, Durability, Store};
use crate::text;

/// Columns of `features` that are not features.
pub(crate) const FIXED: [&str; 13] = [
    "game_id",
    "player_lookup",
    "contract_version",
    "game_date",
    "team",
    "quality_score",
    "matchup_quality",
    "required_default_count",
    "sources",
    "defaulted",
    "as_of",
    "built_at",
    "inputs_ingested_at",
];

/// A contract whose columns are there, in the order of the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    pub(crate) version: String,
    pub(crate) features: Vec<String>,
}

impl Columns {
    /// Checks names before they become part of a statement.
    fn of(contract: &FeatureContract) -> Result<Self> {
        let refuse = |why: String| Error::Contract { version: contract.version.clone(), why };
        let mut seen = BTreeSet::new();
        for spec in &contract.features {
            let name = spec.name.as_str();
            let head = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
            let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            if !head || !plain || name.len() > 60 {
                return Err(refuse(format!("`{name}` cannot be a column; use a-z, 0-9 and _")));
            }
            if FIXED.contains(&name) || !seen.insert(name) {
                return Err(refuse(format!("the name `{name}` is taken")));
            }
        }
        if contract.version.is_empty() || contract.features.is_empty() {
            return Err(refuse("it has no version or no features".to_owned()));
        }
        let features = contract.features.iter().map(|spec| spec.name.clone()).collect();
        Ok(Self { version: contract.version.clone(), features })
    }
}

/// What a version means for a stored row: everything but the prose and the thresholds of the column check.
fn fingerprint(contract: &FeatureContract) -> String {
    let lines: Vec<String> = contract
        .features
        .iter()
        .map(|s| {
            format!(
                "{}|{}|{}|{:?}|{}|{}|{}|{}",
                s.index, s.name, s.category, s.default, s.min, s.max, s.required, s.quality
            )
        })
        .collect();
    sha256_hex(lines.join("\n").as_bytes())
}

/// True when the version is stored with just this meaning; with another one it is refused.
async fn is_stored(conn: &mut Conn, columns: &Columns, sha256: &str) -> Result<bool> {
    let stored: Option<String> = sqlx::query_scalar(include_str!("../sql/contract_sha256.sql"))
        .bind(&columns.version)
        .fetch_optional(conn)
        .await
        .doing("read the feature contract")?;
    match stored {
        Some(known) if known == sha256 => Ok(true),
        Some(_) => Err(Error::Contract {
            version: columns.version.clone(),
            why: "this version is stored with other features; give the new list a new version".to_owned(),
        }),
        None => Ok(false),
    }
}

/// Makes sure that the contract's columns exist and that its version still means what it meant.
pub(crate) async fn adopt(store: &Store, contract: &FeatureContract, now: Timestamp) -> Result<Columns> {
    let columns = Columns::of(contract)?;
    let sha256 = fingerprint(contract);
    // Looked up without the writer's lock first: opening must not wait for an ingestion elsewhere.
    if is_stored(&mut *store.read().await?, &columns, &sha256).await? {
        return Ok(columns);
    }
    let mut tx = store.write(Durability::Full).await?;
    if is_stored(&mut tx, &columns, &sha256).await? {
        return Ok(columns);
    }
    let existing: BTreeSet<String> = fetch(
        &mut tx,
        include_str!("sqlite/feature_columns.sql"),
        Args::default(),
        "features",
        "read the schema",
        |r| r.text(),
    )
    .await?
    .into_iter()
    .collect();
    for name in columns.features.iter().filter(|name| !existing.contains(*name)) {
        // The name was checked above.
        sqlx::raw_sql(AssertSqlSafe(format!("ALTER TABLE features ADD COLUMN {name} REAL")))
            .execute(&mut *tx)
            .await
            .doing("add a feature column")?;
    }
    let list = serde_json::json!(columns.features).to_string();
    sqlx::query(include_str!("../sql/put_contract.sql"))
        .bind(&columns.version)
        .bind(&sha256)
        .bind(list)
        .bind(text::instant(now))
        .execute(&mut *tx)
        .await
        .doing("store the feature contract")?;
    tx.commit().await.committing("store the feature contract")?;
    Ok(columns)
}
