//! Reading requests strictly: unknown, repeated or malformed input is refused and the field is named.

use std::fmt::Display;
use std::str::FromStr;

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::Shared;
use super::problem::{ApiError, MALFORMED, MEDIA_TYPE, TOO_LARGE};

/// A JSON body; no body at all reads as `{}`.
pub(crate) struct JsonBody<T>(pub(crate) T);

/// A JSON body as it came: its reader keeps what it refuses.
pub(crate) struct RawJson(pub(crate) Vec<u8>);

impl FromRequest<Shared> for RawJson {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, ApiError> {
        match json_bytes(request, shared).await? {
            Some(bytes) => Ok(Self(bytes)),
            None => Err(ApiError::new(MALFORMED, "the body is empty")),
        }
    }
}

impl<T: DeserializeOwned> FromRequest<Shared> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, ApiError> {
        match json_bytes(request, shared).await? {
            Some(bytes) => from_json(&bytes).map(Self),
            None => from_json(b"{}").map(Self),
        }
    }
}

/// The body, within its limit and declared as JSON; none when there is none.
async fn json_bytes(request: Request, shared: &Shared) -> Result<Option<Vec<u8>>, ApiError> {
    let limit = shared.config.body_limit;
    let too_large = || ApiError::new(TOO_LARGE, format!("the body may have {limit} bytes at most"));
    let is_json = is_json(request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()));
    let declared = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > limit as u64) {
        return Err(too_large());
    }
    let bytes = to_bytes(request.into_body(), limit).await.map_err(|error| {
        let is_limit =
            std::error::Error::source(&error).is_some_and(|e| e.is::<http_body_util::LengthLimitError>());
        if is_limit { too_large() } else { ApiError::new(MALFORMED, "the body broke off before its end") }
    })?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if !is_json {
        return Err(ApiError::new(MEDIA_TYPE, "send the body as `content-type: application/json`"));
    }
    Ok(Some(bytes.to_vec()))
}

fn is_json(content_type: Option<&str>) -> bool {
    let essence =
        content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Reads JSON; an error names the field by its path.
fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        match inner.classify() {
            serde_json::error::Category::Data if path != "." => ApiError::field(path, inner.to_string()),
            serde_json::error::Category::Data => match repeated_field(&inner.to_string()) {
                Some(field) => ApiError::field(field, inner.to_string()),
                None => ApiError::new(super::problem::INVALID, inner.to_string()),
            },
            _ => ApiError::new(MALFORMED, format!("the body is not JSON: {inner}")),
        }
    })?;
    reader.end().map_err(|e| ApiError::new(MALFORMED, format!("the body goes on after its end: {e}")))?;
    Ok(value)
}

/// The field that stands twice; the error's path ends above it.
fn repeated_field(message: &str) -> Option<String> {
    let rest = message.strip_prefix("duplicate field `")?;
    rest.split('`').next().map(str::to_owned)
}

/// The query of a request.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

impl FromRequestParts<Shared> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, ApiError> {
        match Query::<Vec<(String, String)>>::try_from_uri(&parts.uri) {
            Ok(Query(pairs)) => Ok(Self(pairs)),
            Err(error) => Err(ApiError::new(MALFORMED, format!("the query cannot be read: {error}"))),
        }
    }
}

impl Params {
    /// Refuses parameters that are not among `known`, and repeated ones.
    pub(crate) fn only(self, known: &[&str]) -> Result<Self, ApiError> {
        for (i, (name, _)) in self.0.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let detail = match known {
                    [] => format!("`{name}` is unknown; this path takes no parameters"),
                    _ => format!("`{name}` is unknown; expected one of {}", known.join(", ")),
                };
                return Err(ApiError::field(name, detail));
            }
            if self.0[..i].iter().any(|(other, _)| other == name) {
                return Err(ApiError::field(name, format!("`{name}` is given twice")));
            }
        }
        Ok(self)
    }

    /// A parameter as text; an empty one counts as absent.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let found = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        found.filter(|value| !value.is_empty())
    }

    /// A parameter of a type.
    pub(crate) fn parse<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let wrong = |error: T::Err| ApiError::field(name, format!("`{name}` is `{}`: {error}", short(&text)));
        text.parse().map(Some).map_err(wrong)
    }
}

/// A part of the path of a type.
pub(crate) fn path_part<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|error| ApiError::field(name, format!("{error}")))
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use axum::response::IntoResponse;
    use proto::api::StartRequest;

    use super::*;

    fn refusal(body: &str) -> String {
        match from_json::<StartRequest>(body.as_bytes()) {
            Ok(_) => "read".to_owned(),
            Err(error) => {
                let status = error.clone().into_response().status();
                format!("{} {error:?}", status.as_u16())
            }
        }
    }

    #[test]
    fn fields_are_named_by_path() {
        for (body, status, part) in [
            (r#"{"game_dat":"x"}"#, "422", r#"field: Some("game_dat")"#),
            (r#"{"systems":["ok","NOT OK"]}"#, "422", r#"field: Some("systems[1]")"#),
            (r#"{"force":"yes"}"#, "422", r#"field: Some("force")"#),
            (r#"{"force":true,"force":false}"#, "422", r#"field: Some("force")"#),
            (r#"{"only":"some"}"#, "422", "unknown variant"),
            (r#"{"min_coverage":1e400}"#, "400", "number out of range"),
            (r#"[1]"#, "422", "invalid"),
            (r#"{"force":true"#, "400", "not JSON"),
            (r#"{} {}"#, "400", "goes on after its end"),
            ("{}", "read", "read"),
        ] {
            let text = refusal(body);
            assert!(text.starts_with(status) && text.contains(part), "{body}: {text}");
        }
    }

    #[test]
    fn parameters_are_known_and_given_once() {
        let params = |query: &str| {
            let uri: axum::http::Uri = format!("/x?{query}").parse().unwrap();
            Params(Query::<Vec<(String, String)>>::try_from_uri(&uri).unwrap().0)
        };
        assert!(params("limit=1").only(&["limit"]).is_ok());
        assert!(params("limt=1").only(&["limit"]).is_err());
        assert!(params("limit=1&limit=2").only(&["limit"]).is_err());
        assert_eq!(params("limit=7").parse::<u64>("limit").unwrap(), Some(7));
        assert_eq!(params("limit=").parse::<u64>("limit").unwrap(), None);
        assert!(params("limit=-7").parse::<u64>("limit").is_err());
    }

    #[test]
    fn content_types_that_are_json() {
        for (text, expected) in [
            (Some("application/json"), true),
            (Some("Application/JSON; charset=utf-8"), true),
            (Some("application/merge-patch+json"), true),
            (Some("text/plain"), false),
            (Some("application/x-www-form-urlencoded"), false),
            (None, false),
        ] {
            assert_eq!(is_json(text), expected, "{text:?}");
        }
    }
}
