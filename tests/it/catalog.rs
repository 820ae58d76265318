//! The catalog, its price books, and the refresh against a price list on the loopback.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use rgctl::adapters::http::{
    PriceListHosts, RefreshError, RefreshEvent, RefreshOptions, RefreshReport, WantedRegion, load_book,
    refresh,
};
use rgctl::catalog::{
    Capability, Catalog, LayerKind, LimitValue, Offered, Price, PriceBookDocument, PriceKey, Unit, check,
};
use rgctl::cli::catalog as cli;
use rgctl::vocabulary::money::Currency;
use rgctl::vocabulary::names::{Partition, RegionId};
use rgctl::vocabulary::time::{Moment, Span};
use serde_json::{Value, json};

fn catalog() -> Catalog {
    Catalog::embedded().expect("every shipped row parses")
}
fn region(code: &str) -> RegionId {
    RegionId::new(code).expect("the code of a region")
}
fn now() -> Moment {
    Moment::parse_rfc3339("2026-11-21T10:00:00Z").expect("a time stamp")
}

#[test]
fn every_shipped_row_parses_and_is_counted() {
    let catalog = catalog();
    assert_eq!(catalog.book().prices().len(), 2_262);
    assert_eq!((catalog.limits().count(), catalog.regions().count()), (477, 9));
    for price in catalog.book().prices().values() {
        assert!(!price.source.is_empty() && price.layer == LayerKind::Embedded);
    }
}

#[test]
fn nothing_is_priced_where_it_is_not_sold_and_prices_are_in_the_currency_of_the_region() {
    let catalog = catalog();
    for (key, price) in catalog.book().prices() {
        let offered = catalog.offered(&key.service, &key.engine, &key.sku, &region(&key.region));
        // Services beside the four have no engine and no table of classes; their price is the proof.
        assert_eq!(offered, Offered::Yes, "{key}");
        assert_eq!(catalog.currency_of(&key.region), Some(price.money.currency), "{key}");
    }
    assert_eq!(check(&catalog), Ok(Vec::new()), "the shipped prices keep the usual relations");
}

#[test]
fn a_price_is_zero_only_where_the_source_says_that_nothing_is_billed() {
    for (key, price) in catalog().book().prices() {
        assert!(!price.money.amount.is_zero() || price.note.contains("not billed"), "{key}");
    }
}

#[test]
fn what_is_unknown_stays_unknown() {
    let catalog = catalog();
    let china = region("cn-north-1");
    assert_eq!(catalog.offered("aurora", "aurora-mysql", "db.r6g.large", &china), Offered::Yes);
    assert_eq!(
        catalog.class_price("aurora", "db.r6g.large", "aurora-mysql", "standard", &china),
        Price::Unknown
    );
    assert!(
        catalog
            .class_price("aurora", "db.r6g.large", "aurora-mysql", "standard", &region("us-east-1"))
            .known()
            .is_some()
    );
    assert_eq!(catalog.offered("aurora", "aurora-mysql", "db.r6i.large", &china), Offered::No);
    assert_eq!(
        catalog.offered("aurora", "aurora-mysql", "db.r6g.large", &region("eu-west-9")),
        Offered::Unknown
    );
    assert_eq!(catalog.offered("aurora", "aurora-mysql", "db.z99.large", &china), Offered::Unknown);
    assert_eq!(catalog.class("elasticache", "cache.r8g.large").and_then(|class| class.memory_gib), None);
}

