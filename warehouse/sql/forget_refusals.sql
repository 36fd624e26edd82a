DELETE FROM quarantine WHERE sha256 = $1
