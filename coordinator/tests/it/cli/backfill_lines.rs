//! `tipoff backfill --what lines` against a vendor who counts: the plan first, each answer paid for once whatever is
//! killed, and a date that fails costs only itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::ToSpan;
use jiff::civil::Date;
use pipeline::simulate::SimOptions;
use serde_json::Value;
use wiremock::matchers::path_regex;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::backfill::{ask, number};
use super::{Said, command, tipoff};

const CANARY: &str = "canary-0123456789abcdef";
const PATIENCE: Duration = Duration::from_secs(60);
/// Nobody hangs by itself.
const NEVER: usize = usize::MAX;

/// A game as the vendor lists it: id, home, away, tip-off.
type Listed = (String, String, String, String);

/// The vendor's past: the schedule's games, one book, one player.
#[derive(Clone)]
struct Vendor {
    /// By date.
    games: Arc<BTreeMap<String, Vec<Listed>>>,
    asked: Arc<Mutex<Vec<String>>>,
    /// After so many calls he does not answer any more.
    hangs_after: Arc<AtomicUsize>,
    /// Status of the answers about a date.
    fails: Arc<Mutex<BTreeMap<String, u16>>>,
}

impl Vendor {
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn answer(&self, date: &str, event: Option<&str>, at: &str) -> String {
        let of_date = self.games.get(date).cloned().unwrap_or_default();
        let head = |(id, home, away, tip): &Listed| {
            format!(
                r#""id":"{id}","sport_key":"basketball_nba","commence_time":"{tip}","home_team":"{home}","away_team":"{away}""#
            )
        };
        let Some(event) = event else {
            let list: Vec<String> = of_date.iter().map(|game| format!("{{{}}}", head(game))).collect();
            return format!("[{}]", list.join(","));
        };
        let game = of_date.iter().find(|game| game.0 == event).unwrap();
        let outcome =
            |side: &str| format!(r#"{{"name":"{side}","description":"Some Body","price":1.9,"point":11.5}}"#);
        format!(
            r#"{{{},"bookmakers":[{{"key":"fanduel","title":"FanDuel","markets":[{{"key":"player_points","last_update":"{at}","outcomes":[{},{}]}}]}}]}}"#,
            head(game),
            outcome("Over"),
            outcome("Under")
        )
    }
}

impl Respond for Vendor {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let at = request.url.query_pairs().find(|(name, _)| name == "date").unwrap().1.into_owned();
        let event = request.url.path_segments().unwrap().nth(5).map(str::to_owned);
        // An event's id begins with its date; a list is asked for in the morning of its own.
        let date = event.as_deref().map_or(&at[..10], |event| &event[..10]).to_owned();
        let count = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(format!("{date} {} {at}", event.as_deref().unwrap_or("list")));
            asked.len()
        };
        if let Some(status) = self.fails.lock().unwrap().get(&date).filter(|_| event.is_some()) {
            return ResponseTemplate::new(*status);
        }
        let data = self.answer(&date, event.as_deref(), &at);
        let body = format!(
            r#"{{"timestamp":"{at}","previous_timestamp":null,"next_timestamp":null,"data":{data}}}"#
        );
        let answer = ResponseTemplate::new(200)
            .insert_header("x-requests-remaining", "90000")
            .insert_header("x-requests-last", if event.is_some() { "10" } else { "1" })
            .set_body_string(body);
        match count > self.hangs_after.load(Ordering::Relaxed) {
            true => answer.set_delay(PATIENCE),
            false => answer,
        }
    }
}

/// A folder that knows three days of two games each, and the vendor of their lines.
struct Market {
    folder: tempfile::TempDir,
    vendor: Vendor,
    from: Date,
    to: Date,
    _server: MockServer,
    _runtime: tokio::runtime::Runtime,
}

