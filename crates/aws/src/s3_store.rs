//! The record of a team, on S3: its objects in a bucket.
//!
//! Goes in: keys, bytes, conditions. Comes out: what was read, whether it was put. What the objects are is in `rgctl_records`.
//!
//! **Invariant:** what is put on a condition is sent once, by a client that does not repeat.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::Arc;

use super::clients::Pool;
use super::errors::chain as error_chain;
use super::s3_trouble::{is_lost_race, passes};
use rgctl_model::ports::Clock;
use rgctl_records::Records;
use rgctl_records::shelf::{Found, Put, Shelf, Trouble, When};
use rgctl_schema::names::RegionId;

/// Where a record is kept: `s3://bucket/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Place {
    /// Bucket.
    pub bucket: String,
    /// Prefix of all keys, without slashes at its ends; may be empty.
    pub prefix: String,
}

impl S3Place {
    /// Reads `s3://bucket/prefix`.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("s3://")?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let bucket = Some(bucket).filter(|bucket| !bucket.is_empty())?;
        Some(Self { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() })
    }
}

/// A record on S3.
pub type S3Store = Records;

/// A record in a bucket of a region. Nothing is read yet.
pub fn s3_store(pool: Arc<Pool>, region: RegionId, place: S3Place) -> S3Store {
    Records::on(Arc::new(Bucket { pool, region, place }))
}

#[derive(Debug)]
struct Bucket {
    pool: Arc<Pool>,
    region: RegionId,
    place: S3Place,
}

/// An object is a state, or some lines of the record. A larger one was written by somebody else.
const OBJECT_BYTES_MAX: i64 = 64 << 20;

impl Bucket {
    fn under(&self, key: &str) -> String {
        if self.place.prefix.is_empty() { key.to_owned() } else { format!("{}/{key}", self.place.prefix) }
    }

    /// A key of a record, without what it is kept under.
    fn own<'a>(&self, key: &'a str) -> Option<&'a str> {
        if self.place.prefix.is_empty() {
            return Some(key);
        }
        key.strip_prefix(&self.place.prefix)?.strip_prefix('/')
    }

    fn unread(&self, key: &str, why: &str) -> Trouble {
        Trouble::new(true, format!("cannot read {}: {why}", self.address(key)))
    }

    fn failed<E>(&self, verb: &str, key: &str, error: &SdkError<E, HttpResponse>) -> Trouble
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let why = error_chain(error);
        Trouble::new(passes(error), format!("cannot {verb} {}: {why}", self.address(key)))
    }

    async fn get_now(&self, key: &str) -> Result<Option<Found>, Trouble> {
        let clients = self.pool.reading(&self.region).await;
        let request = clients.s3.get_object().bucket(&self.place.bucket).key(self.under(key));
        // The SDK's futures are large: in a box, what waits for them stays small.
        match request.send().boxed().await {
            Ok(found) => {
                let mark = found.e_tag().map(str::to_owned);
                if found.content_length().is_some_and(|length| length > OBJECT_BYTES_MAX) {
                    return Err(self.unread(key, "it is larger than any object of a record"));
                }
                // The SDK's own bound ends with the head of the answer.
                let body = tokio::time::timeout(self.pool.patience().attempt, found.body.collect()).await;
                let body = body.map_err(|_| self.unread(key, "no whole answer in time"))?;
                let body = body.map_err(|error| self.unread(key, &error_chain(&error)))?;
                Ok(Some((body.to_vec(), mark)))
            }
            Err(error) if error.code() == Some("NoSuchKey") => Ok(None),
            Err(error) => Err(self.failed("read", key, &error)),
        }
    }

    async fn put_now(&self, key: &str, bytes: Vec<u8>, when: When<'_>) -> Result<Put, Trouble> {
        // Without a condition the SDK may repeat it: the same content in the same place cannot do harm.
        let clients = match when {
            When::Always => self.pool.reading(&self.region).await,
            When::Absent | When::Is(_) => self.pool.writing(&self.region).await,
        };
        let request = clients.s3.put_object().bucket(&self.place.bucket).key(self.under(key));
        let request = match when {
            When::Always => request,
            When::Absent => request.if_none_match("*"),
            When::Is(mark) => request.if_match(mark),
        };
        let is_text = key.rsplit_once('.').is_some_and(|(_, kind)| kind == "json");
        let sort = if is_text { "application/json" } else { "application/octet-stream" };
        let request = request.content_type(sort).body(ByteStream::from(bytes));
        match request.send().boxed().await {
            Ok(_) => Ok(Put::Made),
            Err(error) if is_lost_race(error.code()) => Ok(Put::Lost),
            Err(error) => Err(self.failed("write", key, &error)),
        }
    }

    async fn list_now(&self, begins: &str, after: Option<&str>) -> Result<Vec<String>, Trouble> {
        let clients = self.pool.reading(&self.region).await;
        let request = clients.s3.list_objects_v2().bucket(&self.place.bucket).prefix(self.under(begins));
        let request = request.set_start_after(after.map(|key| self.under(key)));
        let pages = request.into_paginator().send().try_collect().await;
        let pages = pages.map_err(|error| self.failed("list", begins, &error))?;
        let keys = pages.into_iter().flat_map(|page| page.contents.unwrap_or_default());
        Ok(keys.filter_map(|object| self.own(&object.key?).map(str::to_owned)).collect())
    }

    async fn folders_now(&self, begins: &str) -> Result<Vec<String>, Trouble> {
        let clients = self.pool.reading(&self.region).await;
        let below = self.under(begins);
        let request = clients.s3.list_objects_v2().bucket(&self.place.bucket).prefix(&below).delimiter("/");
        let pages = request.into_paginator().send().try_collect().await;
        let pages = pages.map_err(|error| self.failed("list", begins, &error))?;
        let folders = pages.into_iter().flat_map(|page| page.common_prefixes.unwrap_or_default());
        let names = folders.filter_map(|folder| folder.prefix?.strip_prefix(&below).map(str::to_owned));
        Ok(names.map(|name| name.trim_end_matches('/').to_owned()).collect())
    }
}

impl Shelf for Bucket {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Found>, Trouble>> {
        self.get_now(key).boxed()
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        bytes: Vec<u8>,
        when: When<'a>,
    ) -> BoxFuture<'a, Result<Put, Trouble>> {
        self.put_now(key, bytes, when).boxed()
    }

    fn list<'a>(
        &'a self,
        begins: &'a str,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<String>, Trouble>> {
        self.list_now(begins, after).boxed()
    }

    fn folders<'a>(&'a self, begins: &'a str) -> BoxFuture<'a, Result<Vec<String>, Trouble>> {
        self.folders_now(begins).boxed()
    }

    fn address(&self, key: &str) -> String {
        format!("s3://{}/{}", self.place.bucket, self.under(key))
    }

    fn clock(&self) -> &dyn Clock {
        self.pool.clock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_bucket_and_a_prefix() {
        let place = S3Place::parse("s3://team-state/rgctl/games/").unwrap();
        assert_eq!((place.bucket.as_str(), place.prefix.as_str()), ("team-state", "rgctl/games"));
        assert_eq!(S3Place::parse("s3://team-state").unwrap().prefix, "");
        assert_eq!(S3Place::parse("s3:///x"), None);
        assert_eq!(S3Place::parse("/tmp"), None);
    }
}