#[test]
fn capabilities_limits_versions_and_regions_are_answered_by_the_nearest_statement() {
    let catalog = catalog();
    let (virginia, beijing) = (region("us-east-1"), region("cn-north-1"));
    assert_eq!(catalog.capability("aurora", "global-database", &virginia), Capability::Yes);
    assert_eq!(catalog.capability("aurora", "backtrack", &beijing), Capability::No);
    assert_eq!(catalog.capability("elasticache", "serverless", &beijing), Capability::Probable);
    assert_eq!(catalog.capability("docdb", "serverless", &virginia), Capability::Unknown);
    assert_eq!(catalog.capability("partition", "fault-injection-service", &beijing), Capability::No);
    assert_eq!(catalog.capability("aurora", "flying", &virginia), Capability::Unknown);
    let readers =
        catalog.limit("aurora", "readers-per-cluster", "us-east-1").expect("a limit of all regions");
    assert_eq!(readers.value, LimitValue::Number(15.0));
    let versions = catalog.versions("aurora", "aurora-postgresql");
    assert!(versions.iter().any(|version| !version.is_deprecated));
    let region = catalog.region(&beijing).expect("a region of the catalog");
    assert_eq!((region.partition, region.currency), (Partition::AwsCn, Currency::Cny));
    assert_eq!(region.dns_suffix, "amazonaws.com.cn");
}

#[test]
fn a_contract_price_lies_over_all_others_and_odd_ones_are_doubted() {
    let entry = |sku: &str, engine: &str, config: &str, price: f64| {
        json!({ "service": "aurora", "sku": sku, "engine": engine, "config": config, "region": "us-east-1", "unit": "hour",
                "currency": "USD", "price": price, "source": "contract 4711", "date": "2026-07-01" })
    };
    let document = json!({
        "apiVersion": "rgctl.dev/v1alpha1", "kind": "PriceBook", "metadata": { "name": "mine" },
        "spec": { "prices": [
            entry("db.r6g.large", "aurora-mysql", "standard", 0.2),
            entry("db.r6g.large", "aurora-mysql", "io-optimized", 0.9),
            entry("db.r6g.lagre", "aurora-mysql", "standard", 0.2),
        ] }
    });
    let document: PriceBookDocument = serde_json::from_value(document).expect("a good document");
    let catalog = catalog();
    let layer = document.into_layer(|code| catalog.currency_of(code)).expect("good entries");
    let catalog = catalog.with_layer(layer);
    let price =
        catalog.class_price("aurora", "db.r6g.large", "aurora-mysql", "standard", &region("us-east-1"));
    let price = price.known().expect("the contract's price");
    assert_eq!((price.layer, price.money.to_string().as_str()), (LayerKind::Contract, "0.20 USD"));
    let findings: Vec<String> =
        check(&catalog).expect("the relations parse").iter().map(ToString::to_string).collect();
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings[0].contains("db.r6g.lagre") && findings[1].contains("4.50 times"), "{findings:?}");
}

// ---- the refresh ----

/// What the server does with a request.
#[derive(Clone)]
enum Answer {
    /// The file with this `ETag`; a fitting range request gets the rest.
    File { body: Vec<u8>, etag: &'static str },
    /// The same, but the connection breaks after so many bytes of the file.
    Cut { body: Vec<u8>, etag: &'static str, after: usize },
    /// A status without content.
    Status(u16),
}

#[derive(Default)]
struct Shelf {
    /// What to answer for a path, one after the other; the last answer stays.
    answers: BTreeMap<String, Vec<Answer>>,
    /// Requests as they came: path and range.
    asked: Vec<(String, Option<String>)>,
}

/// A price list on the loopback.
struct PriceList {
    host: String,
    shelf: Arc<Mutex<Shelf>>,
}

impl PriceList {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let host = format!("http://{}", listener.local_addr().expect("an address"));
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let list = Self { host, shelf: Arc::clone(&shelf) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that has gone away is no matter here.
                let _ = serve(stream, &shelf);
            }
        });
        list.put_index("aws", "us-east-1");
        list.put_index("cn", "cn-north-1");
        list
    }
    fn put(&self, path: &str, answers: Vec<Answer>) {
        self.shelf.lock().expect("no panic under the lock").answers.insert(path.to_owned(), answers);
    }
    fn put_json(&self, path: &str, document: &Value) {
        self.put(path, vec![Answer::File { body: document.to_string().into_bytes(), etag: "\"i\"" }]);
    }
    fn put_index(&self, root: &str, code: &str) {
        let service = json!({ "offers": { "AmazonRDS": {
            "offerCode": "AmazonRDS", "currentRegionIndexUrl": format!("/offers/v1.0/{root}/AmazonRDS/current/region_index.json") } } });
        self.put_json(&format!("/offers/v1.0/{root}/index.json"), &service);
        let regions = json!({ "regions": { code: { "regionCode": code, "currentVersionUrl": offer_path(root, code) } } });
        self.put_json(&format!("/offers/v1.0/{root}/AmazonRDS/current/region_index.json"), &regions);
    }
    fn put_offer(&self, answers: Vec<Answer>) {
        self.put(&offer_path("aws", "us-east-1"), answers);
    }
    /// The ranges asked of the offer file, in order.
    fn ranges(&self) -> Vec<Option<String>> {
        let books = self.shelf.lock().expect("no panic under the lock");
        let path = offer_path("aws", "us-east-1");
        books.asked.iter().filter(|(asked, _)| *asked == path).map(|(_, range)| range.clone()).collect()
    }
}

