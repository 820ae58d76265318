//! The provider's answers, classified once.
//!
//! Goes in: an error of the SDK and what was being done. Comes out: a [`CloudError`].
//!
//! **Invariant:** a change whose answer was lost is `Unclear`, never "failed"; a read whose answer was lost is
//! `Unreachable`, since nothing can have happened.
//! **Invariant:** codes decide, not HTTP statuses; a status decides only where there is no code.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use rgctl_model::ports::{CloudError, NotSent};
use rgctl_schema::phase::Phase;
use rgctl_schema::time::Span;

/// What was being done when the error came.
#[derive(Clone, Debug)]
pub struct CallContext {
    /// The operation, or the object.
    pub what: String,
    /// Whether the call changes something.
    pub mutates: bool,
    /// Whether it makes something: a conflict then means that the name is taken.
    pub creates: bool,
    /// Whether the endpoint was given by the user, and may be an emulator.
    pub emulated: bool,
}

/// What a code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Too many calls.
    Throttle,
    /// The service had a fault of its own.
    Transient,
    /// The object's state refuses the call.
    State,
    /// No capacity at the moment.
    Capacity,
    /// The name is taken.
    Exists,
    /// There is no such object.
    Gone,
    /// Not allowed, or not known who asks.
    Auth,
    /// Nothing would change: as good as done.
    Nothing,
    /// Taken as a conflict by a create, as a state by anything else: Redshift Serverless has one code for both.
    ConflictOrState,
    /// Everything else: the same call will be refused again.
    Refused,
}

/// Codes that do not follow from their ending.
const CODES: &[(&str, Class)] = &[
    ("Throttling", Class::Throttle),
    ("ThrottlingException", Class::Throttle),
    ("ThrottledException", Class::Throttle),
    ("RequestLimitExceeded", Class::Throttle),
    ("RequestThrottled", Class::Throttle),
    ("RequestThrottledException", Class::Throttle),
    ("TooManyRequestsException", Class::Throttle),
    ("SlowDown", Class::Throttle),
    ("DependentServiceRequestThrottlingFault", Class::Throttle),
    ("APICallRateForCustomerExceeded", Class::Throttle),
    ("InternalFailure", Class::Transient),
    ("InternalError", Class::Transient),
    ("InternalServerException", Class::Transient),
    ("InternalServiceException", Class::Transient),
    ("InternalServiceError", Class::Transient),
    ("ServiceUnavailable", Class::Transient),
    ("ServiceUnavailableException", Class::Transient),
    ("DependentServiceUnavailableFault", Class::Transient),
    ("RequestTimeout", Class::Transient),
    ("CacheSubnetGroupInUse", Class::State),
    ("SubnetInUse", Class::Refused),
    ("InvalidDBSubnetGroupStateFault", Class::State),
    // Attached already, or not detached yet: the next look tells which.
    ("DBClusterRoleAlreadyExists", Class::State),
    ("InsufficientCapacityException", Class::Capacity),
    ("NoOperationFault", Class::Nothing),
    ("SnapshotCopyAlreadyDisabledFault", Class::Nothing),
    ("ConflictException", Class::ConflictOrState),
    ("ResourceExistsException", Class::Exists),
    ("NoSuchKey", Class::Gone),
    ("NoSuchBucket", Class::Gone),
    ("NoSuchResourceException", Class::Gone),
    ("ResourceNotFoundException", Class::Gone),
    ("AccessDenied", Class::Auth),
    ("AccessDeniedException", Class::Auth),
    ("UnauthorizedOperation", Class::Auth),
    ("OptInRequired", Class::Auth),
    ("ExpiredToken", Class::Auth),
    ("ExpiredTokenException", Class::Auth),
    ("InvalidClientTokenId", Class::Auth),
    ("UnrecognizedClientException", Class::Auth),
    ("InvalidAccessKeyId", Class::Auth),
    ("SignatureDoesNotMatch", Class::Auth),
    ("InvalidSignatureException", Class::Auth),
    ("RequestExpired", Class::Auth),
    ("RequestTimeTooSkewed", Class::Auth),
    ("RequestInTheFuture", Class::Auth),
    ("AuthFailure", Class::Auth),
    ("MissingAuthenticationToken", Class::Auth),
    ("IncompleteSignature", Class::Auth),
];

