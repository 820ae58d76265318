//! One ConfigMap of the record: its labels, the key that it stands for, and what is in it. Which one a key is in is
//! [`record_layout`](super::record_layout)'s.
//!
//! Pure: no client is in here.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::record_layout::Place;

/// Label of all that is ours, and its value.
pub const OURS: (&str, &str) = ("app.kubernetes.io/managed-by", "rgctl-record");
/// Label of what is in one folder.
pub const FOLDER: &str = "rgctl.dev/folder";
/// Annotation with the key.
pub const KEY: &str = "rgctl.dev/key";
/// The place in a ConfigMap that tells how many parts there are, and the digest of the whole.
pub const PARTS: &str = "parts";

/// The bytes of an item: text where it is text, so that a person can read it.
pub fn item_of(map: &ConfigMap, item: &str) -> Option<Vec<u8>> {
    let text = map.data.as_ref().and_then(|data| data.get(item)).map(|text| text.clone().into_bytes());
    text.or_else(|| map.binary_data.as_ref()?.get(item).map(|bytes| bytes.0.clone()))
}

/// Puts them in.
pub fn put_item(map: &mut ConfigMap, item: &str, bytes: Vec<u8>) {
    match String::from_utf8(bytes) {
        Ok(text) => map.data.get_or_insert_default().insert(item.to_owned(), text),
        Err(other) => {
            let bytes = ByteString(other.into_bytes());
            map.binary_data.get_or_insert_default().insert(item.to_owned(), bytes);
            None
        }
    };
}

/// The key that it stands for.
pub fn key_of(meta: &ObjectMeta) -> Option<&str> {
    meta.annotations.as_ref()?.get(KEY).map(String::as_str)
}

/// A ConfigMap without content.
pub fn bare(name: String, place: &Place) -> ConfigMap {
    let labels = [(OURS.0, OURS.1), (FOLDER, &*place.folder)];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let metadata = ObjectMeta {
        name: Some(name),
        labels: Some(BTreeMap::from(labels)),
        annotations: Some(BTreeMap::from([(KEY.to_owned(), place.key.clone())])),
        ..ObjectMeta::default()
    };
    ConfigMap { metadata, ..ConfigMap::default() }
}

/// How many parts there are, and the digest of the whole.
pub fn parts_of(map: &ConfigMap) -> Option<(usize, String)> {
    let text = map.data.as_ref()?.get(PARTS)?;
    let (count, digest) = text.split_once(' ')?;
    Some((count.parse().ok()?, digest.to_owned()))
}
