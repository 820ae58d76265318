//! The catalog, its price books, and the refresh against a price list on the loopback.

mod price_list;

use std::path::Path;
use std::sync::LazyLock;

use rgctl::cli::catalog as cli;
use rgctl_catalog::{
    AsOf, Capability, Catalog, LayerKind, LimitValue, OfferAsk, Offered, Price, PriceBookDocument, PriceKey,
    RefreshedBook, Unit, check, read_offer,
};
use rgctl_http::{
    PriceListHosts, RefreshError, RefreshEvent, RefreshOptions, RefreshReport, WantedRegion, load_book,
    refresh,
};
use rgctl_schema::money::Currency;
use rgctl_schema::names::{Partition, RegionId};
use rgctl_schema::time::{Moment, Span};
use serde_json::{Value, json};

use price_list::{Answer, PriceList, offer_file, offer_path};

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
    assert_eq!(catalog.book().prices().len(), 2_322);
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
    for config in ["", "-", "on-demand"] {
        let price =
            catalog.class_price("elasticache", "cache.r6g.large", "valkey", config, &region("us-east-1"));
        assert!(price.known().is_some(), "the price of a node does not depend on `{config}`");
    }
    assert_eq!(
        catalog.class_price("aurora", "db.r6g.large", "aurora-mysql", "", &region("us-east-1")),
        Price::Unknown
    );
    assert_eq!(catalog.class("elasticache", "cache.r8g.large").and_then(|class| class.memory_gib), None);
}

#[test]
fn capabilities_limits_versions_and_regions_are_answered_by_the_nearest_statement() {
    let catalog = catalog();
    let (virginia, beijing) = (region("us-east-1"), region("cn-north-1"));
    assert_eq!(catalog.capability("aurora", "global-database", &virginia), Capability::Yes);
    assert_eq!(catalog.capability("aurora", "backtrack", &beijing), Capability::No);
    assert_eq!(catalog.capability("elasticache", "serverless", &beijing), Capability::Probable);
    assert_eq!(catalog.capability("docdb", "serverless", &virginia), Capability::Yes);
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
            entry("db.r6g.xlarge", "aurora-mysql", "-", 0.4),
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
    let [misspelt, ratio, unconfigured] = findings.as_slice() else { panic!("{findings:#?}") };
    assert!(
        misspelt.contains("db.r6g.lagre") && unconfigured.contains("db.r6g.xlarge (aurora-mysql)"),
        "{findings:#?}"
    );
    assert!(ratio.contains("4.50 times"), "{findings:#?}");
}

#[test]
fn the_price_book_in_the_documentation_is_a_good_one() {
    let page = include_str!("../../docs/catalog.md");
    let yaml = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let document: PriceBookDocument = serde_yaml::from_str(yaml).expect("a good document");
    let catalog = catalog();
    let catalog = catalog
        .clone()
        .with_layer(document.into_layer(|code| catalog.currency_of(code)).expect("good entries"));
    let beijing = region("cn-north-1");
    let price = catalog.class_price("aurora", "db.r6g.large", "aurora-mysql", "standard", &beijing);
    assert_eq!(price.money().map(|money| money.to_string()).as_deref(), Some("1.75 CNY"));
    let price = catalog.class_price("elasticache", "cache.r7g.large", "valkey", "", &beijing);
    assert_eq!(price.monthly().map(|money| money.to_string()).as_deref(), Some("744.60 CNY"));
    assert_eq!(check(&catalog), Ok(Vec::new()));
}

static OFFER_FILE: LazyLock<Vec<u8>> = LazyLock::new(|| offer_file("0.26", "us-east-1", "USD"));

