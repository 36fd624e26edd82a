SELECT game_id, team, count(*), sum(required_default_count = 0)
FROM features
WHERE game_date BETWEEN $1 AND $2 AND contract_version = $3
GROUP BY game_id, team
