//! Dates that are over against a vendor who counts: what the plan says, what is paid, and that nothing is paid twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use pipeline::backfill::lines_outcome;
use pipeline::sources::credits::CreditLimits;
use pipeline::sources::odds_api::{NAME, OddsApi, OddsApiConfig};
use pipeline::sources::past::{PastNeed, Purse};
use pipeline::sources::{CycleReport, LedgerFile, Runner};
use wiremock::matchers::path_regex;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::fixtures::{World, at, world};
use crate::sources::{DATE, events, odds, odds_config, problem};

/// A month after the date.
const LATER: &str = "2024-04-29T10:00:00Z";
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
const EVENTS: [&str; 2] = ["h1", "h2"];

/// The past as the vendor sells it: each question is written down; `says` may answer one before he does.
#[derive(Clone, Default)]
struct Past {
    asked: Arc<Mutex<Vec<String>>>,
    says: Arc<Mutex<Option<ResponseTemplate>>>,
    hangs: Arc<AtomicBool>,
}

impl Past {
    async fn opens(server: &MockServer) -> Self {
        let past = Self::default();
        let address = "^/v4/historical/sports/basketball_nba/events";
        Mock::given(path_regex(address)).respond_with(past.clone()).mount(server).await;
        past
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// The answer to every question about odds from now on; none: as it was.
    fn says(&self, answer: Option<ResponseTemplate>) {
        *self.says.lock().unwrap() = answer;
    }
}

impl Respond for Past {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let moment = request.url.query_pairs().find(|(name, _)| name == "date").unwrap().1.into_owned();
        let event = request.url.path_segments().unwrap().nth(5).map(str::to_owned);
        let mut asked = self.asked.lock().unwrap();
        asked.push(format!("{} {}", event.as_deref().unwrap_or("list"), &moment[11..16]));
        let data = match &event {
            None => events(&EVENTS),
            Some(event) => odds(event, &moment, "1.8"),
        };
        if event.is_some()
            && let Some(answer) = self.says.lock().unwrap().clone()
        {
            return answer;
        }
        let body = format!(
            r#"{{"timestamp":"{moment}","previous_timestamp":null,"next_timestamp":null,"data":{data}}}"#
        );
        let cost = if event.is_some() { "10" } else { "1" };
        let answer = ResponseTemplate::new(200)
            .insert_header("x-requests-remaining", "5000")
            .insert_header("x-requests-last", cost)
            .set_body_string(body);
        // The second look at an event comes too late for a process that is killed.
        match self.hangs.load(Ordering::Relaxed) && event.is_some() && asked.len() > 3 {
            true => answer.set_delay(std::time::Duration::from_secs(60)),
            false => answer,
        }
    }
}

fn runner(world: &World, server: &MockServer, who: &str) -> Runner {
    let limits = CreditLimits { per_day: Some(1_000), keep: 0 };
    let config = OddsApiConfig { limits, ..odds_config(server) };
    let source = Arc::new(OddsApi::new(config).unwrap());
    Runner::new(world.dir(), world.warehouse.clone(), vec![source], who.to_owned()).apart()
}

async fn need(runner: &Runner, now: &str) -> PastNeed {
    runner.past_needs(NAME, (DATE, DATE), at(now)).await.unwrap()[&DATE]
}

async fn fetch(runner: &Runner, now: Timestamp) -> CycleReport {
    runner.fetch_past(NAME, DATE, now, &Purse::default()).await.unwrap()
}

async fn spent(world: &World, date: Date) -> i64 {
    let account = LedgerFile::of(world.dir()).read().await.unwrap().account(NAME);
    account.credits.spent.get(&date).copied().unwrap_or(0)
}

fn why(report: &CycleReport) -> String {
    lines_outcome(report).1.unwrap_or_default()
}

#[tokio::test]
async fn a_plan_says_what_the_past_costs_and_the_past_is_bought_once_for_good() {
    let (world, server) = (world().await, MockServer::start().await);
    let past = Past::opens(&server).await;
    let runner = runner(&world, &server, "a");
    let games = world.count("select count(*) from games where game_date = '2024-03-29'").await as u64;
    let guessed = need(&runner, LATER).await;
    let wanted = PastNeed { calls: 1 + 2 * games, credits: 1 + 20 * games as i64, is_estimate: true };
    assert_eq!(guessed, wanted, "by the schedule: a list, and two moments of each game at ten credits");
    assert!(past.asked().is_empty(), "a plan asks nobody");

    let report = fetch(&runner, at(LATER)).await;
    assert_eq!(lines_outcome(&report).1, None, "{report:?}");
    let mut asked = past.asked();
    assert_eq!(asked.remove(0), "list 10:00");
    asked.sort();
    assert_eq!(asked, ["h1 22:10", "h1 23:00", "h2 22:10", "h2 23:00"]);
    assert_eq!(world.count("select count(*) from lines").await, 4);
    assert_eq!(spent(&world, DATE).await, 41, "booked on the date it is about");
    assert_eq!(spent(&world, Date::constant(2024, 4, 29)).await, 0, "tonight's share is whole");

    // A year later the ledger has forgotten all of it; the note beside the answers has not.
    let year_later = at("2025-03-29T10:00:00Z");
    assert_eq!(need(&runner, "2025-03-29T10:00:00Z").await, PastNeed::default());
    assert!(fetch(&runner, year_later).await.polls.is_empty());
    let another = Runner::fetch(&runner, NAME, DATE, year_later, true).await.unwrap();
    assert!(another.polls.is_empty(), "nor by hand: {another:?}");
    assert_eq!(past.asked().len(), 5);
}

