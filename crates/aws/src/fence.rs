//! The fence: the last look at the permit before a changing request leaves this machine.
//!
//! Goes in: the permit of the call that is being made. Comes out: the request goes on, or fails as not sent.
//!
//! **Invariant:** a client for changes sends nothing without a permit that holds at that moment, after credentials,
//! signing and the rate budget have taken their time; a call of several requests is asked for each.

use std::future::Future;
use std::sync::Arc;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use rgctl_model::ports::{Clock, ClockReading, NotSent, Permit};

tokio::task_local! {
    // The SDK makes a request within the task that asked for it, so that this reaches the interceptor of exactly the
    // requests of one call.
    static PERMIT: Option<Permit>;
}

/// Makes requests under a permit.
pub async fn under<T>(permit: Option<Permit>, requests: impl Future<Output = T>) -> T {
    PERMIT.scope(permit, requests).await
}

/// The interceptor of clients for changes.
pub struct Fence(pub Arc<dyn Clock>);

impl std::fmt::Debug for Fence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fence")
    }
}

#[dyn_dispatch_hint]
impl Intercept for Fence {
    fn name(&self) -> &'static str {
        "Fence"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let permit = PERMIT.try_with(Clone::clone).ok().flatten().ok_or(NotSent)?;
        let answer = permit.check(&*self.0);
        let (now, end) = (ClockReading::of(&*self.0), permit.not_after());
        tracing::debug!(
            operation = bag.load::<Metadata>().map(Metadata::name),
            sent = answer.is_ok(),
            boot_ms = now.boot.as_millis(),
            not_after_boot_ms = end.map(|end| end.boot.as_millis()),
            "checked the lease"
        );
        Ok(answer?)
    }
}
