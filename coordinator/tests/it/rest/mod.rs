//! The interface over an instance that lives in a temporary folder: through the router, without a socket.

mod operate;
mod read;
mod refuse;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use coordinator::config::Config;
use coordinator::engine::Instance;
use coordinator::rest::router;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::ServiceExt;

/// The interface of an instance.
pub(crate) struct Api(Router);

/// One answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Api {
    pub(crate) fn of(instance: &Instance, config: &Config) -> Self {
        Self(router(instance.service.clone(), &config.server))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &impl serde::Serialize) -> Answer {
        self.call("POST", path, &serde_json::to_string(body).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.0.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = to_bytes(response.into_body(), 64 << 20).await.unwrap();
        Answer { status, headers, text: String::from_utf8(body.to_vec()).unwrap() }
    }
}

impl Answer {
    /// The body as a type; the status is what it should be.
    pub(crate) fn read<T: DeserializeOwned>(&self, status: u16) -> T {
        assert_eq!(self.status, status, "{}", self.text);
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    /// The body with everything replaced that differs from run to run, or from one set of models or simulated days to
    /// the next: what stays is the contract.
    pub(crate) fn redacted(&self, status: u16) -> Value {
        let mut value = self.read(status);
        redact(&mut value);
        value
    }
}

/// Maps and lists whose keys are no field names.
const COUNTED: [&str; 9] = [
    "figures",
    "reasons",
    "refused",
    "forecast",
    "by_game",
    "by_system",
    "by_market",
    "by_line_source",
    "systems",
];

/// Replaces ids, instants, hashes and numbers by their kind.
fn redact(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match name.as_str() {
                    name if COUNTED.contains(&name) => *value = Value::from("[counts]"),
                    "findings" => *value = Value::from("[findings]"),
                    "generation" => {}
                    "status" if value.is_number() => {}
                    _ => redact(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Number(_) => *value = Value::from("[number]"),
        Value::String(text) => {
            let is_hex = text.len() >= 32 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
            if is_hex {
                *text = "[hash or id]".to_owned();
            } else if text.contains(" predicted; ") {
                *text = "[sentence]".to_owned();
            } else if text.parse::<jiff::civil::Date>().is_ok() && text.len() == 10 {
                *text = "[date]".to_owned();
            } else if text.parse::<jiff::Timestamp>().is_ok() {
                *text = "[instant]".to_owned();
            } else if let Some(at) = text.find("batch_") {
                let end = text[at..].find(['/', '&', ' ', ':']).map_or(text.len(), |n| at + n);
                text.replace_range(at..end, "[batch]");
            } else if let Some(at) = text.find("game_date=") {
                text.replace_range(at.., "game_date=[date]");
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}
