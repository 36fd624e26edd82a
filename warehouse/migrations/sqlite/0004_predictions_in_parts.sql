-- A prediction in the parts it is made of. Twelve systems predict against one line: what they share is written once, and
-- a row of theirs is never changed when another takes over from it. `predictions` shows it all as one table again.

-- The line that the systems of one batch predicted one player and market against, and the inputs they shared.
-- Ordered like `published_predictions`: a generation is one stretch of the file, written from its first row to its last.
CREATE TABLE published_lines (
    game_date TEXT NOT NULL,
    generation INTEGER NOT NULL,
    game_id TEXT NOT NULL,
    player_lookup TEXT NOT NULL,
    market TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    sport TEXT NOT NULL,
    prediction_run_mode TEXT NOT NULL,
    inputs_sha256 TEXT NOT NULL,
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
    feature_quality_score REAL NOT NULL,
    default_feature_count INTEGER NOT NULL,
    as_of TEXT NOT NULL,
    predicted_at TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (game_date, generation, game_id, player_lookup, market)
) WITHOUT ROWID;

-- What one system said. `prediction_id` follows from batch, generation and key, so the primary key keeps it unique too.
CREATE TABLE published_predictions (
    game_date TEXT NOT NULL,
    generation INTEGER NOT NULL,
    game_id TEXT NOT NULL,
    player_lookup TEXT NOT NULL,
    market TEXT NOT NULL,
    system_id TEXT NOT NULL,
    prediction_id TEXT NOT NULL,
    model_sha256 TEXT NOT NULL,
    predicted_value REAL NOT NULL,
    -- Its line again, for the conditions below.
    half_points INTEGER NOT NULL CHECK (typeof(half_points) = 'integer'),
    -- What the model says about the price: none for a model without a calibration.
    over_probability REAL CHECK (over_probability > 0 AND over_probability < 1),
    over_expected_value REAL,
    under_expected_value REAL,
    over_fair_price TEXT,
    line_margin REAL NOT NULL,
    recommendation TEXT NOT NULL,
    in_sample BOOLEAN NOT NULL CHECK (in_sample IN (0, 1)),
    row_sha256 TEXT NOT NULL CHECK (length(row_sha256) = 64),
    invalidation_reason TEXT CHECK (invalidation_reason IN ('injured_out', 'game_postponed')),
    invalidated_at TEXT CHECK ((invalidated_at IS NULL) = (invalidation_reason IS NULL)),
    CONSTRAINT recommendation_is_known CHECK (recommendation IN ('OVER', 'UNDER', 'PASS', 'HOLD', 'NO_LINE')),
    -- Incident 54: rows above the line that said UNDER.
    CONSTRAINT recommendation_follows_sign CHECK (
        (recommendation <> 'OVER' OR predicted_value > half_points / 2.0)
        AND (recommendation <> 'UNDER' OR predicted_value < half_points / 2.0)
    ),
    CONSTRAINT margin_is_value_minus_line CHECK (
        abs(line_margin - (predicted_value - half_points / 2.0)) < 0.000001
    ),
    PRIMARY KEY (game_date, generation, game_id, player_lookup, market, system_id)
) WITHOUT ROWID;

-- Which generation's row of a key people see. The primary key is the promise: one active row per game, player, market
-- and system. Taking over changes a number here and no row of a prediction.
CREATE TABLE active_predictions (
    game_date TEXT NOT NULL,
    game_id TEXT NOT NULL,
    player_lookup TEXT NOT NULL,
    market TEXT NOT NULL,
    system_id TEXT NOT NULL,
    generation INTEGER NOT NULL,
    PRIMARY KEY (game_date, game_id, player_lookup, market, system_id)
) WITHOUT ROWID;

-- What was published before, written anew.
INSERT INTO published_lines (
    game_date, generation, game_id, player_lookup, market, batch_id, sport, prediction_run_mode, inputs_sha256,
    half_points, line_source, line_source_api, book, was_line_fallback, over_price, under_price, line_snapshot_at,
    line_minutes_before_game, consensus_line, line_spread, no_vig_over, feature_quality_score, default_feature_count,
    as_of, predicted_at, created_at
)
SELECT
    game_date, generation, game_id, player_lookup, market, batch_id, sport, prediction_run_mode, inputs_sha256,
    half_points, line_source, line_source_api, book, was_line_fallback, over_price, under_price, line_snapshot_at,
    line_minutes_before_game, consensus_line, line_spread, no_vig_over, feature_quality_score, default_feature_count,
    as_of, predicted_at, created_at
