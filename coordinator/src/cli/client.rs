//! Talking to a server: one place for address, key, time limits, and for turning refusals into sentences.

use std::time::Duration;

use proto::api::Problem;
use reqwest::{Method, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::exit::Exit;
use super::failure::Failure;
use crate::config::{ApiKey, ClientConfig};

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// A server as the commands see it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    key: Option<ApiKey>,
}

/// A successful answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// The body as it came.
    pub(crate) text: String,
    path: String,
}

impl Client {
    pub(crate) fn new(config: &ClientConfig) -> Result<Self, Failure> {
        let url: Url = config.server.parse().map_err(|e| {
            Failure::usage(format!(
                "`{}` is no server address ({e}); expected http://HOST:PORT",
                config.server
            ))
        })?;
        let mut builder = reqwest::Client::builder()
            .timeout(config.timeout)
            .connect_timeout(CONNECT)
            // A redirect could carry the key elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("tipoff/", env!("CARGO_PKG_VERSION")));
        if is_this_machine(&url) {
            // A proxy for the outside world cannot reach a server here.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|e| Failure::failed(format!("prepare HTTP: {e}")))?;
        Ok(Self { http, base: config.server.clone(), key: config.api_key.clone() })
    }

    /// Asks for something; parameters without a value are left out.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, Option<String>)]) -> Result<Reply, Failure> {
        let query: Vec<_> = query.iter().filter_map(|(name, value)| Some((*name, value.as_ref()?))).collect();
        self.call(self.http.get(self.url(path)).query(&query), path).await
    }

    /// Sends something.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Reply, Failure> {
        self.call(self.http.request(method, self.url(path)).json(body), path).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn call(&self, mut request: reqwest::RequestBuilder, path: &str) -> Result<Reply, Failure> {
        if let Some(key) = &self.key {
            request = request.header("x-api-key", key.reveal());
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(|error| self.unreachable(&error))?;
        if (200..=299).contains(&status) {
            return Ok(Reply { text, path: path.to_owned() });
        }
        Err(match serde_json::from_str::<Problem>(&text) {
            Ok(problem) => Failure::of_problem(status, &problem),
            Err(_) => Failure::new(
                Exit::of_http(status),
                format!("{} answered {status} and no problem details; is it a Tipoff server?", self.base),
            ),
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let base = &self.base;
        if error.is_timeout() {
            let failure = Failure::new(Exit::TryAgain, format!("{base} did not answer in time"));
            return failure.hint("what was asked may still be done; look with `tipoff status`");
        }
        if error.is_connect() {
            let failure = Failure::new(Exit::TryAgain, format!("no server answers at {base}"));
            return failure
                .hint("start one with `tipoff serve`, or name another with --server or TIPOFF_SERVER");
        }
        // Without the address: it may hold a password.
        let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        Failure::new(Exit::TryAgain, format!("the conversation with {base} broke off: {cause}"))
    }
}

impl Reply {
    /// The answer as a type.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(&self.text).map_err(|error| {
            let message = format!("the answer to {} cannot be read: {error}", self.path);
            Failure::failed(message).hint("server and command line may be of different versions")
        })
    }
}

fn is_this_machine(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    #[tokio::test]
    async fn nobody_there_is_a_sentence_and_try_again() {
        let config = ClientConfig {
            server: "http://127.0.0.1:1".to_owned(),
            api_key: Some(ApiKey::new("canary-0123456789")),
            timeout: Duration::from_secs(5),
        };
        let client = Client::new(&config).unwrap();
        let failure = client.get("/status", &[]).await.unwrap_err();
        assert_eq!(failure.exit, Exit::TryAgain);
        let text = failure.to_string();
        assert!(text.contains("no server answers") && text.contains("tipoff serve"), "{text}");
        assert!(!format!("{client:?} {text}").contains("canary"));
    }

    #[test]
    fn this_machine_is_recognised() {
        for (url, expected) in [
            ("http://127.0.0.1:8080", true),
            ("http://localhost", true),
            ("http://[::1]:1", true),
            ("https://tipoff.example", false),
        ] {
            assert_eq!(is_this_machine(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
