//! The record in ConfigMaps: for the embedded cloud, trials and small estates.
//!
//! Goes in: keys, bytes, conditions. Comes out: what was read, whether it was put. What the objects are is in `rgctl_records`.
//!
//! They are no custom resources, have no owner and no finalizer, and are in the operator's namespace: who deletes a definition, a chart or
//! a tenant's namespace deletes no memory of what was begun. Nobody of ours watches them.
//!
//! **Invariant:** what is put on a condition is put by the version that was read, and sent once.
//! **Invariant:** what is too large for one ConfigMap is there whole, or not at all: the parts are put first, and named by the whole's digest.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use tokio::sync::OnceCell;

use crate::client::{Use, connect, passes, words};
use crate::place::KubePlace;
use crate::record_layout::{Place, WHOLE, folder_label, last_beside, number_of, part_name, place_of};
use crate::record_map::{FOLDER, OURS, PARTS, bare, item_of, key_of, parts_of, put_item};
use rgctl_model::ports::Clock;
use rgctl_records::Records;
use rgctl_records::shelf::{Found, Narrow, Put, Shelf, Trouble, When};
use rgctl_schema::digest::sha256_hex;

/// A record in ConfigMaps of a namespace, for who calls itself so. Nothing is read yet.
pub fn kube_store(place: KubePlace, name: &'static str, clock: Arc<dyn Clock>) -> Records {
    Records::on(Arc::new(Maps { place, name, client: OnceCell::new(), clock: Time(clock) }))
}

/// The same with a client that is there already.
pub fn kube_store_with(client: kube::Client, place: KubePlace, clock: Arc<dyn Clock>) -> Records {
    Records::on(Arc::new(Maps {
        place,
        name: "",
        client: OnceCell::new_with(Some(client)),
        clock: Time(clock),
    }))
}

/// Who writes the fields, for the API server.
const MANAGER: &str = "rgctl-record";
/// The most that is put into one ConfigMap, of which the API server takes 1 MiB.
const PART_BYTES: usize = 512 << 10;
/// Bytes up to which batches of lines are put together: so much is read and written at once.
const BATCH_BYTES: usize = 256 << 10;
/// The longest that one call takes, whatever becomes of it.
const ATTEMPT: Duration = Duration::from_secs(15);
/// How often a ConfigMap that others share is written again, when somebody else was faster.
const ROUNDS: usize = 32;
/// Names that are listed at a time.
const PAGE: u32 = 500;

struct Time(Arc<dyn Clock>);

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Time")
    }
}

struct Maps {
    place: KubePlace,
    name: &'static str,
    client: OnceCell<kube::Client>,
    clock: Time,
}

impl fmt::Debug for Maps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Maps({})", self.place)
    }
}

/// What became of a call: nothing where there is no such object.
enum Answer<T> {
    Done(T),
    None,
    /// It is not as it was read, or is there already.
    Conflict,
}

impl Maps {
    async fn api(&self) -> Result<Api<ConfigMap>, Trouble> {
        let client =
            self.client.get_or_try_init(|| connect(&self.place.cluster, self.name, Use::Calls)).await;
        let client = client.map_err(|error| Trouble::new(false, format!("{}: {error}", self.place)))?;
        Ok(Api::namespaced(client.clone(), &self.place.namespace))
    }

    async fn ask<T>(
        &self,
        verb: &str,
        key: &str,
        call: impl Future<Output = kube::Result<T>> + Send,
    ) -> Result<Answer<T>, Trouble> {
        let address = self.address(key);
        match tokio::time::timeout(ATTEMPT, call.boxed()).await {
            Err(_) => Err(Trouble::new(true, format!("cannot {verb} {address}: no answer in time"))),
            Ok(Ok(done)) => Ok(Answer::Done(done)),
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => Ok(Answer::Conflict),
            // That of a namespace names the namespace, and is no answer about an object.
            Ok(Err(kube::Error::Api(status))) if status.code == 404 && !is_of_namespace(&status) => {
                Ok(Answer::None)
            }
            Ok(Err(error)) => {
                let way_out = match &error {
                    kube::Error::Api(status) if status.code == 403 => {
                        ": the role in the namespace has to allow get, list, create, update, patch and delete of configmaps"
                    }
                    kube::Error::Api(status) if status.code == 404 => ": make the namespace first",
                    _ => "",
                };
                let text = format!("cannot {verb} {address}: {}{way_out}", words(&error));
                Err(Trouble::new(passes(&error), text))
            }
        }
    }

