//! Sources against vendors that answer, refuse, err, stall and lie. Time is passed in; the only waits are deadlines of
//! some hundred milliseconds.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use pipeline::ingest::RunLimits;
use pipeline::sources::bettingpros::{BettingPros, BettingProsConfig};
use pipeline::sources::credits::CreditLimits;
use pipeline::sources::feed::{Feed, FeedConfig};
use pipeline::sources::folder::{Folder, FolderConfig};
use pipeline::sources::freshness::health;
use pipeline::sources::mapping::{Format, Mapping};
use pipeline::sources::odds_api::{OddsApi, OddsApiConfig};
use pipeline::sources::plan::Cadence;
use pipeline::sources::{CycleReport, LedgerFile, Patience, PollEnd, Runner, Secret, Source};
use warehouse::{LeaseAnswer, LeaseRequest};
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::fixtures::{World, at, book, event, market, pair, world};

const CANARY: &str = "canary-0123456789abcdef";
pub(crate) const DATE: Date = Date::constant(2024, 3, 29);
/// Thirteen hours before the vendor's tip-off at 23:10 UTC.
const MORNING: &str = "2024-03-29T10:10:00Z";

fn patience() -> Patience {
    Patience {
        deadline: Duration::from_millis(300),
        attempts: 2,
        pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(5),
        max_bytes: 1 << 20,
    }
}

pub(crate) fn odds_config(server: &MockServer) -> OddsApiConfig {
    OddsApiConfig {
        base_url: server.uri(),
        key: Secret::new(CANARY),
        markets: vec!["player_points".to_owned()],
        regions: vec!["us".to_owned()],
        bookmakers: Vec::new(),
        limits: CreditLimits { per_day: Some(1_000), keep: 0 },
        concurrency: 2,
        cadence: Cadence::default(),
        events_every: SignedDuration::from_mins(20),
        past_minutes_before_tip: vec![60, 10],
        patience: patience(),
    }
}

fn odds_api(server: &MockServer) -> Arc<dyn Source> {
    Arc::new(OddsApi::new(odds_config(server)).unwrap())
}

fn runner(world: &World, sources: Vec<Arc<dyn Source>>) -> Runner {
    Runner::new(world.dir(), world.warehouse.clone(), sources, "test".to_owned())
}

/// An event with one book, whose over moves with `price`.
pub(crate) fn odds(id: &str, updated: &str, price: &str) -> String {
    event(
        id,
        &[book("fanduel", &[market("player_points", updated, &[pair("Herb Jones", "11.5", price, "1.9")])])],
    )
}

pub(crate) fn events(ids: &[&str]) -> String {
    let events: Vec<String> =
        ids.iter().map(|id| event(id, &[]).replace(r#","bookmakers":[]"#, "")).collect();
    format!("[{}]", events.join(","))
}

/// A vendor that answers as the test says, and counts.
#[derive(Clone, Default)]
struct Vendor {
    answer: Arc<Mutex<Option<ResponseTemplate>>>,
    calls: Arc<Mutex<u32>>,
}

impl Vendor {
    fn says(&self, answer: ResponseTemplate) {
        *self.answer.lock().unwrap() = Some(answer);
    }

    fn calls(&self) -> u32 {
        *self.calls.lock().unwrap()
    }
}

impl Respond for Vendor {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        *self.calls.lock().unwrap() += 1;
        self.answer.lock().unwrap().clone().unwrap_or_else(|| ResponseTemplate::new(204))
    }
}

fn ok(body: impl Into<String>) -> ResponseTemplate {
    ResponseTemplate::new(200)
        .insert_header("x-requests-remaining", "900")
        .insert_header("x-requests-used", "100")
        .insert_header("x-requests-last", "1")
        .set_body_string(body)
}

pub(crate) fn problem(status: u16, word: &str) -> ResponseTemplate {
    let body = format!(r#"{{"message":"see /v4?apiKey={CANARY}","error_code":"{word}"}}"#);
    ResponseTemplate::new(status).set_body_string(body)
}

/// The Odds API with a list of events and a vendor behind the odds of each.
async fn vendor(server: &MockServer, ids: &[&str]) -> Vendor {
    let list = ResponseTemplate::new(200).set_body_string(events(ids));
    Mock::given(method("GET"))
        .and(path("/v4/sports/basketball_nba/events"))
        .and(query_param("apiKey", CANARY))
        .respond_with(list)
        .mount(server)
        .await;
    let vendor = Vendor::default();
    for id in ids {
        Mock::given(method("GET"))
            .and(path(format!("/v4/sports/basketball_nba/events/{id}/odds")))
            .and(query_param("apiKey", CANARY))
            .and(query_param("markets", "player_points"))
            .and(query_param("oddsFormat", "decimal"))
            .respond_with(vendor.clone())
            .mount(server)
            .await;
    }
    vendor
}

/// Codes of the calls that failed.
fn failures(report: &CycleReport) -> Vec<&'static str> {
    let code = |end: &PollEnd| match end {
        PollEnd::Failed { code, .. } => Some(*code),
        PollEnd::Answered { .. } | PollEnd::Nothing | PollEnd::NotAsked { .. } => None,
    };
    report.polls.iter().filter_map(|poll| code(&poll.end)).collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}

/// No file of the folder holds the key, packed or not.
fn assert_no_key_in(folder: &Path) {
    for path in files_below(folder) {
        let mut bytes = std::fs::read(&path).unwrap();
        if path.extension().is_some_and(|e| e == "gz") {
            bytes.clear();
            let file = std::fs::File::open(&path).unwrap();
            std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(file), &mut bytes).unwrap();
        }
        let found = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
        assert!(!found, "the key is in {}", path.display());
    }
}

