-- $1 the slate's date. Asked with every look at a batch.
SELECT count(*) FROM active_predictions WHERE game_date = $1