#[tokio::test]
async fn another_moment_costs_only_itself() {
    let (world, server) = (world().await, MockServer::start().await);
    Past::opens(&server).await;
    fetch(&runner(&world, &server, "a"), at(LATER)).await;
    let config = OddsApiConfig { past_minutes_before_tip: vec![360, 60], ..odds_config(&server) };
    let source = Arc::new(OddsApi::new(config).unwrap());
    let runner = Runner::new(world.dir(), world.warehouse.clone(), vec![source], "b".to_owned());
    assert_eq!(need(&runner, LATER).await, PastNeed { calls: 2, credits: 20, is_estimate: false });
}

#[tokio::test]
async fn incident_51_what_a_killed_process_paid_for_is_not_paid_again() {
    let (world, server) = (world().await, MockServer::start().await);
    let past = Past::opens(&server).await;
    past.hangs.store(true, Ordering::Relaxed);
    {
        // Its deadline is longer than the test's patience; dropping it is what a kill does.
        let mut config = odds_config(&server);
        config.patience.deadline = std::time::Duration::from_secs(60);
        config.concurrency = 1;
        let source = Arc::new(OddsApi::new(config).unwrap());
        let dead = Runner::new(world.dir(), world.warehouse.clone(), vec![source], "dead".to_owned());
        let purse = Purse::default();
        let work = dead.fetch_past(NAME, DATE, at(LATER), &purse);
        let until_it_hangs = async {
            while past.asked().len() < 4 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            done = work => panic!("it hangs: {done:?}"),
            done = tokio::time::timeout(PATIENCE, until_it_hangs) => done.unwrap(),
        }
    }
    past.hangs.store(false, Ordering::Relaxed);
    assert_eq!(
        world.count("select count(*) from lines").await,
        0,
        "its answers were kept and never ingested"
    );
    let next = runner(&world, &server, "next");
    let before = past.asked();
    next.take_over(NAME, "dead", DATE, at(LATER)).await.unwrap();
    let report = fetch(&next, at(LATER) + SignedDuration::from_secs(10)).await;
    assert_eq!(lines_outcome(&report).1, None, "{report:?}");
    let (mut asked, lost) = (past.asked().split_off(before.len()), before[3].clone());
    asked.sort();
    assert_eq!(
        (asked.len(), asked.contains(&lost)),
        (2, true),
        "the call that was out, and the one to come: {asked:?}"
    );
    assert_eq!(world.count("select count(*) from lines").await, 4, "and what was kept is in");
}

#[tokio::test]
async fn incident_18_two_at_once_pay_for_each_answer_once() {
    let (world, server) = (world().await, MockServer::start().await);
    let past = Past::opens(&server).await;
    let (a, b) = (runner(&world, &server, "a"), runner(&world, &server, "b"));
    tokio::join!(fetch(&a, at(LATER)), fetch(&b, at(LATER)));
    fetch(&a, at(LATER)).await;
    let mut asked = past.asked();
    asked.sort();
    asked.dedup();
    assert_eq!((past.asked().len(), asked.len()), (5, 5), "{:?}", past.asked());
    assert_eq!(spent(&world, DATE).await, 41);
}

#[tokio::test]
async fn a_purse_that_does_not_reach_is_told_and_nothing_of_it_is_spent() {
    let (world, server) = (world().await, MockServer::start().await);
    let past = Past::opens(&server).await;
    let runner = runner(&world, &server, "a");
    let purse = Purse::of(40);
    let report = runner.fetch_past(NAME, DATE, at(LATER), &purse).await.unwrap();
    assert!(why(&report).contains("4 calls cost 40 credits, 39 are left"), "{}", why(&report));
    assert_eq!(past.asked(), ["list 10:00"], "the list told that it does not reach");
    for (credits, budget) in [(Some(60), 60), (Some(9_000), 5_000), (None, 1_000)] {
        assert_eq!(
            runner.past_budget(NAME, credits, at(LATER)).await.unwrap(),
            budget,
            "the vendor has 5,000 left"
        );
    }
}

#[tokio::test]
async fn a_vendor_that_fails_ends_the_date_with_his_reason_and_is_asked_again_for_what_is_missing() {
    for (answer, says) in [
        (problem(401, "INVALID_KEY"), "bad_key"),
        (problem(403, ""), "forbidden: "),
        (problem(404, "EVENT_NOT_FOUND"), "nothing: 5 calls brought no quotes"),
        (problem(422, "HISTORICAL_MARKETS_UNAVAILABLE_AT_DATE"), "4 unsupported_market: 4 of 5 calls failed"),
        (problem(429, "EXCEEDED_FREQ_LIMIT"), "4 too_many_requests: 4 of 5 calls failed"),
        (problem(500, ""), "4 unavailable: 4 of 5 calls failed"),
        (ResponseTemplate::new(200).set_delay(std::time::Duration::from_secs(5)), "4 timed_out"),
        (ResponseTemplate::new(204), "nothing: 5 calls brought no quotes"),
        (ResponseTemplate::new(200).set_body_string("<html>"), "4 not_data"),
    ] {
        let (world, server) = (world().await, MockServer::start().await);
        let past = Past::opens(&server).await;
        past.says(Some(answer));
        let runner = runner(&world, &server, "a");
        let failed = fetch(&runner, at(LATER)).await;
        assert!(why(&failed).contains(says), "{says}: {}", why(&failed));

        past.says(None);
        let was_an_answer = says.starts_with("nothing");
        let again = fetch(&runner, at(LATER) + SignedDuration::from_hours(1)).await;
        assert_eq!(lines_outcome(&again).1, None, "{says}: {again:?}");
        assert_eq!(again.polls.is_empty(), was_an_answer, "{says}: nothing is an answer, a failure is none");
        let lines = world.count("select count(*) from lines").await;
        assert_eq!(lines, if was_an_answer { 0 } else { 4 }, "{says}");
    }
}
