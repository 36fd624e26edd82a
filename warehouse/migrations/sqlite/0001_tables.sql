-- Tipoff's warehouse, first version.
--
-- Conventions: dates are ISO text, instants RFC 3339 UTC text with six decimals (so that text order is time order),
-- prices are text as the book wrote them, lines are half points (INTEGER) with `line` generated from them.
-- Every input table says which file a row came from and when it went in.

-- "TipW": another program's SQLite file is refused instead of filled.
PRAGMA application_id = 1416196183;

CREATE TABLE warehouse_identity (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    id TEXT NOT NULL,
    created_at TEXT NOT NULL
);

-- Inputs ------------------------------------------------------------------------------------------------------

CREATE TABLE games (
    game_id TEXT PRIMARY KEY,
    sport TEXT NOT NULL,
    game_date TEXT NOT NULL,
    away TEXT NOT NULL,
    home TEXT NOT NULL,
    league_game_id TEXT,
    season INTEGER NOT NULL,
    phase TEXT NOT NULL CHECK (phase IN ('preseason', 'regular', 'all_star', 'playoffs', 'play_in', 'cup_final')),
    tip_off TEXT,
    status TEXT NOT NULL CHECK (status IN ('scheduled', 'in_progress', 'final', 'postponed', 'cancelled')),
    home_score INTEGER,
    away_score INTEGER,
    source_file TEXT NOT NULL,
    ingested_at TEXT NOT NULL,
    CHECK (away <> home)
);
CREATE INDEX games_by_date ON games (game_date);

CREATE TABLE teams (
    team TEXT PRIMARY KEY,
    league_team_id INTEGER NOT NULL,
    full_name TEXT NOT NULL,
    nickname TEXT NOT NULL,
    source_file TEXT NOT NULL,
    ingested_at TEXT NOT NULL
);

CREATE TABLE team_games (
    game_id TEXT NOT NULL,
    team TEXT NOT NULL,
    game_date TEXT NOT NULL,
    opponent TEXT NOT NULL,
    is_home BOOLEAN NOT NULL CHECK (is_home IN (0, 1)),
    season INTEGER NOT NULL,
    phase TEXT NOT NULL,
    won BOOLEAN NOT NULL CHECK (won IN (0, 1)),
    minutes REAL NOT NULL,
    points REAL NOT NULL,
    fga REAL NOT NULL,
    fta REAL NOT NULL,
    oreb REAL NOT NULL,
    tov REAL NOT NULL,
    plus_minus REAL NOT NULL,
    source_file TEXT NOT NULL,
    ingested_at TEXT NOT NULL,
    PRIMARY KEY (game_id, team)
);
CREATE INDEX team_games_by_date ON team_games (game_date);
CREATE INDEX team_games_by_ingest ON team_games (ingested_at);

-- One row per player who appeared; a player without a row did not play, which is not a zero.
CREATE TABLE player_games (
    game_id TEXT NOT NULL,
    player_lookup TEXT NOT NULL,
    game_date TEXT NOT NULL,
    player_name TEXT NOT NULL,
    league_player_id INTEGER NOT NULL,
    team TEXT NOT NULL,
    opponent TEXT NOT NULL,
    is_home BOOLEAN NOT NULL CHECK (is_home IN (0, 1)),
    season INTEGER NOT NULL,
    phase TEXT NOT NULL,
    minutes REAL NOT NULL,
    points REAL NOT NULL,
    rebounds REAL NOT NULL,
    assists REAL NOT NULL,
    threes REAL NOT NULL,
    fgm REAL NOT NULL,
    fga REAL NOT NULL,
    fg3a REAL NOT NULL,
    ftm REAL NOT NULL,
    fta REAL NOT NULL,
    oreb REAL NOT NULL,
    dreb REAL NOT NULL,
    stl REAL NOT NULL,
    blk REAL NOT NULL,
    tov REAL NOT NULL,
    pf REAL NOT NULL,
    plus_minus REAL,
    source_file TEXT NOT NULL,
    ingested_at TEXT NOT NULL,
    PRIMARY KEY (game_id, player_lookup)
);
CREATE INDEX player_games_by_date ON player_games (game_date, player_lookup);
CREATE INDEX player_games_by_player ON player_games (player_lookup, game_date);
CREATE INDEX player_games_by_ingest ON player_games (ingested_at);

