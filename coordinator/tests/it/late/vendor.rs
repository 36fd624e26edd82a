//! A vendor of odds who fails in every way there is, one way after the other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use wiremock::matchers::{method, path, path_regex};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// How he answers when he is asked for the odds of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mood {
    BadKey,
    Forbidden,
    Unprocessable,
    TooMany,
    Broken,
    Silent,
    Well,
}

/// Every mood, the good one last.
pub(crate) const MOODS: [Mood; 7] = [
    Mood::BadKey,
    Mood::Forbidden,
    Mood::Unprocessable,
    Mood::TooMany,
    Mood::Broken,
    Mood::Silent,
    Mood::Well,
];

#[derive(Debug)]
struct State {
    mood: Mood,
    odds: String,
    calls: BTreeMap<Mood, u32>,
}

/// The vendor: one event, whose odds are as the test says.
pub(crate) struct Vendor {
    server: MockServer,
    state: Arc<Mutex<State>>,
}

struct Odds(Arc<Mutex<State>>);

impl Respond for Odds {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let mut state = self.0.lock().unwrap();
        let mood = state.mood;
        *state.calls.entry(mood).or_default() += 1;
        let refusal = |status: u16, code: &str| {
            let body = format!(r#"{{"message":"no","error_code":"{code}"}}"#);
            ResponseTemplate::new(status).set_body_string(body)
        };
        match mood {
            Mood::BadKey => refusal(401, "INVALID_KEY"),
            Mood::Forbidden => refusal(403, ""),
            Mood::Unprocessable => refusal(422, "INVALID_MARKET"),
            Mood::TooMany => refusal(429, "EXCEEDED_FREQ_LIMIT"),
            Mood::Broken => refusal(500, ""),
            // Longer than anybody waits for him.
            Mood::Silent => ResponseTemplate::new(200).set_delay(Duration::from_secs(60)),
            Mood::Well => ResponseTemplate::new(200).set_body_string(state.odds.clone()),
        }
    }
}

impl Vendor {
    /// A vendor who announces this event; his first mood is the first of all.
    pub(crate) async fn of(event: &Value) -> Self {
        let mut announced = event.clone();
        announced.as_object_mut().unwrap().remove("bookmakers");
        let list = serde_json::to_string(&[announced]).unwrap();
        let state = State { mood: MOODS[0], odds: String::new(), calls: BTreeMap::new() };
        let (server, state) = (MockServer::start().await, Arc::new(Mutex::new(state)));
        Mock::given(method("GET"))
            .and(path("/v4/sports/basketball_nba/events"))
            .respond_with(ResponseTemplate::new(200).set_body_string(list))
            .mount(&server)
            .await;
        Mock::given(method("GET"))
            .and(path_regex("^/v4/sports/basketball_nba/events/[^/]+/odds$"))
            .respond_with(Odds(Arc::clone(&state)))
            .mount(&server)
            .await;
        Self { server, state }
    }

    /// Where he is asked.
    pub(crate) fn url(&self) -> String {
        self.server.uri()
    }

    /// From now on he answers so.
    pub(crate) fn is(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    /// What he says of the event while he is well.
    pub(crate) fn quotes(&self, odds: String) {
        self.state.lock().unwrap().odds = odds;
    }

    /// How often he was asked while he was in this mood.
    pub(crate) fn calls(&self, mood: Mood) -> u32 {
        self.state.lock().unwrap().calls.get(&mood).copied().unwrap_or(0)
    }
}
