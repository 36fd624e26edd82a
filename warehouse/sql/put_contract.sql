INSERT INTO feature_contracts (version, sha256, features, created_at) VALUES ($1, $2, $3, $4)