    async fn read(&self, name: &str, key: &str) -> Result<Option<ConfigMap>, Trouble> {
        let api = self.api().await?;
        match self.ask("read", key, api.get(name)).await? {
            Answer::Done(map) => Ok(Some(map)),
            Answer::None | Answer::Conflict => Ok(None),
        }
    }

    /// The ConfigMap of a place, if there is one, and it is that of this key.
    async fn map_of(&self, place: &Place, key: &str) -> Result<Option<ConfigMap>, Trouble> {
        let Some(map) = self.read(&place.map, key).await? else { return Ok(None) };
        if key_of(&map.metadata) == Some(&*place.key) {
            return Ok(Some(map));
        }
        let why = format!("the ConfigMap {} says that it is something else", place.map);
        Err(Trouble::new(false, format!("cannot read {}: {why}", self.address(key))))
    }

    async fn get_now(&self, key: &str) -> Result<Option<Found>, Trouble> {
        let place = place_of(key);
        for _ in 0..ROUNDS {
            let Some(map) = self.map_of(&place, key).await? else { return Ok(None) };
            let mark = map.metadata.resource_version.clone();
            let Some((count, digest)) = parts_of(&map).filter(|_| !place.is_shared()) else {
                return Ok(item_of(&map, &place.item).map(|bytes| (bytes, mark)));
            };
            let mut whole = Vec::new();
            for number in 0..count {
                let part = self.read(&part_name(&place, &digest, number), key).await?;
                whole.extend(part.and_then(|part| item_of(&part, WHOLE)).unwrap_or_default());
            }
            if sha256_hex(&whole) == digest {
                return Ok(Some((whole, mark)));
            }
            // Another one may have taken its place meanwhile. Else it is damaged, and whoever needs it finds that it is gone.
            if self.map_of(&place, key).await?.is_some_and(|now| now.metadata.resource_version == mark) {
                tracing::warn!(address = self.address(key), "parts of it were changed or removed");
                return Ok(None);
            }
        }
        Err(Trouble::new(true, format!("cannot read {}: it is written all the time", self.address(key))))
    }

    async fn create(&self, key: &str, map: &ConfigMap) -> Result<Put, Trouble> {
        let api = self.api().await?;
        match self.ask("write", key, api.create(&PostParams::default(), map)).await? {
            Answer::Done(_) => Ok(Put::Made),
            Answer::None | Answer::Conflict => Ok(Put::Lost),
        }
    }

    async fn replace(&self, key: &str, map: &ConfigMap) -> Result<Put, Trouble> {
        let api = self.api().await?;
        let name = map.metadata.name.as_deref().unwrap_or_default();
        match self.ask("write", key, api.replace(name, &PostParams::default(), map)).await? {
            Answer::Done(_) => Ok(Put::Made),
            Answer::None | Answer::Conflict => Ok(Put::Lost),
        }
    }

