//! `tipoff sql`: one read-only question to the tables.

use std::io::Read;
use std::time::Duration;

use warehouse::{SqlLimits, SqlTable};

use super::tables::{failure, open_existing};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{Output, table};
use crate::config::Config;

/// Arguments of `tipoff sql`.
#[derive(Debug, clap::Args)]
pub(crate) struct SqlArgs {
    /// The statement
    ///
    /// One SELECT, WITH, VALUES or EXPLAIN; writing is refused. `-` reads it from stdin. The tables are listed by
    /// `tipoff sql "select name from sqlite_schema where type = 'table'"`.
    #[arg(value_name = "STATEMENT")]
    statement: String,

    /// Rows at most
    #[arg(long, value_name = "N", default_value_t = SqlLimits::default().rows)]
    limit: usize,

    /// Seconds it may run
    #[arg(long, value_name = "SECONDS", default_value_t = SqlLimits::default().time.as_secs())]
    seconds: u64,

    /// Comma-separated values instead of a table
    #[arg(long)]
    csv: bool,
}

/// `tipoff sql`.
pub(crate) async fn sql(args: &SqlArgs, config: &Config, out: Output) -> Result<Exit, Failure> {
    let statement = match args.statement.as_str() {
        "-" => from_stdin()?,
        text => text.to_owned(),
    };
    let warehouse = open_existing(config).await?;
    let limits = SqlLimits { rows: args.limit, time: Duration::from_secs(args.seconds) };
    let answer = warehouse.sql(&statement, limits).await.map_err(failure)?;
    match args.csv && !out.json {
        true => out.data(&csv(&answer)?)?,
        false => out.either(&answer, page)?,
    }
    if answer.truncated && !out.json {
        out.say(&format!("the first {} rows; --limit shows more", answer.rows.len()));
    }
    Ok(Exit::Ok)
}

fn from_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|e| Failure::failed(format!("read the statement from stdin: {e}")))?;
    Ok(text)
}

fn page(answer: &SqlTable) -> String {
    let header: Vec<&str> = answer.columns.iter().map(String::as_str).collect();
    let is_number = |column: usize| {
        let mut cells = answer.rows.iter().filter_map(|row| row.get(column)?.as_deref()).peekable();
        cells.peek().is_some() && cells.all(|cell| cell.parse::<f64>().is_ok())
    };
    let numbers: Vec<usize> = (0..header.len()).filter(|column| is_number(*column)).collect();
    let rows =
        answer.rows.iter().map(|row| row.iter().map(|cell| cell.clone().unwrap_or_default()).collect());
    table(&header, &numbers, rows) + "\n"
}

fn csv(answer: &SqlTable) -> Result<String, Failure> {
    let failed = |error: csv::Error| Failure::failed(format!("write csv: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&answer.columns).map_err(failed)?;
    for row in &answer.rows {
        writer.write_record(row.iter().map(|cell| cell.as_deref().unwrap_or_default())).map_err(failed)?;
    }
    let bytes = writer.into_inner().map_err(|error| Failure::failed(format!("write csv: {error}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_tables_or_csv() {
        let cell = |text: &str| Some(text.to_owned());
        let answer = SqlTable {
            columns: vec!["name".to_owned(), "n".to_owned()],
            rows: vec![vec![cell("a, b"), cell("10")], vec![None, cell("9")]],
            truncated: false,
        };
        assert_eq!(page(&answer), "NAME   N\na, b  10\n       9\n");
        assert_eq!(csv(&answer).ok().as_deref(), Some("name,n\n\"a, b\",10\n,9\n"));
    }
}
