-- What a start asks of every event and player of its slate stands in the index: when an event's newest snapshot says that
-- it begins and which game it is, and the minutes of a player's last games. Each was a walk through the rows themselves.
DROP INDEX lines_by_date;
CREATE INDEX lines_by_date ON lines (game_date, event_id, snapshot_at, commence_time, game_id);
DROP INDEX player_games_by_player;
CREATE INDEX player_games_by_player ON player_games (player_lookup, game_date, minutes);