fn offer_path(root: &str, code: &str) -> String {
    format!("/offers/v1.0/{root}/AmazonRDS/20261120180000/{code}/index.json")
}

fn serve(mut stream: TcpStream, shelf: &Mutex<Shelf>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut range, mut if_range) = (None, None);
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("range: ") {
            range = Some(value.to_owned());
        }
        if let Some(value) = line.strip_prefix("if-range: ") {
            if_range = Some(value.to_owned());
        }
    }
    let answer = {
        let mut shelf = shelf.lock().expect("no panic under the lock");
        shelf.asked.push((path.clone(), range.clone()));
        match shelf.answers.get_mut(&path) {
            Some(answers) if answers.len() > 1 => answers.remove(0),
            Some(answers) => answers[0].clone(),
            None => Answer::Status(404),
        }
    };
    let (body, etag, after) = match answer {
        Answer::Status(status) => {
            return write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
        Answer::File { body, etag } => (body, etag, usize::MAX),
        Answer::Cut { body, etag, after } => (body, etag, after),
    };
    let from = range
        .filter(|_| if_range.as_deref() == Some(etag))
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let total = body.len();
    let start = from.unwrap_or(0);
    let (status, more) = match from {
        Some(from) => (206, format!("content-range: bytes {from}-{}/{total}\r\n", total - 1)),
        None => (200, String::new()),
    };
    let length = total - start;
    write!(
        stream,
        "HTTP/1.1 {status} X\r\netag: {etag}\r\ncontent-length: {length}\r\nconnection: close\r\n{more}\r\n"
    )?;
    stream.write_all(&body[start..total.min(after.max(start))])
}

/// A price list file with one instance price and some ballast.
fn offer_file(price: &str, code: &str, currency: &str) -> Vec<u8> {
    let ballast: serde_json::Map<String, Value> = (0..2_000)
        .map(|at| {
            (
                format!("Z{at}"),
                json!({ "productFamily": "Other", "attributes": { "usagetype": format!("Other:{at}") } }),
            )
        })
        .collect();
    let mut products = json!({ "A": { "productFamily": "Database Instance", "attributes": {
        "usagetype": "InstanceUsage:db.r6g.large", "instanceType": "db.r6g.large", "databaseEngine": "Aurora MySQL",
        "regionCode": code, "locationType": "AWS Region" } } });
    products.as_object_mut().expect("an object").extend(ballast);
    let terms = json!({ "OnDemand": { "A": { "A.T": { "priceDimensions": { "A.T.D": {
        "unit": "Hrs", "beginRange": "0", "endRange": "Inf", "pricePerUnit": { currency: price } } } } } } });
    json!({ "formatVersion": "v1.0", "offerCode": "AmazonRDS", "version": "20261120180000",
            "publicationDate": "2026-11-20T18:00:00Z", "products": products, "terms": terms })
    .to_string()
    .into_bytes()
}

