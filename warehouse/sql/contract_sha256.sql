SELECT sha256 FROM feature_contracts WHERE version = $1
