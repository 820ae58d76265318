//! A file that was fetched: read as a price list, and its bytes counted into a digest.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::download::discard;
use super::refresh::FileName;
use rgctl_catalog::{AsOf, OfferAsk, OfferError, OfferPrices, read_offer};
use rgctl_machine::inputs;
use rgctl_schema::digest::hex;
use rgctl_schema::money::Currency;
use rgctl_schema::time::Moment;

/// Why a fetched file is of no use.
pub(super) enum PartError {
    /// It is no price list.
    Offer(OfferError),
    /// It cannot be read, or not removed.
    File(std::io::Error),
}

/// Reads a fetched file, away from the thread that serves the network. One that is no price list is removed, so that the
/// next attempt begins anew.
pub(super) async fn read_part(
    part: &Path,
    file: &FileName,
    currency: Currency,
    now: Moment,
) -> Result<(OfferPrices, String), PartError> {
    let (path, file) = (part.to_owned(), file.clone());
    let read = tokio::task::spawn_blocking(move || {
        let opened =
            inputs::open_file(&path).map_err(|error| PartError::File(std::io::Error::other(error)))?;
        let mut reader = BufReader::with_capacity(1 << 20, Hashing { file: opened, sha256: Sha256::new() });
        let ask =
            OfferAsk { offer: &file.offer, region: file.region.as_str(), currency, seen: AsOf::of(now) };
        let mut deserializer = serde_json::Deserializer::from_reader(&mut reader);
        let offer = read_offer(&mut deserializer, &ask).and_then(|offer| {
            deserializer.end().map_err(|error| OfferError::Unreadable(error.to_string()))?;
            Ok(offer)
        });
        match offer {
            Ok(offer) => Ok((offer, hex(&reader.into_inner().sha256.finalize()))),
            Err(error) => {
                discard(&path).map_err(PartError::File)?;
                Err(PartError::Offer(error))
            }
        }
    });
    read.await.unwrap_or_else(|error| Err(PartError::File(std::io::Error::other(error))))
}

/// A file whose bytes are counted into a digest as they are read.
struct Hashing {
    file: File,
    sha256: Sha256,
}

impl Read for Hashing {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(into)?;
        if let Some(bytes) = into.get(..count) {
            self.sha256.update(bytes);
        }
        Ok(count)
    }
}
