//! Digests: equal digests stand for equal content.

use serde::Serialize;
use sha2::{Digest, Sha256};

/// SHA-256 in lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// SHA-256 over many values, one after the other, without a text of them all.
#[derive(Clone, Debug, Default)]
pub struct Digester {
    digest: Sha256,
    text: Vec<u8>,
}

impl Digester {
    /// Adds a value in its JSON form. Values are maps with text keys, lists, numbers and texts, which always serialise.
    pub fn add(&mut self, value: &impl Serialize) {
        self.text.clear();
        let _ = serde_json::to_writer(&mut self.text, value);
        self.digest.update(&self.text);
    }
    /// Adds a text as it is.
    pub fn add_text(&mut self, text: &str) {
        self.digest.update(text.as_bytes());
    }
    /// The digest in hexadecimal digits.
    pub fn hex(self) -> String {
        hex(&self.digest.finalize())
    }
}

/// The first 128 bits of SHA-256 over the JSON form of a value, as a number. The buffer saves an allocation for each of
/// many values.
pub fn sha256_half(value: &impl Serialize, buffer: &mut Vec<u8>) -> u128 {
    buffer.clear();
    let _ = serde_json::to_writer(&mut *buffer, value);
    let digest = Sha256::digest(&*buffer);
    digest.iter().take(16).fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// Lower-case hexadecimal digits, two for each byte.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('0');
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 0xf));
    }
    text
}