async fn assert_nothing_unprocessed(world: &World, runner: &Runner, now: Timestamp) {
    let again = runner.recover(now).await.unwrap();
    assert_eq!((again.waiting, again.new_rows()), (0, 0), "{again:?}");
    assert!(
        again.files.iter().all(|f| matches!(f.state.as_str(), "known" | "quarantined" | "empty")),
        "{again:?}"
    );
    let kept = files_below(&world.dir().join("raw")).len();
    assert!(kept > 0 && again.files.len() == kept, "{} of {kept} files are accounted for", again.files.len());
}

#[tokio::test]
async fn show_3_a_vendor_that_fails_in_every_way_loses_nothing_and_stops_nobody() {
    let (world, server) = (world().await, MockServer::start().await);
    let vendor = vendor(&server, &["e1"]).await;
    let drop = world.dir().join("drop");
    std::fs::create_dir(&drop).unwrap();
    let folder =
        FolderConfig { name: "drop".to_owned(), path: drop.clone(), every: SignedDuration::from_secs(10) };
    let runner = runner(&world, vec![odds_api(&server), Arc::new(Folder::new(folder))]);
    let mut log = String::new();

    let turns: [(ResponseTemplate, &[&str]); 9] = [
        (problem(401, "INVALID_KEY"), &["bad_key"]),
        (problem(401, "OUT_OF_USAGE_CREDITS"), &["out_of_credits"]),
        (problem(403, ""), &["forbidden"]),
        (problem(422, "INVALID_MARKET"), &["unsupported_market"]),
        (problem(429, "EXCEEDED_FREQ_LIMIT"), &["too_many_requests"]),
        (problem(500, ""), &["unavailable"]),
        (ok("[]").set_delay(Duration::from_secs(5)), &["timed_out"]),
        (ok("<html>try again</html>"), &["not_data"]),
        (ok(odds("e1", "2024-03-29T10:00:00Z", "1.8")), &[]),
    ];
    let mut rows = 0;
    for (turn, (answer, failed)) in turns.into_iter().enumerate() {
        vendor.says(answer);
        // Longer than any rest and pause; what failed is due again.
        let now = at(MORNING) + SignedDuration::from_mins(46 * turn as i64);
        let report = runner.turn("odds-api", now).await.unwrap();
        assert_eq!(failures(&report), failed, "turn {turn}: {report:?}");
        log += &format!("{report:?}");

        // The other source carries on: a file each time, seen at one look and read at the next.
        let file = odds(&format!("f{turn}"), &format!("2024-03-29T0{turn}:00:00Z"), "1.7");
        std::fs::write(drop.join(format!("{turn}.json")), file).unwrap();
        for second in [10, 20] {
            let report = runner.turn("drop", now + SignedDuration::from_secs(second)).await.unwrap();
            log += &format!("{report:?}");
        }
        let before = std::mem::replace(&mut rows, world.count("select count(*) from lines").await);
        assert!(rows > before, "turn {turn}: the folder's lines are in");
    }

    let end = at("2024-03-29T20:00:00Z");
    assert_eq!(
        world.count("select count(*) from lines where event_id = 'e1'").await,
        1,
        "and the vendor's too"
    );
    assert_nothing_unprocessed(&world, &runner, end).await;
    let ledger = LedgerFile::of(world.dir()).read().await.unwrap();
    assert!(ledger.account("odds-api").trouble.is_none(), "it is well again");
    assert_eq!(
        world.sql("select code from quarantine").await,
        ["foreign"],
        "the web page is listed with its reason"
    );
    assert!(!log.contains(CANARY), "{log}");
    assert_no_key_in(world.dir());
}

