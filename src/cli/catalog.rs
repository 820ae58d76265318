//! `rgctl catalog`: refresh the price book; list prices, classes and limits.
//!
//! Goes in: arguments, a catalog, the time. Comes out: data on one writer, talk on the other.
//!
//! **Invariant:** a list says of every price where and when it was seen, and never leaves out that one is unknown.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use comfy_table::{Cell, CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::error::Failure;
use super::exit::Exit;
use super::names;
use rgctl_catalog::{
    Catalog, CatalogError, ContractError, DatesInUse, InstanceClass, LimitValue, Offered, PRICE_AGE_MAX,
    PriceBookDocument, check, offer_codes, service_of_offer,
};
use rgctl_http::{PriceListHosts, RefreshError, RefreshEvent, RefreshOptions, RefreshReport, WantedRegion};
use rgctl_schema::diagnostic::did_you_mean;
use rgctl_schema::names::{NameError, RegionId};
use rgctl_schema::time::{Moment, Span};

/// Where the refreshed price book lives under the state folder.
pub const CATALOG_FOLDER: &str = "catalog";

/// Why a catalog command failed.
#[derive(Debug, thiserror::Error)]
pub enum CatalogCommandError {
    /// The shipped tables cannot be read.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The refresh did not replace the book, or the book cannot be read.
    #[error(transparent)]
    Refresh(#[from] RefreshError),
    /// The user's price book is refused.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// An argument is not the code of a region.
    #[error("`{given}` is not the code of a region: {problem}")]
    Region {
        /// The argument.
        given: String,
        /// What is wrong with it.
        problem: NameError,
    },
    /// An argument names something that the catalog does not have.
    #[error("the catalog knows no {what} `{given}`; {}", nearest(given, known))]
    NotKnown {
        /// What kind of thing.
        what: &'static str,
        /// The argument.
        given: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The output cannot be written.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
}

impl From<CatalogCommandError> for Failure {
    fn from(error: CatalogCommandError) -> Self {
        match error {
            CatalogCommandError::Output(error) => error.into(),
            error @ (CatalogCommandError::Contract(_)
            | CatalogCommandError::Region { .. }
            | CatalogCommandError::NotKnown { .. }) => Self::of(Exit::BadInput, &error),
            error => Self::of(Exit::Error, &error),
        }
    }
}

fn nearest(given: &str, known: &[String]) -> String {
    did_you_mean(given, known.iter().map(String::as_str))
        .map_or_else(|| format!("it knows {}", known.join(", ")), |near| format!("did you mean `{near}`?"))
}

/// How a list is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// A table for people.
    #[default]
    Text,
    /// One JSON document with a format name and version.
    Json,
}

/// Arguments of `catalog refresh`.
#[derive(Args, Clone, Debug)]
pub struct RefreshArgs {
    /// Region to read prices of; repeat for several. All regions of the catalog when absent
    #[arg(long = "region", value_name = "REGION")]
    pub regions: Vec<String>,
    /// Service to read prices of, by its name in the catalog; repeat for several. All when absent
    #[arg(long = "service", value_name = "SERVICE")]
    pub services: Vec<String>,
    /// Folder of the price book; set from the state folder
    #[arg(skip)]
    pub dir: PathBuf,
    /// Host of the price list of partition aws, such as a mirror
    #[arg(long, value_name = "URL")]
    pub price_list_host: Option<String>,
    /// Host of the price list of partition aws-cn
    #[arg(long, value_name = "URL")]
    pub price_list_host_cn: Option<String>,
    /// Minutes after which the refresh gives up; what arrived is kept
    #[arg(long, value_name = "MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=1_440))]
    pub minutes_max: u64,
}

/// Arguments of `catalog prices`, `catalog classes` and `catalog limits`.
#[derive(Args, Clone, Debug, Default)]
pub struct ListArgs {
    /// Only of this service, by its name in the catalog
    #[arg(long, value_name = "SERVICE")]
    pub service: Option<String>,
    /// Only of this engine
    #[arg(long, value_name = "ENGINE")]
    pub engine: Option<String>,
    /// Only of this region
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// How to write the list; set from the global option
    #[arg(skip)]
    pub output: ListFormat,
}

impl ListArgs {
    /// Whether the catalog knows what was asked for.
    pub fn check(&self, catalog: &Catalog) -> Result<(), Failure> {
        let prices = catalog.book().prices();
        let mut services: BTreeSet<String> = prices.keys().map(|key| key.service.to_string()).collect();
        services.extend(catalog.limits().map(|limit| limit.service.clone()));
        let mut engines: BTreeSet<String> = prices.keys().map(|key| key.engine.to_string()).collect();
        for (service, engine) in catalog.engines() {
            services.insert(service.to_owned());
            engines.insert(engine.to_owned());
        }
        // Prices that hold for every engine name none.
        engines.remove("");
        let regions = catalog.regions().map(|region| region.code.to_string()).collect();
        let asked = [
            ("--service", "service", &self.service, services),
            ("--engine", "engine", &self.engine, engines),
            ("--region", "region", &self.region, regions),
        ];
        names::all_known(asked.into_iter().filter_map(|(option, what, given, known)| {
            given.as_deref().and_then(|given| names::unknown(option, what, given, &known))
        }))
    }
}

/// The shipped catalog with the refreshed book of a folder, if there is one, and the user's price book on top.
pub fn open(dir: &Path, contract: Option<PriceBookDocument>) -> Result<Catalog, CatalogCommandError> {
    let mut catalog = Catalog::embedded()?;
    if let Some(book) = rgctl_http::load_book(dir)? {
        catalog = catalog.with_layer(book.layer);
    }
    if let Some(document) = contract {
        let layer = document.into_layer(|region| catalog.currency_of(region))?;
        catalog = catalog.with_layer(layer);
    }
    Ok(catalog)
}

/// The refreshed book must not take the place of the user's own.
pub fn spare_contract(dir: &Path, contract: Option<&Path>) -> Result<(), Failure> {
    let Some(contract) = contract else { return Ok(()) };
    let is_same = |a: &Path, b: &Path| a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b));
    if !is_same(&dir.join(rgctl_http::BOOK_FILE), contract) {
        return Ok(());
    }
    let what = format!(
        "{} is the price book that was given, and the place of the refreshed one",
        contract.display()
    );
    Err(Failure::new(Exit::BadInput, what)
        .hint("nothing was done; move your own price book to another folder"))
}

