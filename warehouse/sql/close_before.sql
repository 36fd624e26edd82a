-- $1 game, $2 source, $3 tip-off, $4 the moment before it, $5 now: a line that closed, as far as anybody knew, after tip-off.
-- A file that is read again brings it once more.
DELETE FROM game_lines
WHERE game_id = $1 AND source = $2 AND snapshot_at >= $3
    AND EXISTS (
        SELECT 1 FROM game_lines g
        WHERE g.game_id = $1 AND g.source = $2 AND g.book = game_lines.book AND g.snapshot_at = $4
    );
UPDATE game_lines SET snapshot_at = $4, ingested_at = $5
WHERE game_id = $1 AND source = $2 AND snapshot_at >= $3