fn options(list: &PriceList, dir: &Path) -> RefreshOptions {
    let wanted = vec![WantedRegion { code: region("us-east-1"), currency: Currency::Usd }];
    RefreshOptions {
        hosts: PriceListHosts { aws: list.host.clone(), aws_cn: list.host.clone() },
        attempts_max: 3,
        backoff: Span::from_millis(1),
        ..RefreshOptions::new(dir.to_owned(), wanted, vec!["AmazonRDS".to_owned()])
    }
}

fn run(options: &RefreshOptions) -> (Result<RefreshReport, RefreshError>, Vec<RefreshEvent>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut events = Vec::new();
    let result = runtime.block_on(refresh(options, now(), &mut |event| events.push(event)));
    (result, events)
}

fn price_in(dir: &Path) -> Option<String> {
    let book = load_book(dir).expect("a book that can be read")?;
    let key = PriceKey::new("aurora", "db.r6g.large", "aurora-mysql", "standard", "us-east-1", Unit::Hour);
    Some(book.layer.prices.get(&key)?.money.amount.to_string())
}

fn whole(price: &str) -> Vec<Answer> {
    vec![Answer::File { body: offer_file(price, "us-east-1", "USD"), etag: "\"one\"" }]
}

#[test]
fn a_refresh_writes_a_dated_book_that_lies_over_the_shipped_prices() {
    let (list, dir) = (PriceList::start(), tempfile::tempdir().expect("a folder"));
    list.put_offer(whole("0.2610000000"));
    let report = run(&options(&list, dir.path())).0.expect("a good list");
    assert_eq!((report.prices, report.changed, report.kept), (1, 1, 0));
    let catalog = cli::open(dir.path(), None).expect("a good book");
    let price =
        catalog.class_price("aurora", "db.r6g.large", "aurora-mysql", "standard", &region("us-east-1"));
    let price = price.known().expect("it was in the list");
    assert_eq!((price.layer, price.as_of.text()), (LayerKind::Refreshed, "2026-11-21"));
    assert_eq!(price.source, "price list AmazonRDS 20261120180000");
    let book = load_book(dir.path()).expect("a book that can be read").expect("a book");
    assert_eq!(book.offers[0].bytes, offer_file("0.2610000000", "us-east-1", "USD").len() as u64);
    assert_eq!(
        book.offers[0].sha256,
        rgctl::catalog::sha256_hex(&offer_file("0.2610000000", "us-east-1", "USD"))
    );
}

#[test]
fn a_broken_download_goes_on_where_it_stopped() {
    let (list, dir) = (PriceList::start(), tempfile::tempdir().expect("a folder"));
    let body = offer_file("0.26", "us-east-1", "USD");
    let cut = |after| Answer::Cut { body: body.clone(), etag: "\"one\"", after };
    list.put_offer(vec![cut(1_000), Answer::Status(503), cut(5_000)]);
    let (result, events) = run(&options(&list, dir.path()));
    assert!(matches!(result, Err(RefreshError::Incomplete { done: 0, .. })), "{result:?}");
    assert!(events.iter().any(|event| matches!(event, RefreshEvent::Again { .. })));
    assert_eq!(price_in(dir.path()), None, "a cut file is no book");
    // Another process, later.
    list.put_offer(vec![Answer::File { body, etag: "\"one\"" }]);
    run(&options(&list, dir.path())).0.expect("the rest comes");
    assert_eq!(price_in(dir.path()).as_deref(), Some("0.26"));
    let ranges = list.ranges();
    assert_eq!(ranges.len(), 4);
    assert_eq!(ranges[0], None);
    assert_eq!(ranges[2].as_deref(), Some("bytes=1000-"), "{ranges:?}");
    assert_eq!(ranges[3].as_deref(), Some("bytes=5000-"), "{ranges:?}");
}