/// Refreshes the price book of a folder from the provider's public price list.
pub async fn refresh(
    args: &RefreshArgs,
    now: Moment,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> Result<RefreshReport, CatalogCommandError> {
    let options = options(args)?;
    let mut talk = Ok(());
    let report = rgctl_http::refresh(&options, now, &mut |event| {
        if let (Ok(()), Some(line)) = (&talk, line_of(&event)) {
            talk = writeln!(err, "{line}");
        }
    })
    .await?;
    talk?;
    let catalog = open(&args.dir, None)?;
    for finding in check(&catalog)? {
        writeln!(err, "warning: {finding}")?;
    }
    writeln!(out, "{} prices in {}", report.prices, report.path.display())?;
    writeln!(out, "{} differ from the earlier book, {} were kept from it", report.changed, report.kept)?;
    Ok(report)
}

fn options(args: &RefreshArgs) -> Result<RefreshOptions, CatalogCommandError> {
    let catalog = Catalog::embedded()?;
    let known_regions = || catalog.regions().map(|region| region.code.to_string()).collect();
    let mut regions = Vec::new();
    for given in &args.regions {
        let code = region_id(given)?;
        let region = catalog.region(&code).ok_or_else(|| CatalogCommandError::NotKnown {
            what: "region",
            given: given.clone(),
            known: known_regions(),
        })?;
        regions.push(WantedRegion { code, currency: region.currency });
    }
    if regions.is_empty() {
        let all = catalog.regions();
        regions =
            all.map(|region| WantedRegion { code: region.code.clone(), currency: region.currency }).collect();
    }
    let mut offers = Vec::new();
    for code in offer_codes()? {
        let service = service_of_offer(code).unwrap_or_default();
        if args.services.is_empty() || args.services.iter().any(|given| given == service) {
            offers.push(code.to_owned());
        }
    }
    let services: Vec<String> =
        offer_codes()?.into_iter().filter_map(service_of_offer).map(str::to_owned).collect();
    if let Some(given) = args.services.iter().find(|given| !services.contains(given)) {
        return Err(CatalogCommandError::NotKnown { what: "service", given: given.clone(), known: services });
    }
    let hosts = PriceListHosts::default();
    Ok(RefreshOptions {
        hosts: PriceListHosts {
            aws: args.price_list_host.clone().unwrap_or(hosts.aws),
            aws_cn: args.price_list_host_cn.clone().unwrap_or(hosts.aws_cn),
        },
        time_max: Span::from_mins(args.minutes_max),
        ..RefreshOptions::new(args.dir.clone(), regions, offers)
    })
}

/// What is said about an event; nothing about single bytes.
fn line_of(event: &RefreshEvent) -> Option<String> {
    Some(match event {
        RefreshEvent::NotOffered(file) => format!("{file}: not in the price list"),
        RefreshEvent::Reused(file) => format!("{file}: unchanged since it was last read"),
        RefreshEvent::Started { file, from, total } => {
            let length = total.map_or_else(|| "unknown length".to_owned(), |total| format!("{total} bytes"));
            let from = if *from > 0 { format!(", going on after {from}") } else { String::new() };
            format!("{file}: {length}{from}")
        }
        RefreshEvent::Bytes(_) => return None,
        RefreshEvent::Again { file, reason } => format!("{file}: {reason}; trying again"),
        RefreshEvent::Done { file, prices, left_out } => {
            let mut text = format!("{file}: {prices} prices");
            for reason in left_out {
                text.push_str("\n  not taken: ");
                text.push_str(reason);
            }
            text
        }
        RefreshEvent::Failed(file) => format!("{file}: failed"),
        RefreshEvent::EarlierBookUnreadable(reason) => {
            format!("the earlier price book is replaced, since it cannot be read: {reason}")
        }
    })
}

fn region_id(given: &str) -> Result<RegionId, CatalogCommandError> {
    RegionId::new(given).map_err(|problem| CatalogCommandError::Region { given: given.to_owned(), problem })
}

fn is_asked(asked: Option<&str>, word: &str) -> bool {
    asked.is_none_or(|asked| asked == word)
}

/// Lists known prices, the strongest layer of each, then how old they are.
pub fn prices(
    args: &ListArgs,
    catalog: &Catalog,
    now: Moment,
    out: &mut (dyn Write + Send),
) -> Result<(), CatalogCommandError> {
    let all = catalog.book().prices();
    let asked: Vec<_> = all
        .into_iter()
        .filter(|(key, _)| {
            is_asked(args.service.as_deref(), &key.service)
                && is_asked(args.engine.as_deref(), &key.engine)
                && is_asked(args.region.as_deref(), &key.region)
        })
        .collect();
    let dates = DatesInUse::of(asked.iter().map(|(_, price)| *price));
    if args.output == ListFormat::Json {
        let rows = asked.iter().map(|(key, price)| json!({ "key": key, "price": price }));
        let rows: Vec<Value> = rows.collect();
        let stale = dates.has_stale(now);
        return write_json(
            out,
            &json!({ "format": "rgctl.catalog-prices", "version": 1, "stale": stale, "prices": rows }),
        );
    }
    let mut table = table([
        "SERVICE",
        "SKU",
        "ENGINE",
        "CONFIG",
        "REGION",
        "PRICE",
        "UNIT",
        "AS OF",
        "CONFIDENCE",
        "FROM",
    ]);
    for (key, price) in &asked {
        let money = format!("{} {}", price.money.amount, price.money.currency);
        table.add_row([
            Cell::new(&key.service),
            Cell::new(&key.sku),
            Cell::new(&key.engine),
            Cell::new(&key.config),
            Cell::new(&key.region),
            Cell::new(money).set_alignment(CellAlignment::Right),
            Cell::new(key.unit),
            Cell::new(price.as_of.text()),
            Cell::new(price.confidence.letter()),
            Cell::new(price.layer),
        ]);
    }
    write_table(out, &table)?;
    writeln!(out, "{} prices. What is not listed has no known price.", asked.len())?;
    if dates.has_stale(now) {
        writeln!(out, "Some are older than {PRICE_AGE_MAX} or have no date: run `rgctl catalog refresh`.")?;
    }
    Ok(())
}

/// Lists classes, with where they are sold, or whether they are in the region asked for, and their price there.
pub fn classes(
    args: &ListArgs,
    catalog: &Catalog,
    out: &mut (dyn Write + Send),
) -> Result<(), CatalogCommandError> {
    let region = args.region.as_deref().map(region_id).transpose()?;
    let asked = catalog.engines().filter(|(service, engine)| {
        is_asked(args.service.as_deref(), service) && is_asked(args.engine.as_deref(), engine)
    });
    let mut rows = Vec::new();
    for (service, engine) in asked {
        for name in catalog.class_names(service, engine) {
            let places: Vec<&RegionId> = match &region {
                Some(region) => vec![region],
                None => catalog.regions().map(|region| &region.code).collect(),
            };
            let is_sold = |place: &&&RegionId| catalog.offered(service, engine, name, place) == Offered::Yes;
            let sold: Vec<String> =
                places.iter().filter(|place| is_sold(place)).map(ToString::to_string).collect();
            if !sold.is_empty() {
                rows.push((service, engine, name, catalog.class(service, name), sold));
            }
        }
    }
    if args.output == ListFormat::Json {
        let rows: Vec<Value> = rows
            .iter()
            .map(|(service, engine, name, class, sold)| {
                json!({ "service": service, "engine": engine, "class": name, "size": class, "regions": sold })
            })
            .collect();
        return write_json(out, &json!({ "format": "rgctl.catalog-classes", "version": 1, "classes": rows }));
    }
    let mut table =
        table(["SERVICE", "ENGINE", "CLASS", "VCPU", "MEMORY GIB", "NETWORK GBPS", "ARCH", "REGIONS"]);
    for (service, engine, name, class, sold) in rows {
        table.add_row([
            Cell::new(service),
            Cell::new(engine),
            Cell::new(name),
            number(class.and_then(|class| class.vcpu).map(f64::from)),
            number(class.and_then(|class| class.memory_gib)),
            Cell::new(class.map_or_else(String::new, network)).set_alignment(CellAlignment::Right),
            Cell::new(class.map_or("unknown", |class| class.arch.as_str())),
            Cell::new(sold.join(" ")),
        ]);
    }
    write_table(out, &table)
}

/// Lists limits, quotas, constraints and capabilities.
pub fn limits(
    args: &ListArgs,
    catalog: &Catalog,
    out: &mut (dyn Write + Send),
) -> Result<(), CatalogCommandError> {
    let asked: Vec<_> = catalog
        .limits()
        .filter(|limit| is_asked(args.service.as_deref(), &limit.service))
        .filter(|limit| args.region.as_deref().is_none_or(|region| applies(catalog, &limit.scope, region)))
        .collect();
    if args.output == ListFormat::Json {
        return write_json(out, &json!({ "format": "rgctl.catalog-limits", "version": 1, "limits": asked }));
    }
    let mut table =
        table(["SERVICE", "ITEM", "KIND", "SCOPE", "VALUE", "UNIT", "ADJUSTABLE", "AS OF", "NOTE"]);
    for limit in asked {
        let value = match &limit.value {
            LimitValue::Number(number) => number.to_string(),
            LimitValue::Range(low, high) => format!("{low} to {high}"),
            LimitValue::Text(text) => text.clone(),
            LimitValue::Unknown => "unknown".to_owned(),
        };
        let adjustable = if limit.is_adjustable { "yes" } else { "no" };
        let words =
            [&*limit.service, &limit.item, &limit.kind, &limit.scope, &value, &limit.unit, adjustable];
        table.add_row(words.into_iter().chain([limit.as_of.text(), &*limit.note]));
    }
    write_table(out, &table)
}

/// Whether a statement of this scope holds in a region.
fn applies(catalog: &Catalog, scope: &str, region: &str) -> bool {
    let is_partition_of =
        |code: &RegionId| catalog.region(code).is_some_and(|region| region.partition.as_str() == scope);
    ["all", "account-region", region].contains(&scope)
        || RegionId::new(region).is_ok_and(|code| is_partition_of(&code))
}

fn network(class: &InstanceClass) -> String {
    match (class.network_gbps_baseline, class.network_gbps_burst) {
        (Some(baseline), Some(burst)) if baseline < burst => format!("{baseline} to {burst}"),
        (Some(gbps), _) | (None, Some(gbps)) => gbps.to_string(),
        (None, None) => "unknown".to_owned(),
    }
}

fn number(number: Option<f64>) -> Cell {
    let text = number.map_or_else(|| "unknown".to_owned(), |number| number.to_string());
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table
}

fn write_table(out: &mut (dyn Write + Send), table: &Table) -> Result<(), CatalogCommandError> {
    for line in table.to_string().lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn write_json(out: &mut (dyn Write + Send), document: &Value) -> Result<(), CatalogCommandError> {
    serde_json::to_writer_pretty(&mut *out, document).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}
