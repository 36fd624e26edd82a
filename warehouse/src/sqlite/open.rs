//! Opening a file: refuse what cannot work, migrate under a lock, then connect.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fs4::fs_std::FileExt;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqlSafeStr, SqlitePool};

use super::{Conn, Store, network};
use crate::error::{Doing, Error, Result};

/// "TipW", written by the first migration.
const APPLICATION_ID: i64 = 1_416_196_183;

/// Nobody waits longer to hear that a warehouse cannot be opened.
const OPEN_WITHIN: Duration = Duration::from_secs(10);

/// How long a statement waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a task waits for this process's writer; a large file's ingestion may hold it for seconds.
const WRITER_WAIT: Duration = Duration::from_secs(30);

/// Reads at a time; each has a thread of its own.
const READERS: u32 = 4;

/// Rows that wait between SQLite's thread and the task that reads them: few switches on long scans.
const ROW_BUFFER: usize = 1024;

/// Prepared statements that a connection keeps: a bulk load has ten sizes for each of its tables.
const STATEMENTS: usize = 256;

/// Pages in the log after which a commit moves them into the file after all: 32 MiB.
const LOG_PAGES: &str = "8192";

const MIGRATIONS: [(i64, &str, &str); 8] = [
    (1, "tables", include_str!("../../migrations/sqlite/0001_tables.sql")),
    (2, "lines and runs", include_str!("../../migrations/sqlite/0002_lines_and_runs.sql")),
    (3, "names of reports", include_str!("../../migrations/sqlite/0003_names_of_reports.sql")),
    (4, "predictions in parts", include_str!("../../migrations/sqlite/0004_predictions_in_parts.sql")),
    (5, "predictions by number", include_str!("../../migrations/sqlite/0005_predictions_by_number.sql")),
    (6, "what a start looks up", include_str!("../../migrations/sqlite/0006_what_a_start_looks_up.sql")),
    (7, "rows by number", include_str!("../../migrations/sqlite/0007_rows_by_number.sql")),
    (8, "hashes are bytes", include_str!("../../migrations/sqlite/0008_hashes_are_bytes.sql")),
];

const STAGING: &str = include_str!("staging.sql");

/// Opens a file, creating and migrating it as needed.
pub(crate) async fn open(path: &Path) -> Result<Store> {
    let folder = folder_of(path)?;
    if path.is_dir() {
        return Err(Error::NotAFile { path: path.to_path_buf() });
    }
    if let Some(kind) = network::network_file_system(&folder) {
        return Err(Error::NetworkFileSystem { path: path.to_path_buf(), kind });
    }
    match tokio::time::timeout(OPEN_WITHIN, connect(path)).await {
        Ok(store) => store,
        Err(_) => Err(Error::OpenTimeout { path: path.to_path_buf(), seconds: OPEN_WITHIN.as_secs() }),
    }
}

/// The folder of the file, without links, so that its mount can be found.
fn folder_of(path: &Path) -> Result<PathBuf> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    folder.canonicalize().map_err(|_| Error::MissingFolder { folder: folder.to_path_buf() })
}

async fn connect(path: &Path) -> Result<Store> {
    refuse_foreign_file(path).await?;
    let lock = migration_lock(path).await?;
    migrate(path).await?;
    let writer = writer_pool(path).await?;
    // Released by closing it; kept until here so that two first starts do not race.
    drop(lock);
    let readers = reader_pool(path).await?;
    Ok(Store { path: path.to_path_buf(), writer, readers })
}

/// A file with tables that are not ours is refused before anything is written to it.
async fn refuse_foreign_file(path: &Path) -> Result<()> {
    if !std::fs::metadata(path).is_ok_and(|meta| meta.len() > 0) {
        return Ok(());
    }
    let foreign = || Error::NotAWarehouse { path: path.to_path_buf() };
    let options =
        SqliteConnectOptions::new().filename(path).busy_timeout(BUSY_TIMEOUT).disable_statement_logging();
    let mut conn = options.connect().await.doing("open the warehouse file")?;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_master")
        .fetch_one(&mut conn)
        .await
        .map_err(|e| if is_not_a_database(&e) { foreign() } else { opening(e) })?;
    let id: i64 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut conn)
        .await
        .doing("open the warehouse file")?;
    conn.close().await.doing("open the warehouse file")?;
    if tables > 0 && id != APPLICATION_ID { Err(foreign()) } else { Ok(()) }
}

