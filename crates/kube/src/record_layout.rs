//! Which object of a record is kept in which ConfigMap.
//!
//! Goes in: a key, such as `records/aws/123456789012/game/lines/…`. Comes out: the ConfigMap and the place in it.
//!
//! Lines of logs are small and many: so many of them share a ConfigMap. Everything else has one of its own.

use rgctl_schema::digest::sha256_hex;

/// Lines of a log in one ConfigMap: 64 of the largest decisions are a quarter of what it holds.
const PACK: u64 = 64;
/// The place in a ConfigMap that holds one object.
pub(crate) const WHOLE: &str = "content";

/// Where an object is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Name of the ConfigMap.
    pub map: String,
    /// Place in it.
    pub item: String,
    /// What the ConfigMap says that it is: the key, or that of the first of the lines that share it.
    pub key: String,
    /// What its ConfigMap has in common with all others of a folder.
    pub folder: String,
}

impl Place {
    /// Whether others share the ConfigMap.
    pub fn is_shared(&self) -> bool {
        self.item != WHOLE
    }
}

/// The folder of a key as a label: what follows the scope, up to the next slash, or the scope itself.
pub(crate) fn folder_label(begins: &str) -> String {
    short(folder_of(begins))
}

fn folder_of(key: &str) -> &str {
    // records/CLOUD/ACCOUNT/BLUEPRINT/FOLDER/REST
    let depth = if key.starts_with("records/") { 5 } else { 2 };
    let cut = key.match_indices('/').nth(depth - 1);
    cut.map_or_else(|| key.rsplit_once('/').map_or("", |(folder, _)| folder), |(end, _)| &key[..end])
}

fn short(text: &str) -> String {
    sha256_hex(text.as_bytes())[..16].to_owned()
}

/// Number of the line that a key of a log names.
pub(crate) fn number_of(key: &str) -> Option<u64> {
    let (folder, file) = key.rsplit_once('/')?;
    let is_log = folder.ends_with("/decisions") || folder.ends_with("/inbox");
    file.strip_suffix(".json").filter(|_| is_log)?.parse().ok()
}

/// The last line that shares a ConfigMap with the one of this number.
pub(crate) const fn last_beside(number: u64) -> u64 {
    number / PACK * PACK + PACK - 1
}

/// Where the object of a key is kept.
pub(crate) fn place_of(key: &str) -> Place {
    let folder = folder_of(key);
    let words: Vec<&str> = key.split('/').collect();
    let (sort, whose) = match words.as_slice() {
        ["records", _, _, blueprint, file] => (file.trim_end_matches(".json"), *blueprint),
        ["records", _, _, blueprint, folder, ..] => (*folder, *blueprint),
        _ => ("store", "rgctl"),
    };
    let (item, key) = match number_of(key) {
        Some(number) => {
            let first = number / PACK * PACK;
            let file = key.rsplit('/').next().unwrap_or_default();
            (file.to_owned(), format!("{folder}/{first:016}.json"))
        }
        None => (WHOLE.to_owned(), key.to_owned()),
    };
    Place { map: format!("rgctl-{sort}-{whose}-{}", short(&key)), item, key, folder: short(folder) }
}

/// Name of a part of an object that is too large for one ConfigMap, by the digest of the whole.
pub(crate) fn part_name(place: &Place, digest: &str, number: usize) -> String {
    format!("{}-{}-{number}", place.map, &digest[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAME: &str = "records/aws/123456789012/rocket-arena";

    #[test]
    fn lines_of_a_log_share_a_config_map_and_everything_else_has_one_of_its_own() {
        let line = |number: u64| place_of(&format!("{GAME}/decisions/{number:016}.json"));
        assert_eq!(line(1).map, line(63).map);
        assert_ne!(line(63).map, line(64).map);
        assert_ne!(line(1).item, line(2).item);
        assert_eq!((last_beside(1), last_beside(63), last_beside(64)), (63, 63, 127));
        let head = place_of(&format!("{GAME}/head.json"));
        assert!(head.map.starts_with("rgctl-head-rocket-arena-") && !head.is_shared(), "{head:?}");
        let elsewhere = place_of("records/aws/210987654321/rocket-arena/head.json");
        assert_ne!(head.map, elsewhere.map, "two accounts have nothing in common");
        let blobs = ["a", "a/b"].map(|name| place_of(&format!("{GAME}/blobs/{name}")));
        assert_ne!(blobs[0].map, blobs[1].map);
        assert_eq!(blobs[0].folder, folder_label(&format!("{GAME}/blobs/")));
        assert_eq!(blobs[1].folder, blobs[0].folder);
    }

    #[test]
    fn every_name_is_one_that_the_api_server_takes() {
        let longest = format!("records/sim/{}/{}", "w".repeat(64), "b".repeat(24));
        let end = format!("{:016}-{:016}-{}", 1, 9, "f".repeat(64));
        for key in [
            "head.json",
            "checkpoint.json",
            "inbox/0000000000000001.json",
            "blobs/x/y",
            &format!("lines/{end}.json"),
        ] {
            let place = place_of(&format!("{longest}/{key}"));
            let name = part_name(&place, &"a".repeat(64), 17);
            assert!(name.len() <= 253, "{name}");
            assert!(
                name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
                "{name}"
            );
            assert!(place.folder.len() <= 63);
        }
        assert_eq!(place_of("store.json").map, format!("rgctl-store-rgctl-{}", short("store.json")));
    }
}