-- Derived from player_games: the newest name and team of everybody who ever played.
CREATE TABLE players (
    player_lookup TEXT PRIMARY KEY,
    player_name TEXT NOT NULL,
    base_lookup TEXT NOT NULL,
    league_player_id INTEGER,
    team TEXT,
    last_game_date TEXT,
    source_file TEXT NOT NULL,
    ingested_at TEXT NOT NULL
);
CREATE INDEX players_by_base ON players (base_lookup);

CREATE TABLE player_aliases (
    alias TEXT PRIMARY KEY,
    player_lookup TEXT NOT NULL,
    source_file TEXT NOT NULL,
    ingested_at TEXT NOT NULL
);

CREATE TABLE injuries (
    injury_id INTEGER PRIMARY KEY,
    player_lookup TEXT NOT NULL,
    team TEXT,
    status TEXT NOT NULL CHECK (status IN ('available', 'probable', 'questionable', 'doubtful', 'out')),
    reported_at TEXT NOT NULL,
    note TEXT NOT NULL,
    source_file TEXT NOT NULL,
    ingested_at TEXT NOT NULL,
    UNIQUE (player_lookup, reported_at, status, note)
);
CREATE INDEX injuries_by_report ON injuries (reported_at);

CREATE TABLE lines (
    event_id TEXT NOT NULL,
    market TEXT NOT NULL,
    player_lookup TEXT NOT NULL,
    book TEXT NOT NULL,
    snapshot_at TEXT NOT NULL,
    half_points INTEGER NOT NULL CHECK (typeof(half_points) = 'integer'),
    line REAL GENERATED ALWAYS AS (half_points / 2.0) VIRTUAL,
    game_id TEXT,
    game_date TEXT NOT NULL,
    player_name TEXT NOT NULL,
    player_resolved BOOLEAN NOT NULL CHECK (player_resolved IN (0, 1)),
    commence_time TEXT NOT NULL,
    over_price TEXT,
    under_price TEXT,
    is_main BOOLEAN NOT NULL CHECK (is_main IN (0, 1)),
    tag TEXT,
    minutes_before_tip INTEGER NOT NULL,
    market_updated_at TEXT,
    source TEXT NOT NULL,
    source_file TEXT NOT NULL,
    ingested_at TEXT NOT NULL,
    -- The natural key, ordered so that "each book's newest quote of a player" is a walk along the index.
    PRIMARY KEY (event_id, market, player_lookup, book, snapshot_at, half_points)
);
CREATE INDEX lines_by_date ON lines (game_date, event_id, snapshot_at);

CREATE TABLE game_lines (
    game_id TEXT NOT NULL,
    book TEXT NOT NULL,
    snapshot_at TEXT NOT NULL,
    game_date TEXT NOT NULL,
    home_spread_half_points INTEGER CHECK (typeof(home_spread_half_points) IN ('integer', 'null')),
    home_spread REAL GENERATED ALWAYS AS (home_spread_half_points / 2.0) VIRTUAL,
    total_half_points INTEGER CHECK (typeof(total_half_points) IN ('integer', 'null')),
    total REAL GENERATED ALWAYS AS (total_half_points / 2.0) VIRTUAL,
    source TEXT NOT NULL,
    source_file TEXT NOT NULL,
    ingested_at TEXT NOT NULL,
    PRIMARY KEY (game_id, book, snapshot_at)
);
CREATE INDEX game_lines_by_date ON game_lines (game_date);

-- The ledger: done-ness is per content, never by a lock.
CREATE TABLE source_files (
    sha256 TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    size INTEGER NOT NULL,
    rows_read INTEGER NOT NULL,
    rows_new INTEGER NOT NULL,
    rows_known INTEGER NOT NULL,
    rows_refused INTEGER NOT NULL,
    ingested_at TEXT NOT NULL,
    CHECK (rows_read = rows_new + rows_known + rows_refused)
);

CREATE TABLE quarantine (
    quarantine_id INTEGER PRIMARY KEY,
    source_file TEXT NOT NULL,
    line_number INTEGER,
    code TEXT NOT NULL,
    sentence TEXT NOT NULL,
    excerpt TEXT NOT NULL,
    game_date TEXT,
    ingested_at TEXT NOT NULL
);
CREATE INDEX quarantine_by_date ON quarantine (game_date);

-- Features ----------------------------------------------------------------------------------------------------

-- What each contract version means; a version never changes its meaning.
CREATE TABLE feature_contracts (
    version TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL,
    features TEXT NOT NULL,
    created_at TEXT NOT NULL
);