#[test]
fn a_file_that_changed_meanwhile_is_fetched_from_its_beginning() {
    let (list, dir) = (PriceList::start(), tempfile::tempdir().expect("a folder"));
    let old = offer_file("0.11", "us-east-1", "USD");
    let new = offer_file("0.26", "us-east-1", "USD");
    list.put_offer(vec![
        Answer::Cut { body: old, etag: "\"one\"", after: 4_000 },
        Answer::File { body: new, etag: "\"two\"" },
    ]);
    run(&options(&list, dir.path())).0.expect("the new file is whole");
    assert_eq!(price_in(dir.path()).as_deref(), Some("0.26"));
    assert_eq!(list.ranges()[1].as_deref(), Some("bytes=4000-"));
}

#[test]
fn a_good_book_outlives_every_bad_answer() {
    let (list, dir) = (PriceList::start(), tempfile::tempdir().expect("a folder"));
    list.put_offer(whole("0.26"));
    run(&options(&list, dir.path())).0.expect("a good list");
    let before = std::fs::read(dir.path().join("prices.book")).expect("the book");
    let file = |text: &str| vec![Answer::File { body: text.as_bytes().to_vec(), etag: "\"x\"" }];
    let half = offer_file("0.30", "us-east-1", "USD");
    let body = half[..half.len() / 2].to_vec();
    let bad = [
        ("an error page", file("<html>busy</html>")),
        ("half a file of the right length", vec![Answer::File { body, etag: "\"x\"" }]),
        ("another document", file("{\"offerCode\":\"AmazonRDS\",\"products\":{},\"terms\":{}}")),
        (
            "something after the end",
            vec![Answer::File { body: [half.clone(), b"}".to_vec()].concat(), etag: "\"x\"" }],
        ),
        (
            "another region",
            vec![Answer::File { body: offer_file("0.30", "eu-west-1", "USD"), etag: "\"x\"" }],
        ),
        (
            "another currency",
            vec![Answer::File { body: offer_file("0.30", "us-east-1", "CNY"), etag: "\"x\"" }],
        ),
        ("too much", vec![Answer::File { body: vec![b' '; 3_000_000], etag: "\"x\"" }]),
        ("always busy", vec![Answer::Status(503)]),
        ("not there", vec![Answer::Status(404)]),
    ];
    std::fs::remove_dir_all(dir.path().join("refresh")).expect("the kept files");
    for (name, answers) in bad {
        list.put_offer(answers);
        let options = RefreshOptions { bytes_max: 1_000_000, ..options(&list, dir.path()) };
        let (result, _) = run(&options);
        assert!(matches!(result, Err(RefreshError::Incomplete { .. })), "{name}: {result:?}");
        assert_eq!(std::fs::read(dir.path().join("prices.book")).expect("the book"), before, "{name}");
    }
    // And nothing of the bad answers is in the way of the next good one.
    list.put_offer(whole("0.31"));
    run(&options(&list, dir.path())).0.expect("a good list");
    assert_eq!(price_in(dir.path()).as_deref(), Some("0.31"));
}

#[test]
fn a_file_that_was_read_is_not_fetched_again_and_other_regions_are_kept() {
    let (list, dir) = (PriceList::start(), tempfile::tempdir().expect("a folder"));
    list.put_offer(whole("0.26"));
    run(&options(&list, dir.path())).0.expect("a good list");
    let (_, events) = run(&options(&list, dir.path()));
    assert!(events.iter().any(|event| matches!(event, RefreshEvent::Reused(_))), "{events:?}");
    assert_eq!(list.ranges().len(), 1);
    let body = offer_file("1.75", "cn-north-1", "CNY");
    list.put(&offer_path("cn", "cn-north-1"), vec![Answer::File { body, etag: "\"c\"" }]);
    let china = vec![WantedRegion { code: region("cn-north-1"), currency: Currency::Cny }];
    let report =
        run(&RefreshOptions { regions: china, ..options(&list, dir.path()) }).0.expect("a good list");
    assert_eq!((report.prices, report.kept, report.changed), (2, 1, 1));
    let catalog = cli::open(dir.path(), None).expect("a good book");
    let price =
        catalog.class_price("aurora", "db.r6g.large", "aurora-mysql", "standard", &region("cn-north-1"));
    assert_eq!(price.money().map(|money| money.to_string()).as_deref(), Some("1.75 CNY"));
}

