//! What every reader of the tool promises for any bytes: an answer, never a panic; and what it promises beyond that.
//!
//! Used twice: by the fuzz targets, which look for hours, and by `tests/it/fuzz.rs`, which holds each reader to the same
//! laws over the shipped files and what fuzzing has found.

use std::sync::LazyLock;

use rgctl::cli::saved::SavedPlan;
use rgctl::report::diagnostics::{self, Colour};
use rgctl::report::plan::Detail;
use rgctl::report::style::Style;
use rgctl_blueprint::document::ParsedDocuments;
use rgctl_blueprint::region::{self, RegionBook};
use rgctl_blueprint::{template, yaml};
use rgctl_catalog::{AsOf, Catalog, OfferAsk, PriceBookDocument, RefreshedBook, read_offer};
use rgctl_model::address::Address;
use rgctl_model::node::Desired;
use rgctl_model::overlay::Decisions;
use rgctl_model::plan::Plan;
use rgctl_model::policy::Consent;
use rgctl_scaling::telemetry::series::MinuteSeries;
use rgctl_scaling::telemetry::trace::Trace;
use rgctl_schema::calendar::Zone;
use rgctl_schema::diagnostic::{Diagnostics, Source};
use rgctl_schema::money::Currency;
use rgctl_schema::names::{BlueprintName, Name, RegionId, StoreName};
use rgctl_schema::quantity::{Bytes, Count, Factor, Halves, PerMonth, Share, TimeOfDay};
use rgctl_schema::section::{Setting as _, from_json};
use rgctl_schema::time::{Moment, Span};

static CATALOG: LazyLock<Catalog> =
    LazyLock::new(|| Catalog::embedded().expect("the embedded tables are whole"));
static REGIONS: LazyLock<RegionBook> =
    LazyLock::new(|| ParsedDocuments::of(RegionBook::default(), &region::built_in()).regions);

/// The day for which the shipped files are written.
const TODAY: Moment = Moment::from_secs(1_795_000_000);

/// A reader of bytes.
pub type Reader = fn(&[u8]);

/// Every reader, by the name of its fuzz target.
pub const ALL: [(&str, Reader); 8] = [
    ("blueprint", blueprint),
    ("region", region_file),
    ("template", template_file),
    ("saved_plan", saved_plan),
    ("trace", trace),
    ("price_book", price_book),
    ("offer", offer),
    ("quantity", quantity),
];

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// A blueprint: every diagnostic lies in the text, and what is accepted can be sized and expanded, or says why not.
pub fn blueprint(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let sources = [Source::new("input", text)];
    let mut reading = ParsedDocuments::of(REGIONS.clone(), &sources);
    reading.check(&CATALOG, TODAY);
    told_within(&reading.diagnostics, &sources[0]);
    if reading.diagnostics.has_errors() {
        return;
    }
    for loaded in &reading.blueprints {
        let built = rgctl_blueprint::desired::build(
            &loaded.blueprint,
            &reading.regions,
            &CATALOG,
            (&Decisions::default(), &rgctl_model::sizes::Sizes::default()),
            TODAY,
        );
        if let Ok(built) = built {
            needs_are_there(&built.desired);
        }
    }
}

/// A region: read on top of nothing, so that it alone counts.
pub fn region_file(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let sources = [Source::new("input", text)];
    let mut reading = ParsedDocuments::of(RegionBook::default(), &sources);
    reading.check(&CATALOG, TODAY);
    told_within(&reading.diagnostics, &sources[0]);
}

/// A template: what is told of it without rendering it stands in it. It is rendered in a process of its own only.
pub fn template_file(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    match template::check(&Source::new("input", text)) {
        Ok(scan) => assert!(scan.names.iter().chain(&scan.literals).all(|word| text.contains(word))),
        Err(problem) => {
            assert!(text.get(problem.span.start..problem.span.end).is_some_and(|it| it.len() == 2));
        }
    }
}

fn told_within(found: &Diagnostics, source: &Source) {
    for diagnostic in found {
        let span = diagnostic.span;
        assert!(
            span.start <= span.end && span.end <= source.text.len(),
            "{diagnostic} lies outside of the text"
        );
        assert!(source.text.is_char_boundary(span.start) && source.text.is_char_boundary(span.end));
    }
    let _ = diagnostics::text(found, &diagnostics::sources([source]), Colour::No);
    let _ = diagnostics::json(found);
}

fn needs_are_there(desired: &Desired) {
    for node in desired.nodes.values() {
        for need in &node.needs {
            assert!(desired.nodes.contains_key(need), "{} needs {need}, which is not wanted", node.address);
        }
    }
}

/// A saved plan; and a plan without its seal, which a person may have edited, can be shown.
pub fn saved_plan(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let _ = SavedPlan::parse(text);
    if let Ok(plan) = serde_json::from_str::<Plan>(text) {
        let _ = rgctl::report::plan::text(&plan, Style::PLAIN, Detail::Everything);
        let _ = rgctl::report::plan_markdown::markdown(&plan);
    }
}

/// A trace: its readings are finite and in order, and become a series.
pub fn trace(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let Ok(trace) = Trace::parse(text) else { return };
    assert!(trace.readings.windows(2).all(|pair| pair[0].0 < pair[1].0), "readings are in order");
    assert!(trace.readings.iter().all(|(_, value)| value.is_finite()), "readings are finite");
    let series = MinuteSeries::from_trace(&trace);
    let _ = series.in_units(3, 0.5);
}

/// A price book of a user, and one that was downloaded.
pub fn price_book(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let mut found = Diagnostics::default();
    for tree in yaml::parse(&Source::new("input", text), &mut found) {
        if let Ok(book) = serde_json::from_value::<PriceBookDocument>(tree.to_json()) {
            let _ = book.into_layer(|code| CATALOG.currency_of(code));
        }
    }
    let _ = RefreshedBook::decode(text);
}

/// A file of the provider's price list.
pub fn offer(bytes: &[u8]) {
    let ask = OfferAsk {
        offer: "AmazonElastiCache",
        region: "us-east-1",
        currency: Currency::Usd,
        seen: AsOf::of(TODAY),
    };
    let _ = read_offer(&mut serde_json::Deserializer::from_slice(bytes), &ask);
}

/// Words with a meaning: what is read is written so that it is read again as the same.
pub fn quantity(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    macro_rules! reads_what_it_writes {
        ($($Type:ty),+) => {
            $(if let Some(value) = <$Type>::parse(text) {
                assert!(<$Type>::parse(&value.to_string()).as_ref() == Some(&value), "{text:?} is written as `{value}`");
            })+
        };
    }
    reads_what_it_writes!(Bytes, Count, Factor, Halves, PerMonth, Share, TimeOfDay, Address, Consent);
    // A span is shown in its two largest units; what a document says of it is exact.
    if let Some(json) = Span::parse(text).and_then(|span| span.encode()) {
        assert_eq!(from_json::<Span>(&json).ok(), Span::parse(text));
    }
    if let Some(moment) = Moment::parse_rfc3339(text) {
        assert_eq!(Moment::parse_rfc3339(&moment.rfc3339()).map(Moment::as_secs), Some(moment.as_secs()));
    }
    let _ = (
        Zone::new(text),
        RegionId::new(text),
        StoreName::new(text),
        BlueprintName::new(text),
        Name::new(text),
    );
    let _ = (Currency::parse(text), rgctl_scaling::telemetry::trace::read_stamp(text));
}