-- One wide row; the value columns are added from the contract when the warehouse is opened.
-- `sources` has one letter per feature in contract order, `defaulted` one bit.
CREATE TABLE features (
    game_id TEXT NOT NULL,
    player_lookup TEXT NOT NULL,
    contract_version TEXT NOT NULL,
    game_date TEXT NOT NULL,
    team TEXT NOT NULL,
    quality_score REAL NOT NULL,
    matchup_quality REAL NOT NULL,
    required_default_count INTEGER NOT NULL,
    sources TEXT NOT NULL,
    defaulted TEXT NOT NULL,
    as_of TEXT NOT NULL,
    built_at TEXT NOT NULL,
    inputs_ingested_at TEXT,
    PRIMARY KEY (game_id, player_lookup, contract_version),
    CHECK (length(sources) = length(defaulted))
);
CREATE INDEX features_by_date ON features (game_date, contract_version);

-- Batches and what they published -----------------------------------------------------------------------------

CREATE TABLE slates (
    sport TEXT NOT NULL,
    game_date TEXT NOT NULL,
    last_generation INTEGER NOT NULL,
    published_generation INTEGER NOT NULL DEFAULT 0,
    published_batch_id TEXT,
    PRIMARY KEY (sport, game_date),
    CHECK (published_generation <= last_generation)
);

CREATE TABLE batches (
    batch_id TEXT PRIMARY KEY,
    sport TEXT NOT NULL,
    game_date TEXT NOT NULL,
    -- 0: never registered here; its verdict is `reset`.
    generation INTEGER NOT NULL CHECK (generation >= 0),
    opener TEXT,
    request TEXT,
    as_of TEXT,
    registered_at TEXT,
    withdrawn_at TEXT,
    withdrawn_reason TEXT,
    state TEXT CHECK (state IN ('complete', 'partial', 'failed', 'reset')),
    reason TEXT,
    sentence TEXT,
    receipt TEXT,
    decided_at TEXT,
    announced_at TEXT,
    CHECK ((state IS NULL) = (receipt IS NULL)),
    CHECK ((state IS NULL) = (decided_at IS NULL)),
    CHECK (generation > 0 OR state IS NOT NULL),
    CHECK (withdrawn_at IS NULL OR state IS NULL OR state IN ('failed', 'reset'))
);
CREATE UNIQUE INDEX batches_by_generation ON batches (sport, game_date, generation) WHERE generation > 0;
CREATE INDEX batches_by_date ON batches (game_date);
CREATE INDEX batches_unannounced ON batches (batch_id) WHERE announced_at IS NULL AND withdrawn_at IS NULL;
CREATE INDEX batches_open ON batches (batch_id) WHERE state IS NULL AND withdrawn_at IS NULL;

-- Ordered by slate, generation and key: a generation is one stretch of the file, written from its first row to its last.
-- `prediction_id` follows from batch, generation and key, so the primary key keeps it unique too.
CREATE TABLE predictions (
    prediction_id TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    generation INTEGER NOT NULL,
    sport TEXT NOT NULL,
    game_date TEXT NOT NULL,
    game_id TEXT NOT NULL,
    player_lookup TEXT NOT NULL,
    market TEXT NOT NULL,
    system_id TEXT NOT NULL,
    prediction_run_mode TEXT NOT NULL,
    model_sha256 TEXT NOT NULL,
    inputs_sha256 TEXT NOT NULL,
    predicted_value REAL NOT NULL,
    half_points INTEGER NOT NULL CHECK (typeof(half_points) = 'integer'),
    line REAL GENERATED ALWAYS AS (half_points / 2.0) VIRTUAL,
    line_source TEXT NOT NULL,
    line_source_api TEXT NOT NULL,
    book TEXT NOT NULL,
    was_line_fallback BOOLEAN NOT NULL CHECK (was_line_fallback IN (0, 1)),
    over_price TEXT NOT NULL,
    under_price TEXT NOT NULL,
    line_snapshot_at TEXT NOT NULL,
    line_minutes_before_game INTEGER NOT NULL,
    consensus_line REAL,
    line_spread REAL,
    no_vig_over REAL NOT NULL,
    -- What the model says about the price: none for a model without a calibration.
    over_probability REAL CHECK (over_probability > 0 AND over_probability < 1),
    over_expected_value REAL,
    under_expected_value REAL,
    over_fair_price TEXT,
    line_margin REAL NOT NULL,
    recommendation TEXT NOT NULL,
    feature_quality_score REAL NOT NULL,
    default_feature_count INTEGER NOT NULL,
    in_sample BOOLEAN NOT NULL CHECK (in_sample IN (0, 1)),
    as_of TEXT NOT NULL,
    predicted_at TEXT NOT NULL,
    row_sha256 TEXT NOT NULL CHECK (length(row_sha256) = 64),
    is_active BOOLEAN NOT NULL CHECK (is_active IN (0, 1)),
    invalidation_reason TEXT CHECK (invalidation_reason IN ('injured_out', 'game_postponed')),
    invalidated_at TEXT,
    superseded_by TEXT,
    superseded_at TEXT,
    created_at TEXT NOT NULL,
    CONSTRAINT recommendation_is_known CHECK (recommendation IN ('OVER', 'UNDER', 'PASS', 'HOLD', 'NO_LINE')),
    -- Incident 54: rows above the line that said UNDER.
    CONSTRAINT recommendation_follows_sign CHECK (
        (recommendation <> 'OVER' OR predicted_value > half_points / 2.0)
        AND (recommendation <> 'UNDER' OR predicted_value < half_points / 2.0)
    ),
    CONSTRAINT margin_is_value_minus_line CHECK (
        abs(line_margin - (predicted_value - half_points / 2.0)) < 0.000001
    ),
    -- Incidents 25 and 26: no row is set aside without its successor or its reason.
    CONSTRAINT inactive_has_a_reason CHECK (
        is_active = (superseded_by IS NULL AND invalidation_reason IS NULL)
    ),
    PRIMARY KEY (game_date, generation, game_id, player_lookup, market, system_id)
) WITHOUT ROWID;
-- One active row per key; `game_id` begins with the date, so the slate's active rows are a range of this index.
CREATE UNIQUE INDEX predictions_active ON predictions (game_id, player_lookup, market, system_id) WHERE is_active;