proptest::proptest! {
    #[test]
    fn no_text_makes_the_readers_panic(text in "(\\PC|\\n){0,200}", cut in 0usize..2_000, flip in 0usize..2_000) {
        let _ = RefreshedBook::decode(&text);
        let _ = serde_json::from_str::<PriceBookDocument>(&text);
        let mut bytes = OFFER_FILE.get(..cut).expect("the file is longer").to_vec();
        if let Some(byte) = bytes.get_mut(flip) {
            *byte ^= 0x15;
        }
        let ask = OfferAsk { offer: "AmazonRDS", region: "us-east-1", currency: Currency::Usd, seen: AsOf::of(now()) };
        proptest::prop_assert!(read_offer(&mut serde_json::Deserializer::from_slice(&bytes), &ask).is_err());
    }
}

// ---- the refresh ----

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
    let (list, dir) = (PriceList::start(), crate::cli::folder());
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
        rgctl_schema::digest::sha256_hex(&offer_file("0.2610000000", "us-east-1", "USD"))
    );
}

#[test]
fn a_broken_download_goes_on_where_it_stopped() {
    let (list, dir) = (PriceList::start(), crate::cli::folder());
    let body = offer_file("0.26", "us-east-1", "USD");
    let cut = |after| Answer::Cut { body: body.clone(), etag: "\"one\"", after };
    list.put_offer(vec![cut(1_000), Answer::Status(503), cut(5_000)]);
    let (result, events) = run(&options(&list, dir.path()));
    assert!(matches!(result, Err(RefreshError::Incomplete { done: 0, .. })), "{result:?}");
    assert!(events.iter().any(|event| matches!(event, RefreshEvent::Again { .. })));
    assert_eq!(price_in(dir.path()), None, "a cut file is no book");
    // Another process, later.
    list.put_offer(vec![Answer::File { body, etag: "\"one\"" }]);
    let (result, events) = run(&options(&list, dir.path()));
    result.expect("the rest comes");
    let from = |event: &RefreshEvent| matches!(event, RefreshEvent::Started { from: 5_000, .. });
    assert!(events.iter().any(from), "only the rest is fetched: {events:?}");
    assert_eq!(price_in(dir.path()).as_deref(), Some("0.26"));
    let ranges = list.ranges();
    assert_eq!(ranges.len(), 4);
    assert_eq!(ranges[0], None);
    assert_eq!(ranges[2].as_deref(), Some("bytes=1000-"), "{ranges:?}");
    assert_eq!(ranges[3].as_deref(), Some("bytes=5000-"), "{ranges:?}");
}

#[test]
fn a_file_that_changed_meanwhile_is_fetched_from_its_beginning() {
    let (list, dir) = (PriceList::start(), crate::cli::folder());
    let old = offer_file("0.11", "us-east-1", "USD");
    let new = offer_file("0.26", "us-east-1", "USD");
    let cut = Answer::Cut { body: old, etag: "\"one\"", after: 4_000 };
    list.put_offer(vec![cut.clone(), Answer::File { body: new, etag: "\"two\"" }]);
    run(&options(&list, dir.path())).0.expect("the new file is whole");
    assert_eq!(price_in(dir.path()).as_deref(), Some("0.26"));
    assert_eq!(list.ranges()[1].as_deref(), Some("bytes=4000-"));
    // A server that sends the rest of the new file after the beginning of the old one.
    let (list, dir) = (PriceList::start(), crate::cli::folder());
    let new = offer_file("0.31", "us-east-1", "USD");
    list.put_offer(vec![cut, Answer::Stubborn { body: new, etag: "\"two\"" }]);
    run(&options(&list, dir.path())).0.expect("the new file is fetched again");
    assert_eq!(price_in(dir.path()).as_deref(), Some("0.31"));
    assert_eq!(list.ranges(), [None, Some("bytes=4000-".to_owned()), None]);
}