#[tokio::test]
async fn incident_55_lines_that_come_late_are_no_error_before_and_news_after() {
    let (world, server) = (world().await, MockServer::start().await);
    let vendor = vendor(&server, &["e1"]).await;
    let runner = runner(&world, vec![odds_api(&server)]);
    let early = runner.cycle(at(MORNING)).await.unwrap();
    assert!(early.is_clean() && early.changed.len() <= 1, "{early:?}");
    assert!(early.polls.iter().any(|poll| poll.end == PollEnd::Nothing), "no markets yet: {early:?}");
    vendor.says(ok(odds("e1", "2024-03-29T16:00:00Z", "1.8")));
    let late = runner.cycle(at("2024-03-29T16:05:00Z")).await.unwrap();
    assert_eq!((late.changed.contains(&DATE), late.new_rows() > 0), (true, true), "{late:?}");
}

#[tokio::test]
async fn incident_53_one_answer_is_one_snapshot_and_a_lost_source_makes_no_line_younger() {
    let (world, server) = (world().await, MockServer::start().await);
    let vendor = vendor(&server, &["e1"]).await;
    let runner = runner(&world, vec![odds_api(&server)]);
    let two = [
        market("player_points", "2024-03-29T16:00:00Z", &[pair("Herb Jones", "11.5", "1.8", "1.9")]),
        market("player_points", "2024-03-29T15:00:00Z", &[pair("Bo Bünyan", "10.5", "1.8", "1.9")]),
    ];
    vendor.says(ok(event("e1", &[book("fanduel", &two[..1]), book("betmgm", &two[1..])])));
    runner.cycle(at("2024-03-29T16:05:00Z")).await.unwrap();
    vendor.says(problem(503, ""));
    runner.cycle(at("2024-03-29T20:05:00Z")).await.unwrap();
    assert_eq!(world.sql("select distinct snapshot_at from lines").await, ["2024-03-29T16:00:00.000000Z"]);
    assert_eq!(world.count("select count(*) from lines").await, 2);
}

#[tokio::test]
async fn incident_18_what_was_asked_just_now_is_asked_by_nobody() {
    let (world, server) = (world().await, MockServer::start().await);
    let vendor = vendor(&server, &["e1", "e2"]).await;
    vendor.says(ok(odds("e1", "2024-03-29T10:00:00Z", "1.8")));
    let now = at(MORNING);
    let one = runner(&world, vec![odds_api(&server)]);
    let other =
        Runner::new(world.dir(), world.warehouse.clone(), vec![odds_api(&server)], "other".to_owned());
    let (a, b) = tokio::join!(one.cycle(now), other.cycle(now));
    let (a, b) = (a.unwrap(), b.unwrap());
    one.cycle(now).await.unwrap();
    // Both start with an empty ledger; whoever claims second lets it be.
    assert_eq!(vendor.calls(), 2, "one call an event: {a:?} {b:?}");
    let listed = server.received_requests().await.unwrap().len() as u32 - vendor.calls();
    assert_eq!(listed, 1, "and one list of events");
    let account = LedgerFile::of(world.dir()).read().await.unwrap().account("odds-api");
    assert_eq!((account.credits.spent[&DATE], account.credits.reserved.len()), (2, 0));
    assert_eq!(account.credits.told.remaining, Some(900));
}

