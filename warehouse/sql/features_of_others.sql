-- $1 date, $2 the contract that is read otherwise. The newest build of a player comes last.
SELECT game_id, player_lookup, contract_version, sources, team, quality_score, matchup_quality,
    required_default_count, as_of, built_at, inputs_ingested_at
FROM features
WHERE game_date = $1 AND contract_version <> $2
ORDER BY game_id, player_lookup, built_at
