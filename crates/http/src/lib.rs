//! The provider's public price list, over HTTP.
//!
//! Goes in: which offers of which regions, and a folder. Comes out: a dated price book in that folder, or a list of what
//! could not be fetched.
//!
//! The list is a tree of JSON files without credentials: an index of services, for each service an index of regions with
//! the path of the version that is current there, and for each region an offer file. The two partitions have a host each.
//!
//! Tried only against a list on the loopback that has the documented shape: this was written where the provider's hosts
//! cannot be reached. What differs there gives an error or no price, never a wrong one.
//!
//! **Invariant:** the book is replaced as a whole, by renaming, and only when everything that was asked for arrived, was
//! whole and held prices. Until then the earlier book stays as it was.
//! **Invariant:** what arrived is kept: a file cut short goes on from where it stopped if the server still has the same
//! version of it (strong `ETag`), and a file that was read is not fetched again while its path is current.
//! **Invariant:** every file, every wait and the whole run have a bound.

mod download;
mod part;
mod refresh;
mod store;

use std::path::PathBuf;

pub use download::DownloadError;
pub use refresh::{
    FileName, PriceListHosts, RefreshEvent, RefreshOptions, RefreshReport, WantedRegion, refresh,
};
pub use store::{BOOK_FILE, load_book};

use rgctl_catalog::{BookError, CatalogError, OfferError};

/// Why a refresh did not replace the book.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The HTTP client cannot be set up.
    #[error("cannot set up an HTTP client: {0}")]
    Client(String),
    /// The shipped tables cannot be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A folder or a file cannot be read or written.
    #[error("{action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// Another refresh works in the same folder.
    #[error("another refresh is at work in {}", .0.display())]
    Busy(PathBuf),
    /// A file of the list could not be fetched.
    #[error("{url}")]
    Download {
        /// Its address.
        url: String,
        /// Why.
        #[source]
        source: DownloadError,
    },
    /// A file was fetched and is not a price list.
    #[error("{url}")]
    Offer {
        /// Its address.
        url: String,
        /// Why.
        #[source]
        source: OfferError,
    },
    /// An index names an address that is not on its own host.
    #[error("the index names `{path}`, which is not a path on its host")]
    Address {
        /// What it names.
        path: String,
    },
    /// A book cannot be written or read.
    #[error("price book {}", path.display())]
    Book {
        /// Its file.
        path: PathBuf,
        /// Why.
        #[source]
        source: BookError,
    },
    /// The list holds nothing of what was asked for.
    #[error("the price list holds none of the services in the regions asked for")]
    Nothing,
    /// The run took longer than allowed.
    #[error("the refresh took longer than {minutes} minutes; the same command goes on from here")]
    Time {
        /// The bound.
        minutes: u64,
    },
    /// Some files could not be had; the book is unchanged.
    #[error("{} of {} files could not be had, so the price book stays as it was; the same command goes on from here: {}",
        failed.len(), failed.len() + done, chains(failed))]
    Incomplete {
        /// How many files are whole and kept.
        done: usize,
        /// What failed.
        failed: Vec<RefreshError>,
    },
}

/// Each error with its causes, on one line.
fn chains(errors: &[RefreshError]) -> String {
    let chain = |error: &RefreshError| {
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    };
    errors.iter().map(chain).collect::<Vec<_>>().join("; ")
}
