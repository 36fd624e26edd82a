//! Who may call: one admin key, or, without one, this machine alone.
//!
//! A server without a key listens on loopback only, but a page in this machine's browser reaches loopback too. So
//! without a key a foreign `Origin` (a page that posts) or `Host` (a name that was rebound) is refused.

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::{ApiError, FORBIDDEN, UNAUTHORIZED};
use crate::config::KeyHash;

/// Probes of an orchestrator, which holds no key.
const OPEN_PATHS: [&str; 2] = ["/livez", "/readyz"];

pub(crate) async fn guard(State(key): State<Option<KeyHash>>, request: Request, next: Next) -> Response {
    let is_probe = OPEN_PATHS.contains(&request.uri().path());
    let verdict = match key {
        Some(_) if is_probe => Ok(()),
        Some(hash) => match key_of(request.headers()) {
            Some(key) if hash.matches(key) => Ok(()),
            Some(_) => Err(ApiError::new(UNAUTHORIZED, "the key is not the configured one")),
            None => {
                Err(ApiError::new(UNAUTHORIZED, "send the key as `X-API-Key` or as `Authorization: Bearer`"))
            }
        },
        None => only_this_machine(request.headers()),
    };
    match verdict {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

fn key_of(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = || {
        let (scheme, key) = text(AUTHORIZATION.as_str())?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    };
    text("x-api-key").or_else(bearer)
}

fn only_this_machine(headers: &HeaderMap) -> Result<(), ApiError> {
    let origin = headers.get(ORIGIN).map(|value| value.to_str().unwrap_or_default());
    let origin_host = origin.map(|origin| origin.split_once("://").map_or("", |(_, host)| host));
    let host = headers.get(HOST).map(|value| value.to_str().unwrap_or_default());
    let foreign = [origin_host, host].into_iter().flatten().find(|host| !is_loopback(host));
    match foreign {
        None => Ok(()),
        Some(host) => {
            let detail = format!(
                "this server has no API key and serves this machine only, not `{host}`; set TIPOFF_API_KEY"
            );
            Err(ApiError::new(FORBIDDEN, detail))
        }
    }
}

/// True for a loopback address or `localhost`, with or without a port.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_key_is_found_in_either_header() {
        assert_eq!(key_of(&headers(&[("x-api-key", "k")])), Some("k"));
        assert_eq!(key_of(&headers(&[("authorization", "Bearer k")])), Some("k"));
        assert_eq!(key_of(&headers(&[("authorization", "bearer k")])), Some("k"));
        assert_eq!(key_of(&headers(&[("authorization", "Basic k")])), None);
        assert_eq!(key_of(&headers(&[])), None);
    }

    #[test]
    fn without_a_key_only_this_machine_and_none_of_its_pages_gets_in() {
        for allowed in ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080", "127.9.9.9"] {
            assert!(only_this_machine(&headers(&[("host", allowed)])).is_ok(), "{allowed}");
        }
        for foreign in ["evil.example", "192.168.1.2:8080", "127.0.0.1.evil.example", "[fe80::1]", ""] {
            assert!(only_this_machine(&headers(&[("host", foreign)])).is_err(), "{foreign}");
        }
        let with_origin = |origin| only_this_machine(&headers(&[("host", "localhost"), ("origin", origin)]));
        assert!(with_origin("http://localhost:3000").is_ok());
        assert!(with_origin("https://evil.example").is_err());
        assert!(with_origin("null").is_err());
    }
}