FROM predictions
GROUP BY game_date, generation, game_id, player_lookup, market;
INSERT INTO published_predictions
SELECT
    game_date, generation, game_id, player_lookup, market, system_id, prediction_id, model_sha256, predicted_value,
    half_points, over_probability, over_expected_value, under_expected_value, over_fair_price, line_margin,
    recommendation, in_sample, row_sha256, invalidation_reason, invalidated_at
FROM predictions;
INSERT INTO active_predictions
SELECT game_date, game_id, player_lookup, market, system_id, generation FROM predictions WHERE is_active;
DROP TABLE predictions;

-- Incidents 25 and 26: no row is set aside without its successor or its reason.
CREATE TRIGGER inactive_has_a_reason BEFORE DELETE ON active_predictions
WHEN NOT EXISTS (
    SELECT 1 FROM published_predictions p
    WHERE p.game_date = OLD.game_date AND p.generation = OLD.generation AND p.game_id = OLD.game_id
        AND p.player_lookup = OLD.player_lookup AND p.market = OLD.market AND p.system_id = OLD.system_id
        AND p.invalidation_reason IS NOT NULL
)
BEGIN
    SELECT RAISE(ABORT, 'inactive_has_a_reason: a row leaves with its invalidation_reason or for a newer generation');
END;
CREATE TRIGGER newer_takes_over BEFORE UPDATE ON active_predictions
WHEN NEW.generation <= OLD.generation
BEGIN
    SELECT RAISE(ABORT, 'newer_takes_over: only a newer generation takes over from an active row');
END;

-- Every row ever published, as people read it. A row that another took over from names the one of the next generation
-- that has its key; an invalidated one has none.
CREATE VIEW predictions AS
SELECT p.prediction_id, l.batch_id, p.generation, l.sport, p.game_date, p.game_id, p.player_lookup, p.market, p.system_id,
    l.prediction_run_mode, p.model_sha256, l.inputs_sha256, p.predicted_value, p.half_points,
    p.half_points / 2.0 AS line, l.line_source, l.line_source_api, l.book, l.was_line_fallback, l.over_price,
    l.under_price, l.line_snapshot_at, l.line_minutes_before_game, l.consensus_line, l.line_spread, l.no_vig_over,
    p.over_probability, p.over_expected_value, p.under_expected_value, p.over_fair_price, p.line_margin,
    p.recommendation, l.feature_quality_score, l.default_feature_count, p.in_sample, l.as_of, l.predicted_at,
    p.row_sha256, a.generation IS NOT NULL AS is_active, p.invalidation_reason, p.invalidated_at,
    CASE WHEN a.generation IS NULL AND p.invalidation_reason IS NULL THEN (
        SELECT n.prediction_id
        FROM batches b
        CROSS JOIN published_predictions n
        WHERE n.game_date = b.game_date AND n.generation = b.generation AND n.game_id = p.game_id
            AND n.player_lookup = p.player_lookup AND n.market = p.market
            AND n.system_id = p.system_id
            AND b.sport = l.sport AND b.game_date = p.game_date AND b.generation > p.generation
        ORDER BY b.generation
        LIMIT 1
    ) END AS superseded_by,
    CASE WHEN a.generation IS NULL AND p.invalidation_reason IS NULL THEN (
        SELECT b.decided_at
        FROM batches b
        CROSS JOIN published_predictions n
        WHERE n.game_date = b.game_date AND n.generation = b.generation AND n.game_id = p.game_id
            AND n.player_lookup = p.player_lookup AND n.market = p.market
            AND n.system_id = p.system_id
            AND b.sport = l.sport AND b.game_date = p.game_date AND b.generation > p.generation
        ORDER BY b.generation
        LIMIT 1
    ) END AS superseded_at,
    l.created_at
FROM published_predictions p
JOIN published_lines l ON l.game_date = p.game_date AND l.generation = p.generation AND l.game_id = p.game_id
    AND l.player_lookup = p.player_lookup AND l.market = p.market
LEFT JOIN active_predictions a ON a.game_date = p.game_date AND a.game_id = p.game_id
    AND a.player_lookup = p.player_lookup AND a.market = p.market AND a.system_id = p.system_id
    AND a.generation = p.generation;