#[test]
fn a_good_book_outlives_every_bad_answer() {
    let (list, dir) = (PriceList::start(), crate::cli::folder());
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
    let (list, dir) = (PriceList::start(), crate::cli::folder());
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
fn a_book_is_written_when_every_file_is_there_and_not_before() {
    let (list, dir) = (PriceList::start(), crate::cli::folder());
    list.put_offer(whole("0.26"));
    let mut options = options(&list, dir.path());
    options.regions.push(WantedRegion { code: region("cn-north-1"), currency: Currency::Cny });
    let (result, _) = run(&options);
    assert!(
        matches!(&result, Err(RefreshError::Incomplete { done: 1, failed }) if failed.len() == 1),
        "{result:?}"
    );
    assert!(result.is_err_and(|error| error.to_string().contains("the server answered 404")));
    assert_eq!(price_in(dir.path()), None);
    let body = offer_file("1.75", "cn-north-1", "CNY");
    list.put(&offer_path("cn", "cn-north-1"), vec![Answer::File { body, etag: "\"c\"" }]);
    assert_eq!(run(&options).0.expect("both are there").prices, 2);
    assert_eq!(list.ranges().len(), 1, "the first file was kept");
}

#[test]
fn an_offer_or_region_that_the_list_lacks_is_told_and_is_no_failure() {
    let (list, dir) = (PriceList::start(), crate::cli::folder());
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
    let (list, dir) = (PriceList::start(), crate::cli::folder());
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

#[test]
fn a_silent_server_and_a_second_refresh_are_bounded() {
    let (list, dir) = (PriceList::start(), crate::cli::folder());
    list.put_offer(vec![Answer::Silence]);
    let (result, _) = run(&RefreshOptions { time_max: Span::from_millis(50), ..options(&list, dir.path()) });
    assert!(matches!(result, Err(RefreshError::Time { .. })), "{result:?}");
    let lock = std::fs::File::create(dir.path().join("refresh/lock")).expect("the lock's file");
    lock.try_lock().expect("the first refresh has freed it");
    let (result, _) = run(&options(&list, dir.path()));
    assert!(matches!(result, Err(RefreshError::Busy(_))), "{result:?}");
}

#[derive(clap::Parser)]
struct Refresh {
    #[command(flatten)]
    args: cli::RefreshArgs,
}

#[test]
fn the_command_refreshes_from_a_mirror_and_tells_what_it_does() {
    let (list, dir) = (PriceList::start(), crate::cli::folder());
    list.put_offer(whole("0.26"));
    let words = |more: &[&'static str]| {
        let fixed = ["rgctl", "--price-list-host", &list.host, "--region", "us-east-1"];
        let read = <Refresh as clap::Parser>::try_parse_from(fixed.into_iter().chain(more.iter().copied()));
        cli::RefreshArgs { dir: dir.path().to_owned(), ..read.expect("good arguments").args }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let run = |args: &cli::RefreshArgs| {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let result = runtime.block_on(cli::refresh(args, now(), &mut out, &mut err));
        (result.map(|_| ()), String::from_utf8(out).expect("text"), String::from_utf8(err).expect("text"))
    };
    let (result, out, err) = run(&words(&["--service", "aurora"]));
    result.expect("a good list");
    assert!(
        out.starts_with("1 prices in ") && err.contains("AmazonRDS in us-east-1: 1 prices"),
        "{out}{err}"
    );
    let (result, out, _) = run(&words(&["--service", "auroar"]));
    let error = result.expect_err("no such service").to_string();
    assert!(error.contains("no service `auroar`; did you mean `aurora`?") && out.is_empty(), "{error}");
    let (result, _, _) = run(&words(&["--region", "Mars"]));
    assert!(result.is_err_and(|error| error.to_string().contains("`Mars` is not the code of a region")));
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
        text.contains("21 prices. What is not listed has no known price.\nSome are older than 90d"),
        "{text}"
    );
    let document: Value = serde_json::from_str(&listed(&json, prices)).expect("JSON");
    assert_eq!(document["format"], "rgctl.catalog-prices");
    assert_eq!(document["prices"].as_array().map(Vec::len), Some(21));
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
