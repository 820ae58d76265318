//! The catalog as the settings ask for it: shipped prices, the refreshed book, the user's own prices on top.

use std::path::Path;

use super::catalog;
use super::error::Failure;
use super::exit::Exit;
use super::settings::Settings;
use crate::adapters::files::inputs;
use crate::blueprint::yaml;
use crate::catalog::{Catalog, PriceBookDocument};
use crate::report::diagnostics::{self, Colour};
use crate::vocabulary::diagnostic::{Diagnostics, Source};

/// A price book of a whole contract has some thousands of lines.
const PRICE_BOOK_BYTES_MAX: u64 = 1 << 20;

/// The catalog.
pub fn catalog(settings: &Settings) -> Result<Catalog, Failure> {
    let contract = settings.price_book.as_deref().map(price_book).transpose()?;
    Ok(catalog::open(&settings.catalog_dir(), contract)?)
}

fn price_book(path: &Path) -> Result<PriceBookDocument, Failure> {
    let source = Source::new(path.display().to_string(), inputs::read_text(path, PRICE_BOOK_BYTES_MAX)?);
    let refused = |why: &str| {
        Failure::new(Exit::BadInput, format!("{} is not a price book: {why}", path.display()))
            .hint("the form of a price book stands in docs/catalog.md")
    };
    let mut found = Diagnostics::default();
    let trees = yaml::parse(&source, &mut found);
    if found.has_errors() {
        let text = diagnostics::text(&found, &diagnostics::sources([&source]), Colour::No);
        return Err(refused(&format!("\n{}", text.trim_end())));
    }
    let [tree] = trees.as_slice() else {
        return Err(refused(&format!("it has {} documents, expected one", trees.len())));
    };
    serde_json::from_value(tree.to_json()).map_err(|error| refused(&error.to_string()))
}
