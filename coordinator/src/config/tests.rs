#![allow(clippy::unwrap_used)] // a test may stop at the first surprise
use super::settings::SETTINGS;
use super::*;

fn load(file: &str, env: &[(&str, &str)], flags: &[FlagValue]) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tipoff.toml");
    std::fs::write(&path, file).unwrap();
    Config::load(&Sources {
        file: Some(path),
        environment: env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        flags: flags.to_vec(),
        default_dir: None,
    })
}

fn refusal(file: &str, env: &[(&str, &str)]) -> String {
    load(file, env, &[]).unwrap_err().to_string()
}

fn origin_of(config: &Config, key: &str) -> String {
    config.shown().iter().find(|s| s.key == key).unwrap().origin.clone()
}

#[test]
fn the_page_names_every_setting_and_gives_the_documented_defaults() {
    for setting in SETTINGS {
        let key = setting.key.rsplit('.').next().unwrap();
        assert!(DEFAULT_TOML.contains(key), "default.toml does not mention {}", setting.key);
    }
    let config = load("", &[], &[]).unwrap();
    assert_eq!(config.timing, protocol::Timing::default());
    assert_eq!(config.lines, LinePolicy::default());
    assert_eq!((config.finish_by_seconds, config.min_coverage, config.min_minutes), (600, 0.5, 15.0));
    assert_eq!(config.client.server, "http://127.0.0.1:8080");
    assert_eq!(config.state.to_string(), "sqlite:./tipoff-data/state.db");
}

#[test]
fn the_clock_of_a_simulated_day_is_named_by_the_environment_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("clock");
    std::fs::write(&file, "2025-11-14T10:00:00Z").unwrap();
    let file = file.to_str().unwrap();
    assert!(load("", &[], &[]).unwrap().clock.file().is_none());
    let config = load("", &[("TIPOFF_WORLD_CLOCK", file)], &[]).unwrap();
    assert_eq!(config.now().to_string(), "2025-11-14T10:00:00Z");
    let error = load("", &[("TIPOFF_WORLD_CLOCK", "nowhere")], &[]).unwrap_err().to_string();
    assert!(error.contains("`world_clock` is `nowhere`"), "{error}");
    let error = load(&format!("world_clock = \"{file}\""), &[], &[]).unwrap_err().to_string();
    assert!(error.contains("set TIPOFF_WORLD_CLOCK"), "{error}");
}

#[test]
fn a_page_with_every_optional_setting_uncommented_is_read() {
    let page: String = DEFAULT_TOML
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if is_assignment(rest) && !rest.starts_with("api_key_file") => rest,
            _ => line,
        })
        .fold(String::new(), |page, line| page + line + "\n");
    let config = load(&page, &[], &[]).unwrap();
    assert_eq!(config.timing, protocol::Timing::default());
    assert_eq!(config.workers, PoolSize::Fixed(4));
}

fn is_assignment(text: &str) -> bool {
    text.split_once(" = ").is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
}

#[test]
fn a_later_layer_wins_and_each_value_knows_its_origin() {
    let file = "[protocol]\nlease_ms = 400\nsweep_ms = 50\nmax_attempts = 5";
    let env = [("TIPOFF_PROTOCOL_LEASE_MS", "500"), ("TIPOFF_DIR", "/from/env"), ("HOME", "/x")];
    let flags = [FlagValue { key: "dir", flag: "--dir", value: "/from/flag".into() }];
    let config = load(file, &env, &flags).unwrap();
    assert_eq!(config.timing.lease_ms, 500);
    assert_eq!((config.timing.renew_ms, config.timing.job_deadline_ms), (150, 1500));
    assert_eq!((config.timing.sweep_ms, config.timing.max_attempts), (50, 5));
    assert_eq!(config.warehouse.to_string(), "sqlite:/from/flag/warehouse.db");
    assert_eq!(origin_of(&config, "dir"), "flag --dir");
    assert_eq!(origin_of(&config, "protocol.lease_ms"), "environment TIPOFF_PROTOCOL_LEASE_MS");
    assert_eq!(origin_of(&config, "protocol.renew_ms"), "derived from protocol.lease_ms");
    assert!(origin_of(&config, "protocol.sweep_ms").ends_with("tipoff.toml"));
    assert_eq!(origin_of(&config, "protocol.min_coverage"), "default");
}

