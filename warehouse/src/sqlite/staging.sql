-- Temporary tables of the writer connection: a batch is loaded here before the slate's lock is taken.

CREATE TEMP TABLE staged_lines (
    line_no INTEGER PRIMARY KEY,
    game_id TEXT NOT NULL,
    player_lookup TEXT NOT NULL,
    market TEXT NOT NULL,
    inputs_sha256 TEXT NOT NULL,
    half_points INTEGER NOT NULL,
    line_source TEXT NOT NULL,
    line_source_api TEXT NOT NULL,
    book TEXT NOT NULL,
    was_line_fallback BOOLEAN NOT NULL,
    over_price TEXT NOT NULL,
    under_price TEXT NOT NULL,
    line_snapshot_at TEXT NOT NULL,
    line_minutes_before_game INTEGER NOT NULL,
    consensus_line REAL,
    line_spread REAL,
    no_vig_over REAL NOT NULL,
    feature_quality_score REAL NOT NULL,
    default_feature_count INTEGER NOT NULL,
    as_of TEXT NOT NULL,
    predicted_at TEXT NOT NULL,
    UNIQUE (game_id, player_lookup, market)
);

-- A row's number is 65536 times its line's plus its system's: appending by one number costs half of what a pair does.
CREATE TEMP TABLE staged_rows (
    row_no INTEGER PRIMARY KEY,
    prediction_id BLOB NOT NULL,
    model_id INTEGER NOT NULL,
    predicted_value REAL NOT NULL,
    half_points INTEGER NOT NULL,
    over_probability REAL,
    over_expected_value REAL,
    under_expected_value REAL,
    over_fair_price TEXT,
    line_margin REAL NOT NULL,
    recommendation TEXT NOT NULL,
    in_sample BOOLEAN NOT NULL,
    row_sha256 BLOB NOT NULL
);

CREATE TEMP TABLE staged_outcomes (
    player_lookup TEXT NOT NULL,
    game_id TEXT NOT NULL,
    name TEXT NOT NULL,
    outcome TEXT NOT NULL,
    code TEXT NOT NULL,
    sentence TEXT NOT NULL,
    codes TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    rows_owed INTEGER NOT NULL,
    rows_staged INTEGER NOT NULL,
    inputs_sha256 TEXT NOT NULL,
    PRIMARY KEY (game_id, player_lookup)
) WITHOUT ROWID;

-- Markets and systems the batch wanted: with the outcomes' players they are the keys it has jobs for.
CREATE TEMP TABLE staged_wanted (
    market TEXT NOT NULL,
    system_id TEXT NOT NULL,
    PRIMARY KEY (market, system_id)
) WITHOUT ROWID;

-- Games a live run may not touch any more.
CREATE TEMP TABLE staged_started (
    game_id TEXT PRIMARY KEY
) WITHOUT ROWID;
