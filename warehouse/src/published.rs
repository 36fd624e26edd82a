//! Reading pages of published predictions from the parts they are stored in (migrations 4, 5 and 7).
//!
//! A dozen systems share one line, so a page is read in two steps: what each system said, then each line once. Rows are
//! put together here: handing 45 values a row over from the database took longer than finding them.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use proto::{BatchId, GameKey, Market, PlayerLookup, Recommendation, RunMode, Sha256, Sport, SystemId, Text};
use sqlx::{QueryBuilder, Sqlite};
use uuid::Uuid;

use crate::error::{Doing, Error, Result};
use crate::history::{Args, fetch};
use crate::numbers::{line_of, system_of};
use crate::predictions::{MAX_PAGE, PredictionFilter, PredictionPage, StoredPrediction};
use crate::sqlite::Conn;
use crate::sqlite::reader::Reader;
use crate::text;

/// What one system said.
struct Said {
    row_no: i64,
    prediction_id: Uuid,
    model_id: i64,
    predicted_value: f64,
    over_probability: Option<f64>,
    over_expected_value: Option<f64>,
    under_expected_value: Option<f64>,
    over_fair_price: Option<Text>,
    line_margin: f64,
    recommendation: Recommendation,
    in_sample: bool,
    row_sha256: Sha256,
    fate: Fate,
}

/// Whether a row is what people see, and if not, why.
struct Fate {
    is_active: bool,
    invalidation_reason: Option<String>,
    invalidated_at: Option<Timestamp>,
    superseded_by: Option<Uuid>,
    superseded_at: Option<Timestamp>,
}

impl Fate {
    const ACTIVE: Self = Self {
        is_active: true,
        invalidation_reason: None,
        invalidated_at: None,
        superseded_by: None,
        superseded_at: None,
    };
}

/// A line with the inputs that its systems share.
struct SharedLine {
    generation: u64,
    game_id: GameKey,
    player_lookup: PlayerLookup,
    market: Market,
    batch_id: BatchId,
    sport: Sport,
    prediction_run_mode: RunMode,
    inputs_sha256: Arc<str>,
    half_points: i32,
    line_source: Text,
    line_source_api: Text,
    book: Text,
    was_line_fallback: bool,
    over_price: Text,
    under_price: Text,
    line_snapshot_at: Timestamp,
    line_minutes_before_game: i64,
    consensus_line: Option<f64>,
    line_spread: Option<f64>,
    no_vig_over: f64,
    feature_quality_score: f64,
    default_feature_count: u32,
    as_of: Timestamp,
    predicted_at: Timestamp,
    created_at: Timestamp,
}

/// Reads the page that a filter asks for, within one transaction.
pub(crate) async fn page(conn: &mut Conn, filter: &PredictionFilter) -> Result<PredictionPage> {
    let limit = if filter.limit == 0 { MAX_PAGE } else { filter.limit.min(MAX_PAGE) };
    let mut said = said(conn, filter, limit + 1).await?;
    let more = said.len() > limit as usize;
    said.truncate(limit as usize);
    let lines = lines_of(conn, &said).await?;
    let names = Names::read(conn).await?;
    let mut rows = Vec::with_capacity(said.len());
    for said in said {
        rows.push(put_together(said, &lines, &names)?);
    }
    let next = rows.last().filter(|_| more).map(cursor);
    Ok(PredictionPage { rows, next })
}

async fn said(conn: &mut Conn, filter: &PredictionFilter, limit: u32) -> Result<Vec<Said>> {
    use futures::TryStreamExt;
    let active_only = filter.active == Some(true);
    let mut query = select(filter)?;
    query.push(" LIMIT ").push_bind(limit);
    let mut rows = query.build().fetch(conn);
    let mut all = Vec::new();
    while let Some(row) = rows.try_next().await.doing("read predictions")? {
        all.push(one_said(&mut Reader::new(&row, "published_predictions"), active_only)?);
    }
    Ok(all)
}

