-- What follows from quotes, who works on what, and where files came from.

-- The books of one player, market and snapshot in figures (rules: lines/summary.rs); written with the quotes themselves.
CREATE TABLE line_summaries (
    event_id TEXT NOT NULL,
    market TEXT NOT NULL,
    player_lookup TEXT NOT NULL,
    snapshot_at TEXT NOT NULL,
    game_id TEXT NOT NULL,
    game_date TEXT NOT NULL,
    minutes_before_tip INTEGER NOT NULL CHECK (minutes_before_tip >= 0),
    num_books INTEGER NOT NULL CHECK (num_books > 0),
    median_line REAL NOT NULL,
    line_spread REAL CHECK (line_spread >= 0),
    min_half_points INTEGER NOT NULL CHECK (typeof(min_half_points) = 'integer'),
    max_half_points INTEGER NOT NULL CHECK (typeof(max_half_points) = 'integer'),
    -- A JSON list of book keys.
    outliers TEXT NOT NULL,
    juice_skew REAL,
    sharp_line REAL,
    soft_line REAL,
    no_vig_half_points INTEGER CHECK (typeof(no_vig_half_points) IN ('integer', 'null')),
    no_vig_over REAL CHECK (no_vig_over > 0 AND no_vig_over < 1),
    ingested_at TEXT NOT NULL,
    PRIMARY KEY (event_id, market, player_lookup, snapshot_at)
) WITHOUT ROWID;
CREATE INDEX line_summaries_by_date ON line_summaries (game_date, market, player_lookup);

-- A book's main quote whenever its line or a price changed, apart from the heartbeats that only repeat it. A view, so
-- that a snapshot which arrives late changes it as it should. A condition on game_date, event_id, market, player_lookup
-- or book reads only those quotes.
CREATE VIEW line_changes AS
SELECT game_date, game_id, event_id, market, player_lookup, book, snapshot_at, minutes_before_tip, tag,
    half_points / 2.0 AS line, over_price, under_price,
    half_points_before / 2.0 AS line_before, over_price_before, under_price_before,
    (half_points - half_points_before) / 2.0 AS line_move
FROM (
    SELECT game_date, game_id, event_id, market, player_lookup, book, snapshot_at, minutes_before_tip, tag,
        half_points, over_price, under_price,
        lag(half_points) OVER w AS half_points_before,
        lag(over_price) OVER w AS over_price_before,
        lag(under_price) OVER w AS under_price_before,
        row_number() OVER w AS place
    FROM lines
    WHERE is_main AND minutes_before_tip >= 0 AND snapshot_at < commence_time
    WINDOW w AS (PARTITION BY game_date, event_id, market, player_lookup, book ORDER BY snapshot_at, half_points)
)
WHERE place = 1
    OR half_points <> half_points_before
    OR over_price IS NOT over_price_before
    OR under_price IS NOT under_price_before;

-- Names that stand for nobody yet are looked at again whenever rosters or aliases arrive.
CREATE INDEX lines_unresolved ON lines (player_lookup) WHERE NOT player_resolved;

-- What spread and total say about each team; the home spread is negative when the home team is favoured.
ALTER TABLE game_lines ADD COLUMN home_implied_total REAL
    GENERATED ALWAYS AS ((total_half_points - home_spread_half_points) / 4.0) VIRTUAL;
ALTER TABLE game_lines ADD COLUMN away_implied_total REAL
    GENERATED ALWAYS AS ((total_half_points + home_spread_half_points) / 4.0) VIRTUAL;

-- Which content was refused, and where it lay, so that it can be tried again.
ALTER TABLE quarantine ADD COLUMN sha256 TEXT;
CREATE INDEX quarantine_by_content ON quarantine (sha256);
ALTER TABLE source_files ADD COLUMN path TEXT;

-- Rows of a file by the date of the game they are about; refused ones are in the quarantine.
CREATE TABLE source_file_dates (
    sha256 TEXT NOT NULL,
    game_date TEXT NOT NULL,
    rows_used INTEGER NOT NULL,
    PRIMARY KEY (sha256, game_date)
) WITHOUT ROWID;
CREATE INDEX source_file_dates_by_date ON source_file_dates (game_date);

-- Somebody is working, never: the work is done. The fence counts the holders; who writes under an older one is refused.
CREATE TABLE leases (
    resource TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    fence INTEGER NOT NULL,
    acquired_at TEXT NOT NULL,
    renewed_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    released_at TEXT
);

-- A run may end because its time was up, and keep what it did.
CREATE TABLE runs_with_time_limit (
    run_id TEXT PRIMARY KEY,
    stage TEXT NOT NULL,
    game_date TEXT,
    batch_id TEXT,
    status TEXT NOT NULL
        CHECK (status IN ('running', 'success', 'partial', 'failed', 'cancelled', 'timed_out')),
    started_at TEXT NOT NULL,
    finished_at TEXT,
    counts TEXT NOT NULL DEFAULT '{}',
    error TEXT,
    error_class TEXT CHECK (error_class IN ('upstream', 'input', 'timeout', 'bug', 'clean_up')),
    CONSTRAINT failed_run_has_an_error CHECK (
        status NOT IN ('failed', 'timed_out') OR (error IS NOT NULL AND error <> '' AND error_class IS NOT NULL)
    ),
    CONSTRAINT ended_run_has_an_end CHECK ((status = 'running') = (finished_at IS NULL))
);
INSERT INTO runs_with_time_limit
SELECT run_id, stage, game_date, batch_id, status, started_at, finished_at, counts, error, error_class FROM runs;
DROP TABLE runs;
ALTER TABLE runs_with_time_limit RENAME TO runs;
CREATE INDEX runs_by_start ON runs (started_at);
