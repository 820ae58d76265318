//! The catalog as the settings ask for it: shipped prices, the refreshed book, the user's own prices on top.

use std::path::Path;
use std::sync::Arc;

use super::catalog;
use super::error::Failure;
use super::exit::Exit;
use super::settings::Settings;
use crate::report::diagnostics::{self, Colour};
use rgctl_blueprint::desired::Clusters;
use rgctl_blueprint::yaml;
use rgctl_catalog::{Catalog, LimitValue, PriceBookDocument, price_bill, price_range};
use rgctl_engine::planning::Figures;
use rgctl_machine::inputs::{self, DOCUMENT_BYTES_MAX};
use rgctl_model::bill::{CostRange, StoreBill};
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::node::{Desired, Usage};
use rgctl_schema::diagnostic::{Diagnostics, Source};
use rgctl_schema::money::Total;
use rgctl_schema::names::RegionId;
use rgctl_schema::time::Moment;

/// The limit that says how much memory the service keeps for itself.
const RESERVED_MEMORY: &str = "reserved-memory-percent-default";

/// The catalog.
pub fn catalog(settings: &Settings) -> Result<Catalog, Failure> {
    let contract = settings.price_book.as_deref().map(price_book).transpose()?;
    Ok(catalog::open(&settings.catalog_dir(), contract)?)
}

fn price_book(path: &Path) -> Result<PriceBookDocument, Failure> {
    let source = Source::new(inputs::shown(path), inputs::read_text(path, DOCUMENT_BYTES_MAX)?);
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

/// Prices and capacities of one desired state, from the catalog.
pub struct CatalogFigures {
    catalog: Arc<Catalog>,
    clusters: Clusters,
    now: Moment,
}

impl CatalogFigures {
    /// The desired state tells which cluster a member belongs to, on which its price depends.
    pub fn new(catalog: impl Into<Arc<Catalog>>, desired: &Desired, now: Moment) -> Self {
        Self { catalog: catalog.into(), clusters: Clusters::of(desired), now }
    }

    /// The catalog that they are from.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }
}

impl Figures for CatalogFigures {
    fn cost(&self, attrs: &AnyAttrs, usage: &Usage, region: &RegionId) -> Total {
        let lines = self.clusters.bill_of(attrs, usage, region);
        price_bill(&self.catalog, region, &lines).total
    }

    fn range(&self, bill: &StoreBill) -> CostRange {
        price_range(&self.catalog, bill)
    }

    /// What is kept in memory is bounded by the memory of its nodes, less what the service keeps for itself; other kinds
    /// grow by themselves, or are not known here.
    fn capacity_gib(&self, attrs: &AnyAttrs) -> Option<f64> {
        let service = attrs.kind().family();
        let class = self.catalog.class(service, &attrs.text("node_type")?)?;
        let shards = attrs.get("shards").and_then(|shards| shards.as_f64()).unwrap_or(1.0);
        let reserved = match self.catalog.limit(service, RESERVED_MEMORY, "all")?.value {
            LimitValue::Number(percent) => percent / 100.0,
            LimitValue::Range(..) | LimitValue::Text(_) | LimitValue::Unknown => return None,
        };
        Some(class.memory_gib? * shards * (1.0 - reserved))
    }

    fn limit(&self, service: &str, item: &str, region: &RegionId) -> Option<u64> {
        self.catalog.limit_number(service, item, region.as_str())
    }

    fn sources(&self) -> Vec<String> {
        self.catalog.book().origins(self.now)
    }
}
