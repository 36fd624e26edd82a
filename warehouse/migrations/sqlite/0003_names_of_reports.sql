-- Availability reports keep the name as it was written, and whether it is a player, so that a report about somebody who
-- was unknown finds him later, as quotes do. What went in before has its key for a name.
ALTER TABLE injuries ADD COLUMN player_name TEXT NOT NULL DEFAULT '';
ALTER TABLE injuries ADD COLUMN player_resolved BOOLEAN NOT NULL DEFAULT 1 CHECK (player_resolved IN (0, 1));
UPDATE injuries
SET player_name = player_lookup, player_resolved = player_lookup IN (SELECT player_lookup FROM players);
CREATE INDEX injuries_unresolved ON injuries (player_lookup) WHERE NOT player_resolved;
