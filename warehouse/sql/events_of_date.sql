-- $1 date: every event of it that is quoted, under the game it stands for now.
SELECT event_id, max(game_id) FROM lines WHERE game_date = $1 GROUP BY event_id ORDER BY event_id
