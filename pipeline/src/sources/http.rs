//! Calls to vendors: one deadline for each, a bounded answer, retries with jitter and a budget, no redirects, and
//! not a word about the address, because a key may stand in it.

use std::sync::Mutex;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, StatusCode, Url, redirect};

use super::credits::CreditHeaders;
use super::error::{Meaning, SourceError};
use crate::error::{Error, Result};

/// How long calls are waited for and how often they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Longest a call may take, from connecting to the last byte.
    pub deadline: Duration,
    /// Times a call is tried at most.
    pub attempts: usize,
    /// The first pause between tries; the others double, each with jitter.
    pub pause: Duration,
    /// The longest pause; a `Retry-After` beyond it ends the tries.
    pub longest_pause: Duration,
    /// Largest answer in bytes.
    pub max_bytes: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(15),
            attempts: 3,
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(10),
            max_bytes: 32 << 20,
        }
    }
}

/// Retries that a source may make over all its calls: each call earns a fifth of one, so that a vendor in trouble
/// gets at most a fifth more calls than usual, and never a storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetryBudget {
    fifths: u32,
}

impl RetryBudget {
    const MOST: u32 = 50;

    /// Enough for the first calls of a process.
    pub(crate) const fn new() -> Self {
        Self { fifths: 20 }
    }

    pub(crate) fn earn(&mut self) {
        self.fifths = (self.fifths + 1).min(Self::MOST);
    }

    pub(crate) fn take(&mut self) -> bool {
        let enough = self.fifths >= 5;
        if enough {
            self.fifths -= 5;
        }
        enough
    }
}

/// An answer of any status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) told: CreditHeaders,
    retry_after: Option<Duration>,
    pub(crate) body: Vec<u8>,
}

#[cfg(test)]
impl Answer {
    pub(crate) fn for_test(status: StatusCode, told: CreditHeaders, body: &str) -> Self {
        Self { status, told, retry_after: None, body: body.as_bytes().to_vec() }
    }
}

/// A call that brought nothing.
#[derive(Debug)]
pub(crate) struct Miss {
    pub(crate) error: SourceError,
    pub(crate) told: CreditHeaders,
    retry_after: Option<Duration>,
}

impl From<SourceError> for Miss {
    fn from(error: SourceError) -> Self {
        Self { error, told: CreditHeaders::default(), retry_after: None }
    }
}

/// A vendor's address with a client that knows how to behave.
pub(crate) struct Http {
    client: Client,
    base: Url,
    patience: Patience,
    budget: Mutex<RetryBudget>,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http").field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// Reads a vendor's address: https, or http on this machine, so that no key goes over a wire in clear text.
pub fn check_base(text: &str, carries_key: bool) -> std::result::Result<(), String> {
    base(text, carries_key).map(|_| ())
}

fn base(text: &str, carries_key: bool) -> std::result::Result<Url, String> {
    let url: Url =
        text.parse().map_err(|_| "expected an address such as https://api.example.com".to_owned())?;
    let is_local = url.host_str().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" => {}
        "http" if is_local || !carries_key => {}
        "http" => return Err("a key would travel in clear text; use https".to_owned()),
        _ => return Err("expected https://…".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("no user or password in the address; use a key".to_owned());
    }
    Ok(url)
}

impl Http {
    /// A client for one vendor; `headers` go with every call, values marked as secret.
    pub(crate) fn new(
        address: &str,
        carries_key: bool,
        headers: &[(&str, &str)],
        patience: Patience,
    ) -> Result<Self> {
        let invalid = |why: String| Error::Invalid(format!("the address of a source: {why}"));
        let base = base(address, carries_key).map_err(invalid)?;
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| Error::Invalid(format!("`{name}` is no name of a header")))?;
            let mut value = HeaderValue::from_str(value).map_err(|_| {
                Error::Invalid(format!("the value of header `{name}` has characters no header may have"))
            })?;
            value.set_sensitive(true);
            map.insert(name, value);
        }
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(patience.deadline)
            .connect_timeout(patience.deadline.min(Duration::from_secs(5)))
            .user_agent(concat!("tipoff/", env!("CARGO_PKG_VERSION")))
            .default_headers(map)
            .build()
            .map_err(|_| Error::Invalid("the HTTP client could not be built".to_owned()))?;
        Ok(Self { client, base, patience, budget: Mutex::new(RetryBudget::new()) })
    }

    /// Asks for a path below the base, as often as patience and budget allow. `judge` turns an answer that is none
    /// into its error.
    pub(crate) async fn get(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        judge: impl Fn(&Answer) -> Option<SourceError> + Send + Sync,
    ) -> std::result::Result<Answer, Miss> {
        let url = self.url(path, query);
        self.with_budget(RetryBudget::earn);
        let once = || async {
            let answer = self.once(url.clone()).await?;
            match judge(&answer) {
                None => Ok(answer),
                Some(error) => Err(Miss { error, told: answer.told, retry_after: answer.retry_after }),
            }
        };
        let backoff = ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(self.patience.pause)
            .with_max_delay(self.patience.longest_pause)
            .with_max_times(self.patience.attempts.saturating_sub(1));
        let longest = self.patience.longest_pause;
        once.retry(backoff)
            .when(|miss: &Miss| {
                let soon = miss.retry_after.is_none_or(|after| after <= longest);
                miss.error.meaning() == Meaning::Passing && soon && self.with_budget(RetryBudget::take)
            })
            .adjust(|miss, pause| pause.map(|pause| miss.retry_after.map_or(pause, |after| pause.max(after))))
            .await
    }

    fn with_budget<T>(&self, change: impl FnOnce(&mut RetryBudget) -> T) -> T {
        change(&mut self.budget.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn once(&self, url: Url) -> std::result::Result<Answer, SourceError> {
        let mut response = self.client.get(url).send().await.map_err(|e| self.lost(&e))?;
        let (status, headers) = (response.status(), response.headers());
        let (told, retry_after) = (told(headers), retry_after(headers));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.lost(&e))? {
            if body.len() + chunk.len() > self.patience.max_bytes {
                return Err(SourceError::TooLarge { limit: self.patience.max_bytes });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, told, retry_after, body })
    }

    /// What a lost call means; the client's own words hold the address and are not repeated.
    fn lost(&self, error: &reqwest::Error) -> SourceError {
        match error.is_timeout() {
            true => SourceError::TimedOut { seconds: self.patience.deadline.as_secs().max(1) },
            false => SourceError::Unreachable,
        }
    }
}