#[tokio::test]
async fn credits_bound_a_day_and_the_plan_says_who_is_left_out() {
    let (world, server) = (world().await, MockServer::start().await);
    let vendor = vendor(&server, &["e1", "e2", "e3"]).await;
    vendor.says(ok(odds("e1", "2024-03-29T10:00:00Z", "1.8")));
    let limits = CreditLimits { per_day: Some(2), keep: 0 };
    let source = OddsApi::new(OddsApiConfig { limits, ..odds_config(&server) }).unwrap();
    let runner = runner(&world, vec![Arc::new(source)]);
    for minutes in (0..780).step_by(10) {
        runner.cycle(at(MORNING) + SignedDuration::from_mins(minutes)).await.unwrap();
    }
    assert_eq!(vendor.calls(), 2, "two credits, two calls, however long the day");
    let plans = runner.plans(None, at("2024-03-29T22:00:00Z")).await.unwrap();
    assert_eq!(plans[0].1.notes.len(), 3, "{plans:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_key() {
    let (world, server) = (world().await, MockServer::start().await);
    let vendor = vendor(&server, &["e1"]).await;
    vendor.says(ResponseTemplate::new(302).insert_header("location", format!("{}/steal", server.uri())));
    Mock::given(path("/steal")).respond_with(ok("[]")).expect(0).mount(&server).await;
    let report = runner(&world, vec![odds_api(&server)]).cycle(at(MORNING)).await.unwrap();
    assert_eq!(failures(&report), ["redirected"]);
}

#[tokio::test]
async fn an_answer_without_end_is_cut_and_half_an_answer_gives_its_whole_events() {
    let (world, server) = (world().await, MockServer::start().await);
    let vendor = vendor(&server, &["e1"]).await;
    let runner = runner(&world, vec![odds_api(&server)]);
    vendor.says(ok("[".repeat(2 << 20)));
    assert_eq!(failures(&runner.cycle(at(MORNING)).await.unwrap()), ["too_large"]);
    let half = format!("[{},{{\"id\":\"e2\"", odds("e1", "2024-03-29T10:00:00Z", "1.8"));
    vendor.says(ok(half));
    let report = runner.cycle(at("2024-03-29T12:00:00Z")).await.unwrap();
    assert_eq!(failures(&report), ["not_data"]);
    assert_eq!(world.count("select count(*) from lines").await, 1);
    assert!(report.files.iter().any(pipeline::ingest::FileReport::needs_attention), "{report:?}");
}

#[tokio::test]
async fn what_was_kept_before_a_crash_goes_in_with_the_next_start() {
    let (first, server) = (world().await, MockServer::start().await);
    let vendor = vendor(&server, &["e1"]).await;
    vendor.says(ok(odds("e1", "2024-03-29T10:00:00Z", "1.8")));
    runner(&first, vec![odds_api(&server)]).cycle(at(MORNING)).await.unwrap();
    // Another warehouse that knows nothing of what stands in the folder of raw answers.
    let second = world().await;
    let copied = second.dir().join("raw/odds-api/2024-03-29");
    std::fs::create_dir_all(&copied).unwrap();
    for path in files_below(&first.dir().join("raw")) {
        std::fs::copy(&path, copied.join(path.file_name().unwrap())).unwrap();
    }
    let runner = runner(&second, vec![odds_api(&server)]);
    let report = runner.recover(at("2024-03-29T10:20:00Z")).await.unwrap();
    assert_eq!((report.new_rows() > 0, report.changed.contains(&DATE)), (true, true), "{report:?}");
    assert_eq!(second.count("select count(*) from lines").await, 1);
    assert_nothing_unprocessed(&second, &runner, at("2024-03-29T10:21:00Z")).await;
}

#[tokio::test]
async fn incident_31_files_put_off_because_somebody_else_ingests_go_in_with_a_later_turn() {
    let world = world().await;
    let drop = world.dir().join("drop");
    std::fs::create_dir(&drop).unwrap();
    std::fs::write(drop.join("o.json"), odds("e1", "2024-03-29T10:00:00Z", "1.8")).unwrap();
    let config = FolderConfig { name: "drop".to_owned(), path: drop, every: SignedDuration::from_secs(10) };
    let limits = RunLimits { wait: Duration::ZERO, ..RunLimits::default() };
    let runner = runner(&world, vec![Arc::new(Folder::new(config))]).with_limits(limits);
    let other = LeaseRequest {
        resource: "ingest/odds_v4_json/2024-03-29".to_owned(),
        holder: "ingest_other".to_owned(),
        ttl: RunLimits::default().lease,
    };
    // The lease of a run is judged by the clock of the machine.
    let LeaseAnswer::Taken { lease, .. } =
        world.warehouse.acquire_lease(&other, Timestamp::now()).await.unwrap()
    else {
        panic!("nobody else asked")
    };
    let put_off = runner.cycle(at(MORNING)).await.unwrap();
    assert_eq!((put_off.waiting, put_off.new_rows(), put_off.is_clean()), (1, 0, false), "{put_off:?}");
    world.warehouse.release_lease(&lease, Timestamp::now()).await.unwrap();
    let later = runner.cycle(at(MORNING) + SignedDuration::from_secs(1)).await.unwrap();
    assert_eq!((later.waiting, later.new_rows() > 0), (0, true), "{later:?}");
}

#[tokio::test]
async fn incident_30_a_file_that_comes_after_a_look_is_read_at_the_next() {
    let world = world().await;
    let drop = world.dir().join("drop");
    std::fs::create_dir(&drop).unwrap();
    let config =
        FolderConfig { name: "drop".to_owned(), path: drop.clone(), every: SignedDuration::from_secs(10) };
    let runner = runner(&world, vec![Arc::new(Folder::new(config))]);
    for n in 0..16 {
        std::fs::write(drop.join(format!("{n}.json")), odds(&format!("e{n}"), "2024-03-29T10:00:00Z", "1.8"))
            .unwrap();
        for second in [0, 10] {
            runner.cycle(at(MORNING) + SignedDuration::from_secs(n * 60 + second)).await.unwrap();
        }
    }
    assert_eq!(world.count("select count(distinct event_id) from lines").await, 16);
    let quiet = runner.cycle(at("2024-03-29T12:00:00Z")).await.unwrap();
    assert_eq!((quiet.files.len(), quiet.waiting), (0, 0), "nothing new, nothing read");
}

#[tokio::test]
async fn one_date_by_hand_now_and_as_it_was() {
    let (world, server) = (world().await, MockServer::start().await);
    let vendor = vendor(&server, &["e1", "e2"]).await;
    vendor.says(ok(odds("e1", "2024-03-29T10:00:00Z", "1.8")));
    let runner = runner(&world, vec![odds_api(&server)]);
    runner.fetch("odds-api", DATE, at(MORNING), false).await.unwrap();
    assert_eq!(vendor.calls(), 2);
    let again = at(MORNING) + SignedDuration::from_secs(10);
    runner.fetch("odds-api", DATE, again, false).await.unwrap();
    assert_eq!(vendor.calls(), 2, "ten seconds later nothing is asked again");
    runner.fetch("odds-api", DATE, again, true).await.unwrap();
    assert_eq!(vendor.calls(), 4, "unless somebody insists");
    let unknown = runner.fetch("odds", DATE, again, true).await.unwrap_err().to_string();
    assert!(unknown.contains("there are odds-api"), "{unknown}");
}

#[tokio::test]
async fn a_date_that_is_over_is_bought_once_as_it_was() {
    let (world, server) = (world().await, MockServer::start().await);
    let runner = runner(&world, vec![odds_api(&server)]);
    // A month later: at two moments before tip-off, at ten times the price.
    let month_later = at("2024-04-29T10:00:00Z");
    let wrap = |data: String| {
        format!(
            r#"{{"timestamp":"2024-03-29T22:05:00Z","previous_timestamp":null,"next_timestamp":null,"data":{data}}}"#
        )
    };
    let past = "/v4/historical/sports/basketball_nba/events";
    Mock::given(path(past))
        .and(query_param("date", "2024-03-29T10:00:00Z"))
        .respond_with(ResponseTemplate::new(200).set_body_string(wrap(events(&["h1"]))))
        .expect(1)
        .mount(&server)
        .await;
    for moment in ["2024-03-29T22:10:00Z", "2024-03-29T23:00:00Z"] {
        let body = wrap(odds("h1", "2024-03-29T22:00:00Z", "1.8")).replace("22:05", &moment[11..16]);
        Mock::given(path(format!("{past}/h1/odds")))
            .and(query_param("date", moment))
            .respond_with(ok(body).insert_header("x-requests-last", "10"))
            .expect(1)
            .mount(&server)
            .await;
    }
    let report = runner.fetch("odds-api", DATE, month_later, false).await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(world.count("select count(*) from lines where event_id = 'h1'").await, 2);
    runner.fetch("odds-api", DATE, month_later + SignedDuration::from_hours(1), false).await.unwrap();
    let account = LedgerFile::of(world.dir()).read().await.unwrap().account("odds-api");
    assert_eq!(account.credits.spent[&Date::constant(2024, 4, 29)], 20 + 1, "the past is bought once");
}

fn bettingpros(server: &MockServer) -> Arc<dyn Source> {
    let config = BettingProsConfig {
        base_url: server.uri(),
        key: Secret::new(CANARY),
        markets: vec!["player_points".to_owned()],
        every: SignedDuration::from_mins(30),
        page_pause: Duration::ZERO,
        patience: patience(),
    };
    Arc::new(BettingPros::new(config).unwrap())
}

fn offers(page: u32, player: &str, book: u32) -> String {
    let side = |side: &str| {
        format!(
            r#"{{"selection":"{side}","active":true,"books":[{{"id":{book},"lines":[{{"line":10.5,"cost":-110,"active":true,"updated":"2024-03-29T09:00:00Z"}}]}}]}}"#
        )
    };
    format!(
        r#"{{"offers":[{{"id":1,"event_id":77,"market_id":156,"active":true,"participants":[{{"name":"{player}"}}],"selections":[{},{}]}}],"_pagination":{{"page":{page},"total_pages":2}}}}"#,
        side("over"),
        side("under")
    )
}

#[tokio::test]
async fn offers_come_page_by_page_and_pages_before_an_error_count() {
    let (world, server) = (world().await, MockServer::start().await);
    let list = r#"{"events":[{"id":77,"home":"CHA","visitor":"GSW","scheduled":"2024-03-29 23:00:00"}]}"#;
    Mock::given(path("/v3/events"))
        .and(header("x-api-key", CANARY))
        .respond_with(ok(list))
        .mount(&server)
        .await;
    let second = Vendor::default();
    let page = |n: &str| {
        Mock::given(path("/v3/offers"))
            .and(header("x-api-key", CANARY))
            .and(query_param("market_id", "156"))
            .and(query_param("event_id", "77"))
            .and(query_param("page", n))
    };
    page("1").respond_with(ok(offers(1, "Herb Jones", 12))).mount(&server).await;
    page("2").respond_with(second.clone()).mount(&server).await;
    let runner = runner(&world, vec![bettingpros(&server)]);

    second.says(problem(500, ""));
    let half = runner.cycle(at(MORNING)).await.unwrap();
    assert_eq!(failures(&half), ["unavailable"]);
    let lines =
        "select book || ' ' || over_price || ' ' || source || ' ' || is_main from lines order by book";
    assert_eq!(world.sql(lines).await, ["draftkings -110 bettingpros 1"]);

    second.says(ok(offers(2, "Bo Bünyan", 60)));
    let whole = runner.cycle(at("2024-03-29T10:45:00Z")).await.unwrap();
    assert!(whole.is_clean(), "{whole:?}");
    assert_eq!(world.sql(lines).await, ["draftkings -110 bettingpros 1", "prizepicks -110 bettingpros 1"]);
    assert!(!rules::lines::LinePolicy::default().counts("prizepicks"), "in no consensus");
    assert_no_key_in(world.dir());
}

#[tokio::test]
async fn incident_59_a_block_is_shown_and_not_worked_around() {
    let (world, server) = (world().await, MockServer::start().await);
    Mock::given(path("/v3/events")).respond_with(ResponseTemplate::new(403)).mount(&server).await;
    let vendor = vendor(&server, &["e1"]).await;
    vendor.says(ok(odds("e1", "2024-03-29T10:00:00Z", "1.8")));
    let runner = runner(&world, vec![bettingpros(&server), odds_api(&server)]);
    for minutes in 0..120 {
        runner.cycle(at(MORNING) + SignedDuration::from_mins(minutes)).await.unwrap();
    }
    let requests = server.received_requests().await.unwrap();
    let blocked: Vec<&Request> = requests.iter().filter(|r| r.url.path() == "/v3/events").collect();
    assert!((2..=5).contains(&blocked.len()), "{} calls in two hours of a block", blocked.len());
    let agents: Vec<_> = blocked.iter().filter_map(|r| r.headers.get("user-agent")).collect();
    assert!(
        agents.iter().all(|agent| agent.to_str().unwrap().starts_with("tipoff/")),
        "our own name, always"
    );
    assert!(vendor.calls() >= 2, "the other source carried on");

    let ledger = LedgerFile::of(world.dir()).read().await.unwrap();
    let now = at(MORNING) + SignedDuration::from_mins(120);
    let found = health(&runner.expected(), &ledger, now, true);
    let (blocked, other) = (&found[0], &found[1]);
    assert!(!blocked.is_well && blocked.sentence.contains("forbidden"), "{blocked:?}");
    assert!(other.is_well, "{other:?}");
    let silent = health(&runner.expected(), &ledger, now + SignedDuration::from_mins(61), true);
    assert!(!silent[1].is_well, "an hour of silence on a game day is a loss: {silent:?}");
}

#[tokio::test]
async fn any_json_becomes_lines_by_a_mapping_and_what_it_lacks_is_refused_by_row() {
    let (world, server) = (world().await, MockServer::start().await);
    let body = r#"{"props":[
        {"g":{"h":"Charlotte Hornets","a":"Golden State Warriors","t":"2024-03-29T23:10:00Z"},"who":"Herb Jones","at":11.5,"o":-115,"u":-105},
        {"g":{"h":"Charlotte Hornets","a":"Golden State Warriors","t":"2024-03-29T23:10:00Z"},"who":"Bo Bünyan","o":-115,"u":-105},
        {"g":null}
    ]}"#;
    Mock::given(path("/props.json")).and(header("x-key", CANARY)).respond_with(ok(body)).mount(&server).await;
    let map =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let fields = map(&[
        ("home_team", "g.h"),
        ("away_team", "g.a"),
        ("commence_time", "g.t"),
        ("player", "who"),
        ("line", "at"),
        ("over_price", "o"),
        ("under_price", "u"),
    ]);
    let constants = map(&[("bookmaker", "betmgm"), ("market", "player_points")]);
    let feed = Feed::new(FeedConfig {
        name: "mine".to_owned(),
        url: format!("{}/props.json", server.uri()),
        format: Format::Json,
        mapping: Some(Mapping::new(Format::Json, "props", fields, constants).unwrap()),
        every: SignedDuration::from_mins(15),
        key: Some(("x-key".to_owned(), Secret::new(CANARY))),
        patience: patience(),
    });
    let runner = runner(&world, vec![Arc::new(feed.unwrap())]);
    let report = runner.cycle(at(MORNING)).await.unwrap();
    let file = &report.files[0];
    assert_eq!((file.read, file.new, file.num_refused()), (3, 1, 2), "{file:?}");
    assert_eq!(file.refused["missing_field"], 2);
    assert_eq!(
        world.sql("select book || ' ' || source || ' ' || snapshot_at from lines").await,
        ["betmgm mine 2024-03-29T10:10:00.000000Z"]
    );
    let same = runner.cycle(at("2024-03-29T10:30:00Z")).await.unwrap();
    assert_eq!(same.new_rows(), 0, "the same answer is no news: {same:?}");
}

#[tokio::test]
async fn a_damaged_ledger_stops_the_spending_and_says_what_to_do() {
    let (world, server) = (world().await, MockServer::start().await);
    let vendor = vendor(&server, &["e1"]).await;
    std::fs::write(world.dir().join("sources.json"), "{").unwrap();
    let refused = runner(&world, vec![odds_api(&server)]).cycle(at(MORNING)).await.unwrap_err().to_string();
    assert!(refused.contains("move it aside"), "{refused}");
    assert_eq!(vendor.calls(), 0);
}