#[test]
fn state_and_warehouse_from_any_layer_win_over_dir_from_any_layer() {
    let flags = [FlagValue { key: "dir", flag: "--dir", value: "/from/flag".into() }];
    let config = load("warehouse = \"sqlite:/w.db\"", &[("TIPOFF_STATE", "redis://h:1")], &flags).unwrap();
    assert_eq!(config.state.to_string(), "redis://h:1/0");
    assert_eq!(config.warehouse.to_string(), "sqlite:/w.db");
}

#[test]
fn unknown_names_are_refused_with_what_they_may_have_meant() {
    let text = refusal("[protocol]\nleasems = 1", &[]);
    assert!(text.contains("unknown setting `protocol.leasems`; did you mean `protocol.lease_ms`?"), "{text}");
    let text = refusal("colour = 1", &[]);
    assert!(text.contains("unknown setting `colour`; `tipoff config show`"), "{text}");
    let text = refusal("[colour]\nx = 1", &[]);
    assert!(text.contains("unknown setting `colour`"), "{text}");
    let text = refusal("", &[("TIPOFF_PROTOCOL_LEASE", "1")]);
    assert!(text.contains("`TIPOFF_PROTOCOL_LEASE` names no setting"), "{text}");
    assert!(refusal("", &[("TIPOFF_WORKERS", "4")]).contains("`TIPOFF_WORKERS` names no setting"));
    assert!(load("", &[("TIPOFF_TEST_REDIS", "1"), ("TIPOFF_", "1")], &[]).is_ok());
}

#[test]
fn values_that_cannot_be_are_refused_by_name() {
    for (file, expected) in [
        ("dir = 3", "`dir` is `3`, expected a text"),
        ("state = \"mysql://u:canary@x\"", "write sqlite:PATH, redis://HOST:PORT"),
        ("warehouse = \"redis://u:canary@x\"", "expected sqlite:PATH"),
        ("[protocol]\nlease_ms = -1", "a whole number that is not negative"),
        ("[protocol]\nlease_ms = 99", "the shortest lease is 100"),
        ("[protocol]\nrenew_ms = 5001", "half of lease_ms (10000)"),
        ("[protocol]\njob_deadline_ms = 9999", "at least lease_ms (10000)"),
        ("[protocol]\nlease_ms = 86400001", "one day"),
        ("[protocol]\nmin_coverage = 1.5", "expected 0 to 1"),
        ("[protocol]\nfinish_by_seconds = 0", "1 to 604800"),
        ("[server]\nlisten = \"8080\"", "expected IP:PORT"),
        ("[server]\nmax_connections = 0", "at least 1"),
        ("[client]\nserver = \"localhost\"", "http://127.0.0.1:8080"),
        ("[workers]\nmin = 9\nmax = 2", "above workers.max (2)"),
        ("[workers]\nsize = 5000", "the most is 1024"),
        ("[log]\nformat = \"xml\"", "pretty or json"),
        ("[log]\nfilter = \"=oops=\"", "not a log filter"),
        ("[books]\nrank = [1]", "a list of texts"),
        ("[server]\napi_key = \"0123456789abcdef\"", "is a secret"),
        ("[server]\napi_key_file = \"/does/not/exist\"", "cannot be read"),
        ("= 1", "is not TOML"),
    ] {
        let text = refusal(file, &[]);
        assert!(text.contains(expected) && !text.contains("canary"), "{file}: {text}");
    }
    let text = refusal("", &[("TIPOFF_PROTOCOL_LEASE_MS", "soon")]);
    assert!(text.contains("environment TIPOFF_PROTOCOL_LEASE_MS: `protocol.lease_ms` is `soon`"), "{text}");
}

