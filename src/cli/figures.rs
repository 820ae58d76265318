//! The catalog as the settings ask for it: shipped prices, the refreshed book, the user's own prices on top.

use super::catalog;
use super::error::Failure;
use super::settings::Settings;
use crate::catalog::Catalog;

/// The catalog.
pub fn catalog(settings: &Settings) -> Result<Catalog, Failure> {
    Ok(catalog::open(&settings.catalog_dir(), None)?)
}
