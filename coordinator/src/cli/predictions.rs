//! `tipoff predictions`: published rows as a table, JSON or CSV.

use proto::api::Page;
use proto::{Market, PlayerLookup, PlayerName, SystemId};
use serde_json::Value;

use super::client::Client;
use super::exit::Exit;
use super::failure::Failure;
use super::output::{Output, table};
use super::render::number;

/// Rows of a table for people, by default.
const SHOWN: u64 = 50;

/// Arguments of `tipoff predictions`.
#[derive(Debug, clap::Args)]
pub(crate) struct PredictionsArgs {
    /// The slate's date
    ///
    /// `YYYY-MM-DD`, `TODAY` or `TOMORROW`, league time. Default: TODAY.
    #[arg(long, value_name = "DATE", default_value = "TODAY", hide_default_value = true)]
    game_date: String,

    /// Only one player, by name or lookup
    #[arg(long, value_name = "PLAYER", value_parser = player)]
    player: Option<PlayerLookup>,

    /// Only one market
    #[arg(long, value_name = "MARKET")]
    market: Option<Market>,

    /// Only one system
    #[arg(long, value_name = "SYSTEM")]
    system: Option<SystemId>,

    /// Rows of one generation, active or not
    ///
    /// The number that `tipoff status` shows. Default: the active rows.
    #[arg(long, value_name = "N")]
    generation: Option<u64>,

    /// The form of the answer
    ///
    /// `csv` and `--json` have every column; `csv` comes whole.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    /// Rows at most
    ///
    /// Default: 50 in a table, 10000 (the most) as JSON.
    #[arg(long, value_name = "N", conflicts_with = "cursor")]
    limit: Option<u64>,

    /// Continue after a page, with its `next`
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Columns for people
    Table,
    /// The API's JSON
    Json,
    /// Comma-separated values
    Csv,
}

fn player(text: &str) -> Result<PlayerLookup, proto::ParseError> {
    text.parse().or_else(|_| PlayerName::parse(text).map(|name| name.lookup))
}

/// `tipoff predictions`.
pub(crate) async fn predictions(
    args: &PredictionsArgs,
    client: &Client,
    out: Output,
) -> Result<Exit, Failure> {
    let text = |value: &dyn std::fmt::Display| Some(value.to_string());
    let is_table = args.format == Format::Table && !out.json;
    let limit = args.limit.or(is_table.then_some(SHOWN));
    let is_csv = args.format == Format::Csv;
    let query = [
        ("game_date", Some(args.game_date.clone())),
        ("player", args.player.as_ref().and_then(|p| text(p))),
        ("market", args.market.as_ref().and_then(|m| text(m))),
        ("system", args.system.as_ref().and_then(|s| text(s))),
        ("generation", args.generation.as_ref().and_then(|g| text(g))),
        ("format", is_csv.then(|| "csv".to_owned())),
        ("limit", limit.filter(|_| !is_csv).as_ref().and_then(|n| text(n))),
        ("cursor", args.cursor.clone()),
    ];
    let reply = client.get("/predictions", &query).await?;
    if !is_table {
        out.data(&reply.text)?;
        return Ok(Exit::Ok);
    }
    let page: Page<Value> = reply.read()?;
    out.data(&(rows_table(&page.rows) + "\n"))?;
    if page.next.is_some() {
        out.say(&format!("the first {} rows; --limit shows more, --format csv all of them", page.rows.len()));
    }
    Ok(Exit::Ok)
}

/// The columns a person looks for first.
pub(crate) fn rows_table(rows: &[Value]) -> String {
    const COLUMNS: [(&str, &str); 9] = [
        ("player", "player_lookup"),
        ("game", "game_id"),
        ("market", "market"),
        ("system", "system_id"),
        ("predicted", "predicted_value"),
        ("line", "line"),
        ("margin", "line_margin"),
        ("says", "recommendation"),
        ("book", "book"),
    ];
    let header = COLUMNS.map(|(name, _)| name);
    let cells = |row: &Value| COLUMNS.iter().map(|(_, key)| cell(row.get(*key))).collect();
    table(&header, &[4, 5, 6], rows.iter().map(cells))
}

fn cell(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(n)) => n.as_f64().map_or_else(|| n.to_string(), number),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}