#[test]
fn secrets_are_never_shown() {
    let key = "canary-0123456789abcdef";
    let state = "redis://user:canary-password@h:6379/0";
    let config = load("", &[("TIPOFF_API_KEY", key), ("TIPOFF_STATE", state)], &[]).unwrap();
    assert!(config.server.admin_key.unwrap().matches(key));
    assert!(!config.server.admin_key.unwrap().matches("canary-0123456789abcdeF"));
    assert_eq!(config.client.api_key.as_ref().unwrap().reveal(), key);
    let shown = serde_json::to_string(config.shown()).unwrap();
    assert!(shown.contains("redis://***@h:6379/0"), "{shown}");
    let server_and_client = format!("{:?} {:?}", config.server, config.client);
    assert!(!shown.contains("canary") && !server_and_client.contains("canary"));
    let short = refusal("", &[("TIPOFF_API_KEY", "canary")]);
    assert!(short.contains("16 or more") && !short.contains("canary"), "{short}");
}

#[test]
fn a_key_comes_from_a_file_or_the_environment_and_never_from_both() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    std::fs::write(&path, "canary-0123456789abcdef\n").unwrap();
    let file = ("TIPOFF_API_KEY_FILE", path.to_str().unwrap());
    let config = load("", &[file], &[]).unwrap();
    assert!(
        config.server.admin_key.unwrap().matches("canary-0123456789abcdef"),
        "the line end belongs to no key"
    );
    let both = refusal("", &[file, ("TIPOFF_API_KEY", "canary-0123456789abcdef")]);
    assert!(both.contains("keep one of them") && !both.contains("canary"), "{both}");
}

#[test]
fn sources_are_read_with_their_keys_and_refused_by_name() {
    let file = r#"
        [odds_api]
        credits_per_day = 600
        [[sources]]
        name = "drop"
        path = "/srv/odds"
        [[sources]]
        name = "my-feed"
        url = "https://feed.example.com/props.json"
        format = "json"
        rows = "props"
        fields = { game_date_et = "date", home_team = "h", away_team = "a", bookmaker = "b", market = "m", player = "p", line = "l", over_price = "o", under_price = "u" }
    "#;
    let key = ("TIPOFF_ODDS_API_KEY", "canary-key");
    let config = load(file, &[key], &[]).unwrap();
    let odds = config.feeds.odds_api.as_ref().unwrap();
    assert_eq!((odds.limits.per_day, odds.limits.keep, odds.markets.len()), (Some(600), 0, 6));
    assert!(config.feeds.bettingpros.is_none(), "without a key a vendor is not asked");
    let names: Vec<String> = config.feeds.build().unwrap().iter().map(|s| s.name().to_owned()).collect();
    assert_eq!(names, ["odds-api", "my-feed", "drop"]);
    assert_eq!(config.feeds.line_sources(), 2, "a folder may hold anything");
    let shown = format!("{config:?} {}", serde_json::to_string(config.shown()).unwrap());
    assert!(!shown.contains("canary"), "{shown}");
    assert!(shown.contains("(set)"));

    for (file, expected) in [
        ("[odds_api]\napi_key = \"canary\"", "set TIPOFF_ODDS_API_KEY, or odds_api.api_key_file"),
        ("[odds_api]\nbase_url = \"http://api.example.com\"", "clear text"),
        ("[odds_api]\nmarkets = []", "at least one"),
        ("[odds_api]\nshortest_minutes = 91", "above odds_api.longest_minutes"),
        ("[odds_api]\nregions = []", "name a region"),
        ("[odds_api]\nevents_minutes = 0", "1 to 10080 minutes"),
        ("[bettingpros]\nmarkets = [\"player_blinks\"]", "`player_blinks` is no market"),
        ("[[sources]]\nname = \"x\"", "[[sources]] `x`: name a path or a url"),
        ("[[sources]]\npath = \"/x\"", "`number 1`"),
        ("[[sources]]\nname = \"odds-api\"\npath = \"/x\"", "no other source's"),
        ("[[sources]]\nname = \"A/b\"\npath = \"/x\"", "no other source's"),
        ("[[sources]]\nname = \"x\"\npath = \"/x\"\ncolour = 1", "colour"),
        ("[[sources]]\nname = \"x\"\nurl = \"https://h\"", "json or csv"),
        (
            "[[sources]]\nname = \"x\"\nurl = \"https://h\"\nformat = \"csv\"\nfields = { colour = \"c\" }",
            "`colour` is no column",
        ),
        (
            "[[sources]]\nname = \"x\"\nurl = \"https://h\"\nformat = \"csv\"\napi_key_file = \"/does/not/exist\"",
            "cannot be read",
        ),
        ("[[sources]]\nname = \"x\"\npath = \"/x\"\nevery_seconds = 0", "every second"),
    ] {
        let text = refusal(file, &[]);
        assert!(text.contains(expected) && !text.contains("canary"), "{file}: {text}");
    }
    assert!(refusal("", &[("TIPOFF_ODDS_API_MARKET", "x")]).contains("names no setting"));
    let both = refusal("[odds_api]\napi_key_file = \"/x\"", &[key]);
    assert!(both.contains("TIPOFF_ODDS_API_KEY is set too") && !both.contains("canary"), "{both}");
}

