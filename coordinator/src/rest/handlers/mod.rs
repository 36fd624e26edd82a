//! One function for each call of design.md 10, grouped by who calls: operators ([`operate`]), readers ([`batches`],
//! [`predictions`]), the machine room ([`workers`], [`meta`]).

pub(crate) mod batches;
pub(crate) mod meta;
pub(crate) mod operate;
pub(crate) mod predictions;
pub(crate) mod workers;

use super::problem::ApiError;
use crate::service::ServiceError;

/// Carries out a call that changes something on a task of its own: when its client goes away or the request's time is
/// up, it still runs to its end.
async fn to_its_end<T: Send + 'static>(
    call: impl Future<Output = Result<T, ServiceError>> + Send + 'static,
) -> Result<T, ApiError> {
    let span = tracing::Span::current();
    match tokio::spawn(tracing::Instrument::instrument(call, span)).await {
        Ok(answer) => Ok(answer?),
        Err(error) => {
            tracing::error!("a call did not come to its end: {error}");
            Err(ApiError::internal())
        }
    }
}
