//! Which answers the SDK may ask for again.
//!
//! Goes in: an attempt that failed. Comes out: whether another one is forbidden.
//!
//! **Invariant:** a page for people is no answer of the provider: it was not this service that spoke, and it will say
//! the same again. Gateways on the way say 502, 503 and 504 in pages of their own, and these pass.

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};

/// Content types of pages for people; no protocol of the provider has them.
const PAGES: [&str; 2] = ["text/html", "text/plain"];

/// Forbids to repeat what was answered by something else than the provider.
#[derive(Clone, Copy, Debug)]
pub struct OnlyTheProvider;

impl ClassifyRetry for OnlyTheProvider {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let failed = matches!(context.output_or_error(), Some(Err(_)));
        if failed && context.response().is_some_and(is_of_somebody_else) {
            return RetryAction::RetryForbidden;
        }
        RetryAction::NoActionIndicated
    }

    fn name(&self) -> &'static str {
        "OnlyTheProvider"
    }
}

fn is_of_somebody_else(answer: &HttpResponse) -> bool {
    let kind = answer.headers().get("content-type").unwrap_or_default();
    let is_page = PAGES.iter().any(|page| kind.starts_with(page));
    is_page && !matches!(answer.status().as_u16(), 429 | 502 | 503 | 504)
}