    async fn put_now(&self, key: &str, bytes: Vec<u8>, when: When<'_>) -> Result<Put, Trouble> {
        let place = place_of(key);
        if place.is_shared() {
            return self.put_beside(key, &place, &bytes, when).await;
        }
        let mut map = bare(place.map.clone(), &place);
        if bytes.len() <= PART_BYTES {
            put_item(&mut map, WHOLE, bytes);
        } else {
            let digest = sha256_hex(&bytes);
            for (number, part) in bytes.chunks(PART_BYTES).enumerate() {
                let labelled = Place {
                    key: format!("{key}#{number}"),
                    folder: format!("{}-parts", place.folder),
                    ..place.clone()
                };
                let mut map = bare(part_name(&place, &digest, number), &labelled);
                put_item(&mut map, WHOLE, part.to_vec());
                map.immutable = Some(true);
                // One that is there already is the same: its name tells what is in it.
                self.create(key, &map).await?;
            }
            let count = bytes.len().div_ceil(PART_BYTES);
            map.data = Some(BTreeMap::from([(PARTS.to_owned(), format!("{count} {digest}"))]));
        }
        match when {
            When::Absent => self.create(key, &map).await,
            When::Is(mark) => {
                map.metadata.resource_version = Some(mark.to_owned());
                // The head never has parts, and is exchanged most often.
                let is_head = key.ends_with("/head.json");
                let old = if is_head { None } else { self.read(&place.map, key).await? };
                let made = self.replace(key, &map).await?;
                if made == Put::Made {
                    self.remove_old_parts(key, &place, old.as_ref(), &map).await?;
                }
                Ok(made)
            }
            When::Always => self.put_always(key, &place, map).await,
        }
    }

    /// Puts an object whatever is there, and removes the parts of what was there.
    async fn put_always(&self, key: &str, place: &Place, map: ConfigMap) -> Result<Put, Trouble> {
        // A batch is named by its content.
        if key.contains("/lines/") {
            let map = ConfigMap { immutable: Some(true), ..map };
            return self.create(key, &map).await.map(|_| Put::Made);
        }
        let old = self.read(&place.map, key).await?;
        let api = self.api().await?;
        let manager = PatchParams::apply(MANAGER).force();
        self.ask("write", key, api.patch(&place.map, &manager, &Patch::Apply(&map))).await?;
        self.remove_old_parts(key, place, old.as_ref(), &map).await?;
        Ok(Put::Made)
    }

    async fn remove_old_parts(
        &self,
        key: &str,
        place: &Place,
        old: Option<&ConfigMap>,
        new: &ConfigMap,
    ) -> Result<(), Trouble> {
        match old.and_then(parts_of).filter(|old| parts_of(new).as_ref() != Some(old)) {
            Some((count, digest)) => self.remove_parts(key, place, count, &digest).await,
            None => Ok(()),
        }
    }

    /// Puts a line beside those that share its ConfigMap, provided that there is none of its number.
    async fn put_beside(
        &self,
        key: &str,
        place: &Place,
        bytes: &[u8],
        when: When<'_>,
    ) -> Result<Put, Trouble> {
        for _ in 0..ROUNDS {
            let read = self.map_of(place, key).await?;
            if when == When::Absent && read.as_ref().is_some_and(|map| item_of(map, &place.item).is_some()) {
                return Ok(Put::Lost);
            }
            let made = match read {
                None => {
                    let mut map = bare(place.map.clone(), place);
                    put_item(&mut map, &place.item, bytes.to_vec());
                    self.create(key, &map).await?
                }
                Some(mut map) => {
                    put_item(&mut map, &place.item, bytes.to_vec());
                    self.replace(key, &map).await?
                }
            };
            if made == Put::Made {
                return Ok(Put::Made);
            }
        }
        Err(Trouble::new(true, format!("cannot write {}: too many write to it at once", self.address(key))))
    }

    /// Names and keys of ConfigMaps with a label.
    async fn named(&self, key: &str, label: &str) -> Result<Vec<(String, String)>, Trouble> {
        let api = self.api().await?;
        let mut asked = ListParams::default().labels(label).limit(PAGE);
        let mut found = Vec::new();
        loop {
            let Answer::Done(page) = self.ask("list", key, api.list_metadata(&asked)).await? else {
                return Ok(found);
            };
            for one in page.items {
                let key = key_of(&one.metadata).map(str::to_owned);
                found.extend(one.metadata.name.clone().zip(key));
            }
            match page.metadata.continue_.filter(|more| !more.is_empty()) {
                Some(more) => asked = asked.continue_token(&more),
                None => return Ok(found),
            }
        }
    }