CREATE TABLE job_outcomes (
    batch_id TEXT NOT NULL,
    player_lookup TEXT NOT NULL,
    game_id TEXT NOT NULL,
    sport TEXT NOT NULL,
    game_date TEXT NOT NULL,
    generation INTEGER NOT NULL,
    name TEXT NOT NULL,
    outcome TEXT NOT NULL
        CHECK (outcome IN ('predicted', 'rejected', 'skipped', 'failed', 'expired', 'abandoned')),
    code TEXT NOT NULL,
    sentence TEXT NOT NULL,
    codes TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    rows_owed INTEGER NOT NULL,
    published INTEGER NOT NULL,
    carried INTEGER NOT NULL,
    inputs_sha256 TEXT NOT NULL,
    decided_at TEXT NOT NULL,
    PRIMARY KEY (batch_id, player_lookup, game_id)
);
CREATE INDEX job_outcomes_by_date ON job_outcomes (game_date, generation);

-- Operation ---------------------------------------------------------------------------------------------------

-- One row per run of anything, updated in place; terminal states are final.
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    stage TEXT NOT NULL,
    game_date TEXT,
    batch_id TEXT,
    status TEXT NOT NULL CHECK (status IN ('running', 'success', 'partial', 'failed', 'cancelled')),
    started_at TEXT NOT NULL,
    finished_at TEXT,
    counts TEXT NOT NULL DEFAULT '{}',
    error TEXT,
    error_class TEXT CHECK (error_class IN ('upstream', 'input', 'timeout', 'bug', 'clean_up')),
    CONSTRAINT failed_run_has_an_error CHECK (
        status <> 'failed' OR (error IS NOT NULL AND error <> '' AND error_class IS NOT NULL)
    ),
    CONSTRAINT ended_run_has_an_end CHECK ((status = 'running') = (finished_at IS NULL))
);
CREATE INDEX runs_by_start ON runs (started_at);

CREATE TABLE models (
    system_id TEXT NOT NULL,
    market TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('champion', 'shadow', 'disabled')),
    engine TEXT NOT NULL,
    contract_version TEXT NOT NULL,
    training_start TEXT,
    training_end TEXT,
    card TEXT NOT NULL,
    first_seen_at TEXT NOT NULL,
    PRIMARY KEY (system_id, market, sha256)
);

CREATE TABLE dead_letters (
    dead_letter_id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    body TEXT NOT NULL,
    error TEXT NOT NULL,
    received_at TEXT NOT NULL,
    replayed_at TEXT
);

CREATE TABLE alerts (
    alert_id INTEGER PRIMARY KEY,
    code TEXT NOT NULL,
    level TEXT NOT NULL CHECK (level IN ('info', 'warning', 'degraded')),
    sentence TEXT NOT NULL,
    subject TEXT NOT NULL,
    raised_at TEXT NOT NULL,
    resolved_at TEXT
);
CREATE UNIQUE INDEX alerts_open ON alerts (code, subject) WHERE resolved_at IS NULL;
