-- $1 as of, $2 the slate's date
WITH newest AS (SELECT max(game_date) AS box_score FROM player_games WHERE game_date < $2)
SELECT
    (SELECT max(reported_at) FROM injuries WHERE reported_at <= $1),
    newest.box_score,
    (
        SELECT count(*) FROM games
        WHERE game_date > newest.box_score AND game_date < $2
            AND phase NOT IN ('preseason', 'all_star') AND status NOT IN ('postponed', 'cancelled')
    )
FROM newest