/// What a status means at any vendor; a token is the vendor's own word, cleaned.
pub(crate) fn by_status(status: StatusCode, token: String) -> Option<SourceError> {
    match status.as_u16() {
        200..=299 => None,
        300..=399 => Some(SourceError::Redirected { status: status.as_u16() }),
        401 => Some(SourceError::BadKey { token }),
        403 => Some(SourceError::Forbidden),
        404 | 410 => Some(SourceError::EventGone),
        422 => Some(SourceError::UnsupportedMarket { token }),
        408 | 425 | 500..=599 => Some(SourceError::Unavailable { status: status.as_u16() }),
        429 => Some(SourceError::TooManyRequests),
        status => Some(SourceError::Refused { status, token }),
    }
}

/// A word of a vendor as it may stand in a report: capitals, digits and underscores, short.
pub(crate) fn clean_token(text: &str) -> String {
    let plain: String =
        text.chars().filter(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_').take(60).collect();
    if plain.is_empty() { "none".to_owned() } else { plain }
}

fn told(headers: &HeaderMap) -> CreditHeaders {
    // Vendors write some of these as decimals.
    let number = |name| {
        let text = headers.get(name)?.to_str().ok()?.trim();
        let value: f64 = text.parse().ok()?;
        (value.is_finite() && value.abs() < 1e15).then_some(value.ceil() as i64)
    };
    CreditHeaders {
        remaining: number("x-requests-remaining").map(|n| n.max(0)),
        used: number("x-requests-used").map(|n| n.max(0)),
        last: number("x-requests-last").map(|n| n.max(0)),
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[test]
    fn a_vendor_in_trouble_gets_a_fifth_more_calls_and_no_storm() {
        let mut budget = RetryBudget::new();
        let retries = (0..1_000).filter(|_| {
            budget.earn();
            budget.take()
        });
        assert_eq!(retries.count(), 4 + 200);
    }

    #[test]
    fn keys_do_not_travel_in_clear_text() {
        for (text, carries_key, ok) in [
            ("https://api.example.com", true, true),
            ("http://127.0.0.1:8080", true, true),
            ("http://localhost:1", true, true),
            ("http://api.example.com", true, false),
            ("http://10.0.0.7/odds.json", false, true),
            ("ftp://api.example.com", false, false),
            ("https://user:word@api.example.com", true, false),
            ("api.example.com", true, false),
        ] {
            assert_eq!(check_base(text, carries_key).is_ok(), ok, "{text}");
        }
    }

    #[test]
    fn a_key_in_a_header_or_an_address_is_not_printed() {
        let http =
            Http::new("https://h/?k=canary", true, &[("x-api-key", "canary")], Patience::default()).unwrap();
        assert!(!format!("{http:?}").contains("canary"));
        let error =
            Http::new("https://h", true, &[("x-api-key", "cana\nry")], Patience::default()).unwrap_err();
        assert!(!error.to_string().contains("cana"), "{error}");
    }

    #[test]
    fn words_of_a_vendor_are_cleaned() {
        for (text, clean) in
            [("INVALID_KEY", "INVALID_KEY"), ("<b>", "none"), ("", "none"), ("OUT\u{1b}[31mOF", "OUT31OF")]
        {
            assert_eq!(clean_token(text), clean);
        }
    }
}