/// SQLite's result code 26.
fn is_not_a_database(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|e| e.code()).is_some_and(|code| code == "26")
}

fn opening(source: sqlx::Error) -> Error {
    Error::Database { doing: "open the warehouse file", committing: false, source }
}

/// SQLite's own migration lock does nothing in the driver, so a file beside the database is locked.
async fn migration_lock(path: &Path) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(PathBuf::from(name))
        .map_err(|e| opening(sqlx::Error::Io(e)))?;
    // The caller's time limit ends this wait.
    while !FileExt::try_lock_exclusive(&file).map_err(|e| opening(sqlx::Error::Io(e)))? {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(file)
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .synchronous(SqliteSynchronous::Normal)
        .row_buffer_size(ROW_BUFFER)
        .statement_cache_capacity(STATEMENTS)
        .pragma("cache_size", "-65536")
        // Moving pages from the log into the file is not a commit's business: `Store::checkpoint` does it now and then.
        .pragma("wal_autocheckpoint", LOG_PAGES)
        // A large ingestion's log gives its space back.
        .pragma("journal_size_limit", "67108864")
        .disable_statement_logging()
}

async fn writer_pool(path: &Path) -> Result<SqlitePool> {
    SqlitePoolOptions::new()
        .max_connections(1)
        .min_connections(1)
        .acquire_timeout(WRITER_WAIT)
        // The connection keeps its temporary tables and prepared statements.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(|conn: &mut Conn, _| {
            Box::pin(async move {
                sqlx::raw_sql(STAGING).execute(conn).await?;
                Ok(())
            })
        })
        // Besides the rows of a batch, which are here as values too, these are copies of the pages that a statement is about to
        // change: of a take-over and a bulk load some hundreds. In a file each of them would be a write.
        .connect_with(options(path).pragma("temp_store", "MEMORY"))
        .await
        .doing("open the warehouse file")
}

async fn reader_pool(path: &Path) -> Result<SqlitePool> {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        // Two, so that a start finds a helper: `Store::twin_reads`.
        .min_connections(2)
        .acquire_timeout(WRITER_WAIT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options(path).read_only(true))
        .await
        .doing("open the warehouse file for reading")
}

/// A read-only connection of its own, for statements that people type.
pub(crate) async fn private_reader(path: &Path) -> Result<Conn> {
    options(path)
        .read_only(true)
        .pragma("query_only", "ON")
        .pragma("trusted_schema", "OFF")
        .connect()
        .await
        .doing("open the warehouse file for reading")
}

/// On a connection of its own, for what a migration sorts may be larger than memory.
async fn migrate(path: &Path) -> Result<()> {
    let options = options(path).create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
    let one = SqlitePoolOptions::new().max_connections(1).test_before_acquire(false);
    let pool = one.connect_with(options).await.doing("open the warehouse file")?;
    let migrations = MIGRATIONS
        .iter()
        .map(|(version, name, sql)| {
            Migration::new(*version, (*name).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
        })
        .collect();
    let known = MIGRATIONS[MIGRATIONS.len() - 1].0;
    let mut migrator = Migrator::with_migrations(migrations);
    // The lock is ours, see `migration_lock`.
    migrator.set_locking(false);
    let migrated = migrator.run(&pool).await;
    pool.close().await;
    match migrated {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(found)) if found > known => Err(Error::Newer { found, known }),
        Err(MigrateError::VersionMissing(version) | MigrateError::VersionMismatch(version)) => {
            Err(Error::OtherSchema { version })
        }
        Err(MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)) => {
            Err(Error::Database { doing: "migrate the warehouse", committing: false, source })
        }
        Err(other) => Err(Error::Database {
            doing: "migrate the warehouse",
            committing: false,
            source: sqlx::Error::Migrate(Box::new(other)),
        }),
    }
}
