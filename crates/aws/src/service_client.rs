//! The way of one call to one region, from admission by the budget to the classified answer.
//!
//! Goes in: a request of the SDK that was not sent yet. Comes out: its answer, or one of the closed errors of the port.
//!
//! **Invariant:** no call is sent past the budget, and no change without a permit that is checked last.
//! **Invariant:** who is patient asks a throttled question again, and that question alone; who is not is told at once.

use std::error::Error as StdError;
use std::future::Future;
use std::sync::Arc;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::budget::Priority;
use super::clients::{Clients, Pool};
use super::errors::{self, CallContext};
use super::fence;
use rgctl_model::ports::{CloudError, Permit};
use rgctl_schema::names::{Partition, RegionId};
use rgctl_schema::time::{Moment, Span};

/// A request of the SDK on its way.
pub trait SdkCall: Future<Output = Result<Self::Answer, SdkError<Self::Error, HttpResponse>>> + Send {
    /// What is answered.
    type Answer: Send;
    /// How the service refuses.
    type Error: ProvideErrorMetadata + StdError + Send + Sync + 'static;
}

impl<T, E, F> SdkCall for F
where
    T: Send,
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
{
    type Answer = T;
    type Error = E;
}

/// A way to one region.
#[derive(Clone, Debug)]
pub struct ServiceClient<'a> {
    /// Where clients come from.
    pub pool: &'a Pool,
    /// Where to.
    pub region: RegionId,
    /// Clients that are retried.
    pub read: Arc<Clients>,
    /// Clients that are not.
    pub write: Arc<Clients>,
    /// What lets changes through; without one nothing is changed by this way.
    permit: Option<Permit>,
    /// Until when what is throttled is asked again; where it is not said, who asks decides about that.
    until: Option<Moment>,
}

impl<'a> ServiceClient<'a> {
    /// A way to a region.
    pub async fn to(pool: &'a Pool, region: &RegionId) -> Self {
        Self {
            pool,
            region: region.clone(),
            read: pool.reading(region).await,
            write: pool.writing(region).await,
            permit: None,
            until: None,
        }
    }

    /// The same way, for changes too.
    #[must_use]
    pub fn under(self, permit: &Permit) -> Self {
        Self { permit: Some(permit.clone()), ..self }
    }

    /// The same way, on which a throttled question is asked again and the budget is waited for, until then.
    #[must_use]
    pub fn patient_until(self, until: Option<Moment>) -> Self {
        Self { until, ..self }
    }

    /// The same way with so much patience from now on, and no more than it has.
    #[must_use]
    pub fn hurried(&self, patience: Span) -> Self {
        let end = self.pool.clock().now() + patience;
        self.clone().patient_until(Some(self.until.map_or(end, |until| until.min(end))))
    }

    /// A way to another region.
    pub async fn elsewhere(&self, region: &RegionId) -> Self {
        Self { permit: self.permit.clone(), until: self.until, ..Self::to(self.pool, region).await }
    }

    /// Waits until the budget lets a call through; not beyond the end of its patience.
    async fn admit(&self, endpoint: &str, priority: Priority) -> Result<(), CloudError> {
        let rate_limit_key =
            (self.pool.caller().rate_limit_key(), self.region.to_string(), endpoint.to_owned());
        let began = self.pool.clock().now();
        loop {
            let now = self.pool.clock().now();
            let sort = priority.after(now.since(began));
            let wait = self.pool.budget().with(&rate_limit_key, now, |bucket| bucket.wait(now, sort));
            if wait == Span::ZERO {
                return Ok(());
            }
            let again = priority.again(began, now, wait);
            if self.until.is_some_and(|until| again > until) {
                return Err(CloudError::Throttled { after: wait });
            }
            self.pool.clock().sleep_until(again).await;
        }
    }

    fn doing(&self, what: &str, mutates: bool, creates: bool) -> CallContext {
        CallContext { what: what.to_owned(), mutates, creates, emulated: self.pool.is_emulated() }
    }

