//! One function for each call of design.md 10, grouped by who calls: operators ([`operate`]), readers ([`batches`],
//! [`predictions`]), other programs ([`events`]), the machine room ([`workers`], [`runs`], [`meta`]).

pub(crate) mod batches;
pub(crate) mod events;
pub(crate) mod meta;
pub(crate) mod operate;
pub(crate) mod predictions;
pub(crate) mod runs;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may stop at the first surprise
    use futures::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_call_runs_to_its_end_although_its_client_went_away() {
        let (go, gone) = oneshot::channel::<()>();
        let (done, seen) = oneshot::channel();
        let call = to_its_end(async move {
            gone.await.map_err(ServiceError::internal)?;
            done.send("changed").map_err(ServiceError::internal)
        });
        // Begun, not finished, and dropped: what hyper does when the connection breaks.
        assert!(Box::pin(call).now_or_never().is_none());
        go.send(()).unwrap();
        assert_eq!(seen.await, Ok("changed"));
    }

    #[tokio::test]
    async fn a_call_that_panics_is_an_internal_error() {
        let answer = to_its_end(async { panic!("canary") as Result<(), ServiceError> }).await;
        assert!(!format!("{:?}", answer.unwrap_err()).contains("canary"));
    }
}
