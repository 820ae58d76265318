//! Tags, which every service has in a type of its own.

/// Writes a map of tags in the type of a service.
macro_rules! tags_for {
    ($service:ident, $map:expr) => {
        Some(
            $map.iter()
                .map(|(key, value)| $service::types::Tag::builder().key(key).value(value).build())
                .collect::<Vec<_>>(),
        )
    };
}
pub(crate) use tags_for;

/// Reads a list of tags of any service.
macro_rules! tags_from {
    ($list:expr) => {
        $list
            .iter()
            .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned())))
            .collect::<std::collections::BTreeMap<String, String>>()
    };
}
pub(crate) use tags_from;