/// What a code means. Families of codes follow from their endings, so that a new member is understood.
pub fn class_of(code: &str) -> Class {
    if let Some((_, class)) = CODES.iter().find(|(known, _)| *known == code) {
        return *class;
    }
    let stem = code.strip_suffix("Fault").unwrap_or(code);
    let stem = stem.strip_suffix("Exception").unwrap_or(stem);
    if stem.starts_with("Insufficient") && stem.ends_with("Capacity") {
        Class::Capacity
    } else if stem.starts_with("Invalid") && stem.ends_with("State") {
        Class::State
    } else if stem.ends_with("AlreadyExists") || stem.ends_with("AlreadyEnabled") {
        Class::Exists
    } else if stem.ends_with("NotFound") {
        Class::Gone
    } else {
        Class::Refused
    }
}

/// What an error of the SDK means to us.
pub fn classify<E>(error: &SdkError<E, HttpResponse>, doing: &CallContext) -> CloudError
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    match error {
        SdkError::ConstructionFailure(_) => CloudError::Refused {
            code: "NotBuilt".to_owned(),
            message: format!("{}: the request could not be built: {}", doing.what, chain(error)),
        },
        SdkError::TimeoutError(_) => lost(doing, "no answer in time"),
        SdkError::DispatchFailure(failure) => {
            if let Some(not_sent) = cause::<NotSent>(error) {
                return (*not_sent).into();
            }
            let why = chain(error);
            if is_about_credentials(&why) {
                return CloudError::Denied {
                    code: "NoCredentials".to_owned(),
                    message: format!("no usable credentials were found: {why}"),
                };
            }
            if failure.is_user() || was_never_sent(error) {
                return CloudError::Unreachable { why };
            }
            lost(doing, &why)
        }
        SdkError::ResponseError(response) => answer_without_code(Some(response.raw()), doing, &chain(error)),
        SdkError::ServiceError(answer) => match answer.err().code() {
            Some(code) => refusal(code, answer.err().message().unwrap_or_default(), doing),
            None => answer_without_code(Some(answer.raw()), doing, &chain(error)),
        },
        _ => lost(doing, &chain(error)),
    }
}

/// What a refusal by code means.
pub fn refusal(code: &str, message: &str, doing: &CallContext) -> CloudError {
    let class = match class_of(code) {
        Class::ConflictOrState if doing.creates => Class::Exists,
        Class::ConflictOrState => Class::State,
        other => other,
    };
    let (code_text, text) = (code.to_owned(), format!("{}: {message}", doing.what));
    match class {
        Class::Throttle => CloudError::Throttled { after: Span::from_secs(1) },
        Class::Transient => lost(doing, &format!("{code}: {message}")),
        Class::State => CloudError::Busy { phase: Phase::Busy { serves: true }, code: code_text },
        Class::Capacity => CloudError::Exhausted { what: text, code: code_text },
        Class::Exists | Class::ConflictOrState => CloudError::Conflict { what: doing.what.clone() },
        // A missing subnet group during a creation is no absence of what is being created.
        Class::Gone if doing.creates => CloudError::Refused { code: code_text, message: text },
        Class::Gone => CloudError::NotFound { what: doing.what.clone() },
        Class::Auth => CloudError::Denied { code: code_text, message: text },
        Class::Nothing | Class::Refused => CloudError::Refused { code: code_text, message: text },
    }
}

/// Codes that say that the caller is not known, whatever is asked; the others say that something is not permitted.
const AUTH_ERROR_CODES: &[&str] = &[
    "NoCredentials",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "MissingAuthenticationToken",
    "IncompleteSignature",
];

/// Whether a refusal is about who asks, and not about what is asked.
pub fn is_about_identity(code: &str) -> bool {
    AUTH_ERROR_CODES.contains(&code)
}

/// Whether the refusal says that there is nothing to do, which is success.
pub fn is_no_op(error: &CloudError) -> bool {
    matches!(error, CloudError::Refused { code, .. } if class_of(code) == Class::Nothing)
}

/// Code that stands for an emulator's answer to a call that it does not know.
pub const NOT_EMULATED: &str = "NotEmulated";

fn answer_without_code(raw: Option<&HttpResponse>, doing: &CallContext, why: &str) -> CloudError {
    let status = raw.map_or(0, |raw| raw.status().as_u16());
    let content = raw.and_then(|raw| raw.headers().get("content-type")).unwrap_or_default().to_owned();
    if status == 500 && content.starts_with("text/html") && doing.emulated {
        return CloudError::Refused {
            code: NOT_EMULATED.to_owned(),
            message: format!(
                "{}: the endpoint answered \"500 text/html\", as an emulator does to a call that it does not implement",
                doing.what
            ),
        };
    }
    // A refusal in the shape of another service's protocol still has its code and its text.
    let body = raw.and_then(|raw| raw.body().bytes()).map(String::from_utf8_lossy).unwrap_or_default();
    if status >= 400
        && let Some(code) = element(&body, "Code")
    {
        return refusal(code, element(&body, "Message").unwrap_or_default(), doing);
    }
    match status {
        429 => CloudError::Throttled { after: Span::from_secs(1) },
        401 | 403 => {
            CloudError::Denied { code: status.to_string(), message: format!("{}: {why}", doing.what) }
        }
        _ => lost(doing, &format!("answer {status} of type {content:?} was not understood: {why}")),
    }
}