    async fn list_now(&self, begins: &str, after: Option<&str>) -> Result<Vec<String>, Trouble> {
        let of_folder = format!("{FOLDER}={}", folder_label(begins));
        let mut keys = BTreeSet::new();
        for (name, key) in self.named(begins, &of_folder).await? {
            let Some(number) = number_of(&key) else {
                keys.insert(key);
                continue;
            };
            // Of lines that share a ConfigMap the key is that of the first.
            if after.and_then(number_of).is_some_and(|after| last_beside(number) <= after) {
                continue;
            }
            let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
            let map = self.read(&name, &key).await?;
            let items = map.iter().flat_map(|map| map.data.iter().flat_map(BTreeMap::keys));
            keys.extend(items.map(|item| format!("{folder}/{item}")));
        }
        keys.retain(|key| key.starts_with(begins) && after.is_none_or(|after| &**key > after));
        Ok(keys.into_iter().collect())
    }

    async fn many_now(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Trouble> {
        let mut maps: BTreeMap<String, Option<ConfigMap>> = BTreeMap::new();
        let mut found = Vec::new();
        for key in keys {
            let place = place_of(key);
            if !place.is_shared() {
                found.push(self.get_now(key).await?.map(|(bytes, _)| bytes));
                continue;
            }
            if !maps.contains_key(&place.map) {
                let map = self.map_of(&place, key).await?;
                maps.insert(place.map.clone(), map);
            }
            let map = maps.get(&place.map).and_then(Option::as_ref);
            found.push(map.and_then(|map| item_of(map, &place.item)));
        }
        Ok(found)
    }

    async fn folders_now(&self, begins: &str) -> Result<Vec<String>, Trouble> {
        let ours = format!("{}={}", OURS.0, OURS.1);
        let named = self.named(begins, &ours).await?;
        let words = named.iter().filter_map(|(_, key)| key.strip_prefix(begins)?.split_once('/'));
        Ok(words.map(|(word, _)| word.to_owned()).collect::<BTreeSet<_>>().into_iter().collect())
    }

    async fn delete(&self, name: &str, key: &str) -> Result<(), Trouble> {
        let api = self.api().await?;
        self.ask("remove", key, api.delete(name, &DeleteParams::default())).await.map(drop)
    }

    async fn remove_parts(
        &self,
        key: &str,
        place: &Place,
        count: usize,
        digest: &str,
    ) -> Result<(), Trouble> {
        for number in 0..count {
            self.delete(&part_name(place, digest, number), key).await?;
        }
        Ok(())
    }

    async fn remove_now(&self, key: &str) -> Result<(), Trouble> {
        let place = place_of(key);
        let parts = self.read(&place.map, key).await?.as_ref().and_then(parts_of);
        self.delete(&place.map, key).await?;
        match parts {
            Some((count, digest)) => self.remove_parts(key, &place, count, &digest).await,
            None => Ok(()),
        }
    }

    async fn forget_now(&self, begins: &str, up_to: u64) -> Result<(), Trouble> {
        let of_folder = format!("{FOLDER}={}", folder_label(begins));
        for (name, key) in self.named(begins, &of_folder).await? {
            if number_of(&key).is_some_and(|first| last_beside(first) <= up_to) {
                self.delete(&name, &key).await?;
            }
        }
        Ok(())
    }
}

/// Whether an answer says that the namespace is not there.
fn is_of_namespace(status: &kube::core::Status) -> bool {
    status.details.as_ref().is_some_and(|details| details.kind == "namespaces")
}

impl Shelf for Maps {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Found>, Trouble>> {
        self.get_now(key).boxed()
    }

    fn many<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Vec<u8>>>, Trouble>> {
        self.many_now(keys).boxed()
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
        format!("{}/{}", self.place, place_of(key).map)
    }

    fn clock(&self) -> &dyn Clock {
        &*self.clock.0
    }

    fn narrow(&self) -> Option<&dyn Narrow> {
        Some(self)
    }
}

impl Narrow for Maps {
    fn batch_bytes(&self) -> usize {
        BATCH_BYTES
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), Trouble>> {
        self.remove_now(key).boxed()
    }

    fn forget<'a>(&'a self, begins: &'a str, up_to: u64) -> BoxFuture<'a, Result<(), Trouble>> {
        self.forget_now(begins, up_to).boxed()
    }
}
