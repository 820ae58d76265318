//! The inbox on S3: one object for each message, numbered, made on the condition that there is none of that number.
//!
//! **Invariant:** no message touches the head of the record, so that none can fence a run, or cost it a race.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use super::s3_store::{S3Store, unavailable};
use super::s3_trouble::{Backoff, is_lost_race};
use rgctl_model::chain;
use rgctl_model::inbox::{Message, Request};
use rgctl_model::ports::{Chain, StoreError};
use rgctl_model::scope::Scope;
use rgctl_schema::time::{Moment, Span};

/// How often a lost race for a number is run again.
const ROUNDS: usize = 5;
/// Messages that are fetched at the same time.
const AT_ONCE: usize = 8;
/// How long trouble of the bucket is waited out.
const PATIENCE: Span = Span::from_mins(1);

impl S3Store {
    pub(super) async fn post_now(
        &self,
        scope: &Scope,
        from: &str,
        at: Moment,
        what: &Request,
    ) -> Result<u64, StoreError> {
        let mut patience = Backoff::new(self.pool.clock(), PATIENCE);
        let (mut races, mut unsure) = (0, None);
        while races < ROUNDS {
            let last = match self.numbers(scope, 0).await?.pop() {
                Some(number) => Some(self.message(scope, number).await?),
                None => None,
            };
            // An answer was lost, and the message is there.
            if let Some(message) = last.as_ref().filter(|last| unsure.as_ref() == Some(&last.hash)) {
                return Ok(message.seq);
            }
            let message = chain::seal_message(scope, last.as_ref(), at, from, what);
            let key = self.message_key(scope, message.seq);
            let body = serde_json::to_vec(&message).map_err(unavailable)?;
            let clients = self.pool.writing(&self.region).await;
            let request = clients.s3.put_object().bucket(&self.place.bucket).key(&key);
            let request = request.content_type("application/json").if_none_match("*");
            match request.body(ByteStream::from(body)).send().boxed().await {
                Ok(_) => return Ok(message.seq),
                Err(error) if is_lost_race(error.code()) => races += 1,
                Err(error) => {
                    unsure = Some(message.hash);
                    patience.wait(self.failed("write", &key, &error)).await?;
                }
            }
        }
        Err(unavailable(format!("too many write to the inbox of {} at once", scope.blueprint)))
    }

    pub(super) async fn inbox_now(&self, scope: &Scope, after: u64) -> Result<Vec<Message>, StoreError> {
        let mut fetches = Vec::new();
        for number in self.numbers(scope, after).await? {
            fetches.push(self.message(scope, number).boxed());
        }
        let messages: Vec<Message> = stream::iter(fetches).buffered(AT_ONCE).try_collect().await?;
        chain::verify_part(scope, &messages).map_err(|(seq, why)| damaged(scope, seq, why))?;
        Ok(messages)
    }

    fn message_key(&self, scope: &Scope, number: u64) -> String {
        self.key(scope, &format!("inbox/{number:016}.json"))
    }

    /// The numbers of the messages after one, in order.
    async fn numbers(&self, scope: &Scope, after: u64) -> Result<Vec<u64>, StoreError> {
        let prefix = self.key(scope, "inbox/");
        let clients = self.pool.reading(&self.region).await;
        let request = clients.s3.list_objects_v2().bucket(&self.place.bucket).prefix(&prefix);
        let request = request.start_after(self.message_key(scope, after));
        let pages = request.into_paginator().send().collect::<Result<Vec<_>, _>>().await;
        let pages = pages.map_err(|error| self.failed("list", &prefix, &error))?;
        let keys = pages.into_iter().flat_map(|page| page.contents.unwrap_or_default());
        let number = |key: &str| key.strip_prefix(&prefix)?.strip_suffix(".json")?.parse().ok();
        let numbers = keys.filter_map(|object| number(&object.key?));
        let mut numbers: Vec<u64> = numbers.filter(|number| *number > after).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    async fn message(&self, scope: &Scope, number: u64) -> Result<Message, StoreError> {
        let found = self.get(&self.message_key(scope, number)).await?;
        let (bytes, _) = found.ok_or_else(|| damaged(scope, number, "it is gone"))?;
        serde_json::from_slice(&bytes).map_err(|error| damaged(scope, number, &error.to_string()))
    }
}

fn damaged(scope: &Scope, seq: u64, why: &str) -> StoreError {
    StoreError::Damaged { chain: Chain::Inbox, blueprint: scope.blueprint.clone(), seq, why: why.to_owned() }
}