#[test]
fn an_unreadable_or_missing_named_file_is_an_error() {
    let sources = Sources { file: Some("/does/not/exist.toml".into()), ..Sources::default() };
    assert!(Config::load(&sources).unwrap_err().to_string().contains("read configuration"));
}

#[test]
fn the_pool_is_fixed_automatic_or_empty() {
    for (file, expected) in [
        ("[workers]\nsize = 0", PoolSize::Fixed(0)),
        ("[workers]\nsize = 3\nmax = 9", PoolSize::Fixed(3)),
        ("[workers]\nmin = 2\nmax = 9", PoolSize::Auto { min: 2, max: 9 }),
        ("[workers]\nmax = 9", PoolSize::Auto { min: 1, max: 9 }),
    ] {
        assert_eq!(load(file, &[], &[]).unwrap().workers, expected, "{file}");
    }
}

#[test]
fn an_open_door_is_refused() {
    let key = ("TIPOFF_API_KEY", "0123456789abcdef");
    let open = ("TIPOFF_LISTEN", "0.0.0.0:8080");
    let redis = ("TIPOFF_STATE", "redis://h:1");
    let single = ("TIPOFF_SERVER_SINGLE_MACHINE", "true");
    let check = |env: &[(&str, &str)]| load("", env, &[]).unwrap().check_exposure();
    assert!(check(&[]).is_ok());
    assert!(check(&[("TIPOFF_LISTEN", "[::1]:80")]).is_ok());
    assert!(check(&[("TIPOFF_LISTEN", "localhost:80")]).is_ok());
    assert!(matches!(check(&[open]), Err(ConfigError::ExposedWithoutKey { .. })));
    assert!(matches!(check(&[open, redis]), Err(ConfigError::ExposedWithoutKey { .. })));
    assert!(matches!(check(&[open, key]), Err(ConfigError::ExposedWithEmbeddedState { .. })));
    assert!(check(&[open, key, redis]).is_ok());
    assert!(check(&[open, key, single]).is_ok());
}

#[test]
fn onnx_runtime_is_named_like_any_setting_and_a_slip_is_refused() {
    assert_eq!(load("", &[], &[]).unwrap().onnxruntime, None);
    let file = "[engines]\nonnxruntime = \"/opt/ort\"";
    assert_eq!(load(file, &[], &[]).unwrap().onnxruntime, Some(PathBuf::from("/opt/ort")));
    let env = [("TIPOFF_ENGINES_ONNXRUNTIME", "/srv/libonnxruntime.so")];
    assert_eq!(load(file, &env, &[]).unwrap().onnxruntime, Some(PathBuf::from("/srv/libonnxruntime.so")));
    let slip = refusal("", &[("TIPOFF_ENGINES_ONNXRUNTME", "/srv")]);
    assert!(slip.contains("did you mean `TIPOFF_ENGINES_ONNXRUNTIME`?"), "{slip}");
}