#[test]
fn an_offer_or_region_that_the_list_lacks_is_told_and_is_no_failure() {
    let (list, dir) = (PriceList::start(), tempfile::tempdir().expect("a folder"));
    list.put_offer(whole("0.26"));
    let offers = vec!["AmazonRDS".to_owned(), "AmazonDocDB".to_owned()];
    let report =
        run(&RefreshOptions { offers, ..options(&list, dir.path()) }).0.expect("one of two is there");
    assert_eq!(report.not_offered.len(), 1);
    assert_eq!(report.not_offered[0].to_string(), "AmazonDocDB in us-east-1");
    let elsewhere = vec![WantedRegion { code: region("eu-west-1"), currency: Currency::Usd }];
    let (result, _) = run(&RefreshOptions { regions: elsewhere, ..options(&list, dir.path()) });
    assert!(matches!(result, Err(RefreshError::Nothing)), "{result:?}");
    assert_eq!(price_in(dir.path()).as_deref(), Some("0.26"));
}

#[test]
fn an_index_cannot_send_us_to_another_host() {
    let (list, dir) = (PriceList::start(), tempfile::tempdir().expect("a folder"));
    for path in
        ["https://elsewhere.example/x.json", "//elsewhere.example/x.json", "@elsewhere.example/x.json"]
    {
        let regions =
            json!({ "regions": { "us-east-1": { "regionCode": "us-east-1", "currentVersionUrl": path } } });
        list.put_json("/offers/v1.0/aws/AmazonRDS/current/region_index.json", &regions);
        let (result, _) = run(&options(&list, dir.path()));
        assert!(result.is_err_and(|error| error.to_string().contains("not a path on its host")), "{path}");
    }
}

// ---- the lists ----

fn listed(args: &cli::ListArgs, list: impl Fn(&cli::ListArgs, &Catalog, &mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    list(args, &catalog(), &mut out);
    String::from_utf8(out).expect("text")
}

#[test]
fn the_lists_are_text_or_json() {
    let args = cli::ListArgs {
        service: Some("docdb".to_owned()),
        region: Some("us-east-1".to_owned()),
        ..cli::ListArgs::default()
    };
    let json = cli::ListArgs { output: cli::ListFormat::Json, ..args.clone() };
    let prices = |args: &cli::ListArgs, catalog: &Catalog, out: &mut Vec<u8>| {
        cli::prices(args, catalog, now(), out).expect("a list");
    };
    let text = listed(&args, prices);
    assert!(
        text.contains("13 prices. What is not listed has no known price.\nSome are older than 90d"),
        "{text}"
    );
    let document: Value = serde_json::from_str(&listed(&json, prices)).expect("JSON");
    assert_eq!(document["format"], "rgctl.catalog-prices");
    assert_eq!(document["prices"].as_array().map(Vec::len), Some(13));
    let classes = |args: &cli::ListArgs, catalog: &Catalog, out: &mut Vec<u8>| {
        cli::classes(args, catalog, out).expect("a list");
    };
    assert!(
        listed(&args, classes).lines().any(|line| line.contains("db.r6g.large") && line.contains("arm64"))
    );
    assert!(serde_json::from_str::<Value>(&listed(&json, classes)).is_ok());
    let limits = |args: &cli::ListArgs, catalog: &Catalog, out: &mut Vec<u8>| {
        cli::limits(args, catalog, out).expect("a list");
    };
    assert!(listed(&args, limits).contains("replicas-per-cluster"));
    assert!(serde_json::from_str::<Value>(&listed(&json, limits)).is_ok());
}