/// Active rows are found by the narrow table of the active ones, others with their fate, as the view has it.
fn select(filter: &PredictionFilter) -> Result<QueryBuilder<Sqlite>> {
    let active_only = filter.active == Some(true);
    let mut query = QueryBuilder::new(match active_only {
        true => include_str!("../sql/said_by_the_active.sql"),
        false => include_str!("../sql/said_by_all.sql"),
    });
    if let Some(date) = filter.game_date {
        query.push(" AND k.game_date = ").push_bind(text::date(date));
    }
    if let Some(player) = &filter.player {
        query.push(" AND k.player_lookup = ").push_bind(player.to_string());
    }
    if let Some(market) = &filter.market {
        query.push(" AND k.market = ").push_bind(market.to_string());
    }
    if let Some(system) = &filter.system {
        query.push(" AND y.system_id = ").push_bind(system.to_string());
    }
    if filter.active == Some(false) {
        query.push(" AND NOT a.is_active");
    }
    if let Some(generation) = filter.generation {
        query.push(" AND a.generation = ").push_bind(i64::try_from(generation).unwrap_or(i64::MAX));
    }
    if let Some(after) = &filter.after {
        let [game, player, market, system, generation] = parts(after)?;
        let generation: i64 = generation.parse().map_err(|_| bad_cursor(after))?;
        query.push(" AND (k.game_id, k.player_lookup, k.market, y.system_id, a.generation) > (");
        query.push_bind(game.to_owned()).push(", ").push_bind(player.to_owned()).push(", ");
        query.push_bind(market.to_owned()).push(", ").push_bind(system.to_owned()).push(", ");
        query.push_bind(generation).push(")");
    }
    // A game id begins with its date, so this is the order of the game ids, and for one slate that of the keys.
    query.push(" ORDER BY k.game_date, k.game_id, k.player_lookup, k.market, y.system_id, a.generation");
    Ok(query)
}

fn one_said(r: &mut Reader<'_>, active_only: bool) -> Result<Said> {
    Ok(Said {
        row_no: r.int()?,
        prediction_id: Uuid::from_bytes(r.bytes()?),
        model_id: r.int()?,
        predicted_value: r.real()?,
        over_probability: r.opt_real()?,
        over_expected_value: r.opt_real()?,
        under_expected_value: r.opt_real()?,
        over_fair_price: r.opt_short_text()?,
        line_margin: r.real()?,
        recommendation: r.parsed()?,
        in_sample: r.flag()?,
        row_sha256: Sha256::from_bytes(r.bytes()?),
        fate: match active_only {
            true => Fate::ACTIVE,
            false => Fate {
                is_active: r.flag()?,
                invalidation_reason: r.opt_text()?,
                invalidated_at: r.opt_instant()?,
                superseded_by: r.opt_bytes()?.map(Uuid::from_bytes),
                superseded_at: r.opt_instant()?,
            },
        },
    })
}

/// The lines of a page by their numbers.
async fn lines_of(conn: &mut Conn, said: &[Said]) -> Result<HashMap<i64, SharedLine>> {
    let mut asked: Vec<i64> = said.iter().map(|said| line_of(said.row_no)).collect();
    asked.sort_unstable();
    asked.dedup();
    let args = Args::default().with(format!("{asked:?}"));
    let sql = include_str!("../sql/published_lines.sql");
    let lines = fetch(conn, sql, args, "published_lines", "read the lines of predictions", |r| {
        let line_id = r.int()?;
        let line = SharedLine {
            generation: r.narrow()?,
            game_id: r.parsed()?,
            player_lookup: r.parsed()?,
            market: r.parsed()?,
            batch_id: r.parsed()?,
            sport: r.parsed()?,
            prediction_run_mode: r.parsed()?,
            inputs_sha256: r.text()?.into(),
            half_points: r.narrow()?,
            line_source: r.short_text()?,
            line_source_api: r.short_text()?,
            book: r.short_text()?,
            was_line_fallback: r.flag()?,
            over_price: r.short_text()?,
            under_price: r.short_text()?,
            line_snapshot_at: r.instant()?,
            line_minutes_before_game: r.int()?,
            consensus_line: r.opt_real()?,
            line_spread: r.opt_real()?,
            no_vig_over: r.real()?,
            feature_quality_score: r.real()?,
            default_feature_count: r.narrow()?,
            as_of: r.instant()?,
            predicted_at: r.instant()?,
            created_at: r.instant()?,
        };
        Ok((line_id, line))
    });
    Ok(lines.await?.into_iter().collect())
}

