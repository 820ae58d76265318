//! What a record adds up to at a position, kept so that nobody reads it from the beginning again; and small memories beside it.
//!
//! **Invariant:** a checkpoint stands for the lines that lead to its hash, and for no others.
//! **Invariant:** it is a convenience: where it is not whole, or of another version, the record is read.

use std::fmt;

use rgctl_schema::digest::sha256_hex;

/// The largest state of a checkpoint, in bytes: what is larger is read from the record.
pub const CHECKPOINT_BYTES_MAX: usize = 48 << 20;
/// The largest blob, in bytes: the memory of a learner about one axis.
pub const BLOB_BYTES_MAX: usize = 20 * 1024;
/// Blobs of one scope at most: every axis of a large blueprint has room.
pub const BLOBS_MAX: usize = 2_000;

/// The state that the lines up to a position add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Position of the last line that is in it.
    pub seq: u64,
    /// Digest of that line.
    pub hash: String,
    /// Version of the form of the state. Of another one nothing is read.
    pub version: u32,
    /// The state, as its owner writes it.
    pub state: String,
    /// Digest of all that.
    pub digest: String,
}

impl Checkpoint {
    /// A checkpoint at the line with that position and digest.
    pub fn new(seq: u64, hash: String, version: u32, state: String) -> Self {
        let digest = digest(seq, &hash, version, &state);
        Self { seq, hash, version, state, digest }
    }

    /// Whether it is as it was written.
    pub fn is_whole(&self) -> bool {
        self.digest == digest(self.seq, &self.hash, self.version, &self.state)
    }
}

fn digest(seq: u64, hash: &str, version: u32, state: &str) -> String {
    sha256_hex(format!("{seq} {hash} {version} {state}").as_bytes())
}

/// The name of a blob: words of small letters, digits and `-._`, joined by `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey(String);

impl BlobKey {
    /// The longest name, in bytes.
    pub const MAX: usize = 200;

    /// A name; nothing when it is none.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let is_word = |word: &str| {
            word.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte))
        };
        (text.len() <= Self::MAX && text.split('/').all(is_word)).then_some(Self(text))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_that_was_changed_anywhere_is_not_whole() {
        let good = Checkpoint::new(7, "abc".into(), 1, "{}".into());
        assert!(good.is_whole());
        for changed in [
            Checkpoint { seq: 8, ..good.clone() },
            Checkpoint { hash: "abd".into(), ..good.clone() },
            Checkpoint { version: 2, ..good.clone() },
            Checkpoint { state: "[]".into(), ..good.clone() },
            Checkpoint { digest: String::new(), ..good },
        ] {
            assert!(!changed.is_whole(), "{changed:?}");
        }
    }

    #[test]
    fn a_name_of_a_blob_is_words_and_leads_nowhere_else() {
        for good in ["a", "scaler/accounts/us-east-1/readers", "v1.2_x/0"] {
            assert_eq!(BlobKey::new(good).map(|key| key.to_string()).as_deref(), Some(good));
        }
        for wrong in ["", "/a", "a/", "a//b", "../a", "a/..", ".a", "A", "a b", "a%2f", "ä", &"a".repeat(201)]
        {
            assert_eq!(BlobKey::new(wrong), None, "{wrong}");
        }
    }
}