/// The text of the first element of that name.
fn element<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

fn lost(doing: &CallContext, why: &str) -> CloudError {
    if doing.mutates {
        CloudError::Unclear { why: format!("{}: {why}", doing.what) }
    } else {
        CloudError::Unreachable { why: format!("{}: {why}", doing.what) }
    }
}

/// The texts of an error and all its causes.
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = inner.source();
    }
    text
}

/// The first cause of that type.
fn cause<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if let Some(found) = inner.downcast_ref() {
            return Some(found);
        }
        cause = inner.source();
    }
    None
}

/// Why the chain of credentials gave none.
pub fn no_credentials(error: &(dyn StdError + 'static)) -> CloudError {
    let why = chain(error);
    // Whoever gives credentials was not reached, or did not answer: that says nothing of who asks. A chain that ends at a
    // machine's metadata, where there are none, says that none were loaded.
    let is_silent = match cause::<CredentialsError>(error) {
        Some(CredentialsError::ProviderTimedOut(_)) => true,
        Some(CredentialsError::ProviderError(_)) => why.contains("timed out") || why.contains("timeout"),
        _ => false,
    };
    if was_never_sent(error) || is_silent {
        return CloudError::Unreachable { why: format!("credentials: {why}") };
    }
    let expired = why.contains("ExpiredToken") || why.contains("has expired");
    let code = if expired { "ExpiredToken" } else { "NoCredentials" };
    CloudError::Denied { code: code.to_owned(), message: format!("no usable credentials were found: {why}") }
}

fn is_about_credentials(why: &str) -> bool {
    // The SDK wraps failures of its credential chain as failures to dispatch and gives them no type of their own.
    let why = why.to_ascii_lowercase();
    ["credential", "identity", "sso session", "token file"].iter().any(|word| why.contains(word))
}

/// Whether the connection was never made, so that the service cannot have seen the request.
fn was_never_sent(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>()
            && matches!(
                io.kind(),
                std::io::ErrorKind::ConnectionRefused | std::io::ErrorKind::AddrNotAvailable
            )
        {
            return true;
        }
        let text = inner.to_string();
        if text.contains("dns error") || text.contains("failed to lookup address") {
            return true;
        }
        cause = inner.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_of_codes_has_its_class() {
        for (code, class) in [
            ("ThrottlingException", Class::Throttle),
            ("InvalidDBClusterStateFault", Class::State),
            ("InvalidReplicationGroupState", Class::State),
            ("InvalidClusterState", Class::State),
            ("DBClusterAlreadyExistsFault", Class::Exists),
            // Secrets Manager.
            ("ResourceExistsException", Class::Exists),
            ("InternalServiceError", Class::Transient),
            ("ReplicationGroupAlreadyExists", Class::Exists),
            ("DBInstanceNotFound", Class::Gone),
            ("CacheSubnetGroupNotFoundFault", Class::Gone),
            ("InsufficientDBInstanceCapacity", Class::Capacity),
            ("InsufficientCacheClusterCapacity", Class::Capacity),
            ("InsufficientStorageClusterCapacity", Class::Capacity),
            ("DBClusterQuotaExceededFault", Class::Refused),
            ("InvalidParameterCombination", Class::Refused),
            ("NoOperationFault", Class::Nothing),
            ("ExpiredToken", Class::Auth),
        ] {
            assert_eq!(class_of(code), class, "{code}");
        }
    }

    #[test]
    fn a_lost_answer_is_unclear_for_a_change_and_harmless_for_a_read() {
        let mut doing =
            CallContext { what: "CreateDBCluster".into(), mutates: true, creates: true, emulated: false };
        assert!(matches!(refusal("InternalFailure", "", &doing), CloudError::Unclear { .. }));
        assert!(matches!(refusal("ConflictException", "", &doing), CloudError::Conflict { .. }));
        assert!(matches!(refusal("DBSubnetGroupNotFoundFault", "", &doing), CloudError::Refused { .. }));
        doing.mutates = false;
        doing.creates = false;
        assert!(matches!(refusal("InternalFailure", "", &doing), CloudError::Unreachable { .. }));
        assert!(matches!(refusal("ConflictException", "", &doing), CloudError::Busy { .. }));
    }
}