/// What numbers mean: the systems and models that ever answered, a dozen for each time they were trained.
struct Names {
    systems: HashMap<u16, SystemId>,
    models: HashMap<i64, Arc<str>>,
}

impl Names {
    async fn read(conn: &mut Conn) -> Result<Self> {
        let sql = include_str!("../sql/prediction_models.sql");
        let doing = "read the models of predictions";
        let models = fetch(conn, sql, Args::default(), "prediction_models", doing, |r| {
            Ok((r.int()?, r.text()?.into()))
        });
        let models = models.await?.into_iter().collect();
        let sql = include_str!("../sql/prediction_systems.sql");
        let doing = "read the systems of predictions";
        let systems = fetch(conn, sql, Args::default(), "prediction_systems", doing, |r| {
            Ok((r.narrow()?, r.parsed()?))
        });
        let systems = systems.await?.into_iter().collect();
        Ok(Self { systems, models })
    }
}

fn put_together(said: Said, lines: &HashMap<i64, SharedLine>, names: &Names) -> Result<StoredPrediction> {
    let missing = |table, what: &str| Error::Corrupt {
        table,
        why: format!("no {what} of prediction `{}`", said.prediction_id),
    };
    let line = lines.get(&line_of(said.row_no)).ok_or_else(|| missing("published_lines", "line"))?;
    let system = names.systems.get(&system_of(said.row_no));
    let system_id = system.cloned().ok_or_else(|| missing("prediction_systems", "system"))?;
    let model_sha256 =
        names.models.get(&said.model_id).ok_or_else(|| missing("prediction_models", "model"))?;
    let fate = said.fate;
    Ok(StoredPrediction {
        prediction_id: said.prediction_id,
        batch_id: line.batch_id.clone(),
        generation: line.generation,
        sport: line.sport,
        game_date: line.game_id.date,
        game_id: line.game_id,
        player_lookup: line.player_lookup.clone(),
        market: line.market.clone(),
        system_id,
        prediction_run_mode: line.prediction_run_mode,
        model_sha256: Arc::clone(model_sha256),
        inputs_sha256: Arc::clone(&line.inputs_sha256),
        predicted_value: said.predicted_value,
        half_points: line.half_points,
        line: f64::from(line.half_points) / 2.0,
        line_source: line.line_source.clone(),
        line_source_api: line.line_source_api.clone(),
        book: line.book.clone(),
        was_line_fallback: line.was_line_fallback,
        over_price: line.over_price.clone(),
        under_price: line.under_price.clone(),
        line_snapshot_at: line.line_snapshot_at,
        line_minutes_before_game: line.line_minutes_before_game,
        consensus_line: line.consensus_line,
        line_spread: line.line_spread,
        no_vig_over: line.no_vig_over,
        over_probability: said.over_probability,
        over_expected_value: said.over_expected_value,
        under_expected_value: said.under_expected_value,
        over_fair_price: said.over_fair_price,
        line_margin: said.line_margin,
        recommendation: said.recommendation,
        feature_quality_score: line.feature_quality_score,
        default_feature_count: line.default_feature_count,
        in_sample: said.in_sample,
        as_of: line.as_of,
        predicted_at: line.predicted_at,
        row_sha256: said.row_sha256,
        is_active: fate.is_active,
        invalidation_reason: fate.invalidation_reason,
        invalidated_at: fate.invalidated_at,
        superseded_by: fate.superseded_by,
        superseded_at: fate.superseded_at,
        created_at: line.created_at,
    })
}

fn cursor(row: &StoredPrediction) -> String {
    format!("{}|{}|{}|{}|{}", row.game_id, row.player_lookup, row.market, row.system_id, row.generation)
}

fn parts(cursor: &str) -> Result<[&str; 5]> {
    let parts: Vec<&str> = cursor.split('|').collect();
    parts.try_into().map_err(|_| bad_cursor(cursor))
}

fn bad_cursor(cursor: &str) -> Error {
    let shown: String = cursor.chars().take(80).collect();
    Error::Statement { why: format!("`{shown}` is not a cursor of this list; begin again without one") }
}