impl Market {
    fn opens() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SimOptions {
            days: 8,
            from: "2025-11-07".parse().unwrap(),
            games_per_day: 2,
            odds_days: 1,
            late: 0,
            ..SimOptions::ending("2025-11-14".parse().unwrap(), 3)
        };
        let report = pipeline::simulate::days(&options, &folder.path().join("files")).unwrap();
        tipoff(folder.path(), &["ingest", "--dir", "data", "files"]).exit(0);
        let (from, to) =
            (report.last_day.checked_sub(3.days()).unwrap(), report.last_day.checked_sub(1.days()).unwrap());
        let mut games: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for row in
            ask(folder.path(), "select game_date, home, away, tip_off from games where tip_off is not null")
        {
            let id = format!("{}-{}{}", row[0], row[2], row[1]);
            games.entry(row[0].clone()).or_default().push((
                id,
                row[1].clone(),
                row[2].clone(),
                row[3].clone(),
            ));
        }
        let vendor = Vendor {
            games: Arc::new(games),
            asked: Arc::default(),
            hangs_after: Arc::new(AtomicUsize::new(NEVER)),
            fails: Arc::default(),
        };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(async {
            let server = MockServer::start().await;
            let address = "^/v4/historical/sports/basketball_nba/events";
            Mock::given(path_regex(address)).respond_with(vendor.clone()).mount(&server).await;
            server
        });
        let settings = format!(
            "[odds_api]\nbase_url = \"{}\"\nmarkets = [\"player_points\"]\nconcurrency = 1\ndeadline_seconds = 60\ncredits_per_day = 20\n",
            server.uri()
        );
        std::fs::write(folder.path().join("tipoff.toml"), settings).unwrap();
        Self { folder, vendor, from, to, _server: server, _runtime: runtime }
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn starts(&self, more: &[&str]) -> Child {
        let mut command = command(self.folder());
        command.args(["backfill", "--dir", "data", "--what", "lines", "--before-tip", "60,600"]);
        command.args(["--from", &self.from.to_string(), "--to", &self.to.to_string()]).args(more);
        command.env("TIPOFF_ODDS_API_KEY", CANARY).env("TIPOFF_PROTOCOL_LEASE_MS", "600");
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn runs(&self, more: &[&str]) -> Said {
        let said: Said = self.starts(more).wait_with_output().unwrap().into();
        assert!(!format!("{said:?}").contains(CANARY), "{said:?}");
        said
    }

    /// Distinct questions, and how many calls there were.
    fn questions(&self) -> (usize, usize) {
        let mut asked = self.vendor.asked();
        let calls = asked.len();
        asked.sort();
        asked.dedup();
        (asked.len(), calls)
    }
}

#[test]
fn the_plan_comes_first_and_what_it_costs_must_be_allowed() {
    let market = Market::opens();
    let dry: Value = serde_json::from_str(&market.runs(&["--dry-run", "--json"]).exit(0).out).unwrap();
    // Three lists; two moments of two games on three dates at ten credits.
    assert_eq!((&dry["credits"], &dry["lines"]["calls"]), (&Value::from(123), &Value::from(15)), "{dry:#}");
    assert_eq!(dry["lines"]["before_tip"], serde_json::json!([600, 60]));
    assert_eq!(dry["lines"]["estimated_credits"], 123, "the vendor has told nothing yet");
    let refused = market.runs(&[]).exit(5);
    assert!(refused.err.contains("the plan costs 123 credits, 20 may be spent"), "{refused:?}");
    assert!(refused.err.contains("--credits 123"), "{refused:?}");
    market.runs(&["--credits", "122"]).exit(5);
    assert!(market.vendor.asked().is_empty(), "nobody was asked");

    let done = market.runs(&["--credits", "123"]).exit(0);
    assert!(done.out.contains("done: 3 lines (15 calls)"), "{done:?}");
    let dates: Vec<String> = market.vendor.asked().iter().map(|asked| asked[..10].to_owned()).collect();
    assert!(dates.is_sorted(), "dates ascend: {dates:?}");
    assert_eq!(number(market.folder(), "select count(*) from lines where player_name = 'Some Body'"), 12);
    let again = market.runs(&["--reprocess", "all"]).exit(0);
    assert!(again.err.contains("0 credits") && again.err.contains("every moment was asked for"), "{again:?}");
    assert_eq!(market.questions(), (15, 15), "nothing is bought twice");
}

#[test]
fn incident_51_lines_killed_half_way_resume_and_pay_for_no_answer_twice() {
    let market = Market::opens();
    let mut out = Vec::new();
    for calls in [4, 11] {
        market.vendor.hangs_after.store(calls, Ordering::Relaxed);
        let mut running = market.starts(&["--credits", "500"]);
        let since = Instant::now();
        while market.vendor.asked().len() <= calls {
            assert!(
                since.elapsed() < PATIENCE && running.try_wait().unwrap().is_none(),
                "it does not get so far"
            );
            std::thread::yield_now();
        }
        running.kill().unwrap();
        running.wait().unwrap();
        out.extend(market.vendor.asked().last().cloned());
    }
    market.vendor.hangs_after.store(NEVER, Ordering::Relaxed);
    let done = market.runs(&["--credits", "500"]).exit(0);
    assert!(done.out.contains("0 failed"), "{done:?}");
    let (questions, calls) = market.questions();
    assert_eq!((questions, calls), (15, 15 + 2), "only the two calls that were out at a kill: {out:?}");
    assert_eq!(number(market.folder(), "select count(*) from lines where player_name = 'Some Body'"), 12);
    let successes = "select count(*) from runs where stage = 'backfill_lines' and status = 'success'";
    assert_eq!(number(market.folder(), successes), 3);
}

#[test]
fn two_backfills_of_lines_at_once_share_the_work_and_spend_no_credit_twice() {
    let market = Market::opens();
    let both = [market.starts(&["--credits", "123"]), market.starts(&["--credits", "123"])];
    for one in both {
        let said: Said = one.wait_with_output().unwrap().into();
        said.exit(0);
    }
    assert_eq!(market.questions(), (15, 15));
    assert_eq!(number(market.folder(), "select count(*) from lines where player_name = 'Some Body'"), 12);
}

#[test]
fn a_date_the_vendor_fails_at_ends_with_his_reason_and_the_others_go_on() {
    let market = Market::opens();
    let middle = market.from.checked_add(1.days()).unwrap().to_string();
    market.vendor.fails.lock().unwrap().insert(middle.clone(), 422);
    let said = market.runs(&["--credits", "123"]).exit(3);
    assert!(said.out.contains("done: 2 lines") && said.out.contains("1 failed"), "{said:?}");
    assert!(
        said.out.contains(&format!("{middle} lines: 4 unsupported_market: 4 of 5 calls failed")),
        "{said:?}"
    );
    market.vendor.fails.lock().unwrap().clear();
    let plan = market.runs(&["--dry-run"]).exit(0);
    assert!(plan.out.contains("--reprocess failed tries again"), "{plan:?}");
    // The calls that failed have a rest of half a minute; what the ledger says of it is no business of this test.
    let ledger = market.folder().join("data/sources.json");
    let mut told: Value = serde_json::from_slice(&std::fs::read(&ledger).unwrap()).unwrap();
    told["sources"]["odds-api"]["again"] = serde_json::json!({});
    std::fs::write(&ledger, told.to_string()).unwrap();
    market.runs(&["--credits", "123", "--reprocess", "failed"]).exit(0);
    assert_eq!(number(market.folder(), "select count(*) from lines where player_name = 'Some Body'"), 12);
}

#[test]
fn who_has_no_key_is_told_what_lines_need() {
    let folder = tempfile::tempdir().unwrap();
    let said =
        tipoff(folder.path(), &["backfill", "--what", "lines", "--from", "2025-11-11", "--to", "2025-11-13"]);
    assert!(said.exit(2).err.contains("TIPOFF_ODDS_API_KEY"));
}
