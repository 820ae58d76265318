//! Trouble of a bucket: what passes is waited out, for as long as a lease is good.
//!
//! Goes in: an error of the SDK. Comes out: whether the same request may be made again, after which wait.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

use super::errors::{Class, class_of};
use rgctl_model::ports::{Clock, ClockReading, StoreError, margin};
use rgctl_schema::time::Span;

/// Why a request failed, and whether the same one may succeed a moment later.
pub(super) struct Trouble {
    pub(super) passes: bool,
    pub(super) error: StoreError,
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        trouble.error
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self { passes: false, error }
    }
}

/// First wait before something is tried again; it doubles each time.
const WAIT: Span = Span::from_millis(200);
/// Longest such wait.
const WAIT_MAX: Span = Span::from_secs(5);

/// Waits that become longer, up to the time for which a lease that was just renewed is good.
pub(super) struct Backoff<'a> {
    clock: &'a dyn Clock,
    began: ClockReading,
    most: Span,
    wait: Span,
}

impl<'a> Backoff<'a> {
    pub(super) fn new(clock: &'a dyn Clock, lasts: Span) -> Self {
        let most = Span::from_millis(lasts.as_millis() - margin(lasts).as_millis());
        Self { clock, began: ClockReading::of(clock), most, wait: WAIT }
    }

    /// Waits before another try; the trouble itself where it does not pass, or the time is over.
    pub(super) async fn wait(&mut self, trouble: Trouble) -> Result<(), StoreError> {
        let waited = ClockReading::of(self.clock).waited_since(self.began);
        if !trouble.passes || waited + self.wait > self.most {
            return Err(trouble.error);
        }
        tracing::warn!(error = %trouble.error, "the record is tried again");
        self.clock.sleep_until(self.clock.now() + self.wait).await;
        self.wait = Ord::min(self.wait.times(2), WAIT_MAX);
        Ok(())
    }
}

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
