//! Trouble of a bucket: which of it passes.
//!
//! Goes in: an error of the SDK. Comes out: whether the same request may be made again.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

use super::errors::{Class, class_of};

/// Whether the same request may succeed a moment later: the bucket is overloaded or had a fault of its own, or nothing is
/// known of an answer.
pub(super) fn passes<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match error {
        SdkError::ServiceError(answer) => match answer.err().code() {
            Some(code) => match class_of(code) {
                Class::Throttle | Class::Transient => true,
                // Stores that speak the same protocol have codes of their own for what passes.
                Class::Refused => matches!(answer.raw().status().as_u16(), 429 | 500 | 502 | 503 | 504),
                _ => false,
            },
            None => answer.raw().status().is_server_error(),
        },
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        SdkError::DispatchFailure(failure) => failure.is_io() || failure.is_timeout(),
        _ => false,
    }
}

pub(super) fn is_lost_race(code: Option<&str>) -> bool {
    matches!(code, Some("PreconditionFailed" | "ConditionalRequestConflict" | "412" | "409"))
}