    /// Admits, calls, classifies. The SDK's futures are large; each goes into a box before anything waits for it, so
    /// that those who hold many of them stay small.
    fn go<'s, C: SdkCall + 's>(
        &'s self,
        endpoint: &'static str,
        priority: Priority,
        doing: CallContext,
        call: C,
    ) -> BoxFuture<'s, Result<C::Answer, CloudError>> {
        let call = call.boxed();
        async move {
            self.admit(endpoint, priority).await?;
            let answer =
                if doing.mutates { fence::under(self.permit.clone(), call).await } else { call.await };
            let answer = answer.map_err(|error| errors::classify(&error, &doing));
            let rate_limit_key =
                (self.pool.caller().rate_limit_key(), self.region.to_string(), endpoint.to_owned());
            let now = self.pool.clock().now();
            self.pool.budget().with(&rate_limit_key, now, |bucket| match &answer {
                Err(CloudError::Throttled { .. }) => bucket.throttled(now),
                _ => bucket.answered(),
            });
            if let Err(CloudError::Denied { code, .. }) = &answer
                && errors::is_about_identity(code)
            {
                self.pool.caller().doubt();
            }
            tracing::debug!(what = doing.what, region = %self.region, ok = answer.is_ok(), "called");
            answer
        }
        .boxed()
    }

    /// A read, made as often as it is throttled while there is patience left. The SDK repeats it as well, but from a quota that
    /// all calls to a service share and that much throttling uses up.
    pub fn ask<'s, C: SdkCall + 's>(
        &'s self,
        endpoint: &'static str,
        what: &str,
        make: impl Fn() -> C + Send + 's,
    ) -> BoxFuture<'s, Result<C::Answer, CloudError>> {
        let doing = self.doing(what, false, false);
        async move {
            loop {
                let answer = self.go(endpoint, Priority::Read, doing.clone(), make()).await;
                let Err(CloudError::Throttled { after }) = &answer else { return answer };
                let again = self.pool.clock().now() + *after;
                if self.until.is_none_or(|until| again >= until) {
                    return answer;
                }
                self.pool.clock().sleep_until(again).await;
            }
        }
        .boxed()
    }

    /// A change.
    pub fn change<'s, C: SdkCall + 's>(
        &'s self,
        endpoint: &'static str,
        what: &str,
        call: C,
    ) -> BoxFuture<'s, Result<C::Answer, CloudError>> {
        self.go(endpoint, Priority::Change, self.doing(what, true, false), call)
    }

    /// A creation.
    pub fn create<'s, C: SdkCall + 's>(
        &'s self,
        endpoint: &'static str,
        what: &str,
        call: C,
    ) -> BoxFuture<'s, Result<C::Answer, CloudError>> {
        self.go(endpoint, Priority::Change, self.doing(what, true, true), call)
    }

    /// A failover or anything else that somebody is waiting for.
    pub fn urgent<'s, C: SdkCall + 's>(
        &'s self,
        endpoint: &'static str,
        what: &str,
        call: C,
    ) -> BoxFuture<'s, Result<C::Answer, CloudError>> {
        self.go(endpoint, Priority::Urgent, self.doing(what, true, false), call)
    }

    /// Number of the caller's account. It is asked once, and again after a refusal for who asks.
    pub async fn account(&self) -> Result<String, CloudError> {
        if let Some(account) = self.pool.caller().account() {
            return Ok(account);
        }
        let identity =
            self.ask("sts", "GetCallerIdentity", || self.read.sts.get_caller_identity().send()).await?;
        let account = identity
            .account
            .ok_or_else(|| CloudError::Unreachable { why: "GetCallerIdentity told no account".to_owned() })?;
        self.pool.caller().is_of(&account, self.pool.budget());
        Ok(account)
    }

    /// ARN of an object that is named by its service and a path, in a region.
    pub async fn arn(&self, service: &str, region: &RegionId, path: &str) -> Result<String, CloudError> {
        let account = self.account().await?;
        Ok(format!("arn:{}:{service}:{region}:{account}:{path}", Partition::of(region)))
    }
}

/// A refusal that comes from us: the service has no such call.
pub fn unsupported(what: &str) -> CloudError {
    CloudError::Refused {
        code: "Unsupported".to_owned(),
        message: format!("there is no call for this: {what}"),
    }
}
