//! Estimates: monotone, surviving, honest about what they do not know.

use proptest::prelude::*;

use rgctl::cli::capacity::{CapacityArgs, document, write_text};
use rgctl_blueprint::capacity::{self, Estimate, survivors};
use rgctl_blueprint::document::ParsedDocuments;
use rgctl_blueprint::spec::Blueprint;
use rgctl_model::overlay::{Axis, Decisions};
use rgctl_model::sizes::Sizes;
use rgctl_schema::names::StoreName;
use rgctl_schema::quantity::Count;

use rgctl_testkit::fixtures::NOW;
use rgctl_testkit::shipped::{SHIPPED, catalog, shipped};

fn estimates(blueprint: &Blueprint, reading: &ParsedDocuments) -> Vec<Estimate> {
    capacity::estimate(blueprint, &reading.regions, &catalog(), &Sizes::default(), NOW)
}

fn of<'e>(estimates: &'e [Estimate], store: &str) -> &'e Estimate {
    estimates.iter().find(|estimate| estimate.store.as_str() == store).unwrap()
}

fn row(estimate: &Estimate, quantity: &str) -> f64 {
    let row = estimate.rows.iter().find(|row| row.quantity == quantity);
    row.unwrap_or_else(|| panic!("{quantity} is not among {:?}", estimate.rows)).value
}

/// The cost of an hour, or where nothing has a price the processors in all.
fn weight(estimate: &Estimate) -> f64 {
    let catalog = catalog();
    let class = estimate.size.class.as_deref().unwrap();
    let service = match estimate.engine.as_str() {
        "documentdb" => "docdb",
        "redshift" => "redshift",
        "valkey" | "redis" => "elasticache",
        _ => "aurora",
    };
    let engine = if service == "docdb" { "docdb" } else { &estimate.engine };
    let now = |axis| estimate.size.counts.get(&axis).map_or(0, |count| count.now);
    let machines = match service {
        "elasticache" => now(Axis::Shards) * (1 + now(Axis::Replicas)),
        "redshift" => now(Axis::Nodes),
        _ => now(Axis::Readers) + 1,
    };
    let config = if matches!(service, "aurora" | "docdb") { "standard" } else { "-" };
    let price = catalog.class_price(service, class, engine, config, &estimate.region);
    let unit = price.money().map_or_else(
        || f64::from(catalog.class(service, class).unwrap().vcpu.unwrap()),
        |money| money.amount.try_into().unwrap(),
    );
    unit * f64::from(machines)
}

#[test]
fn requests_and_misses_of_the_cache_reach_the_stores_as_stated() {
    let (blueprint, reading) = shipped("rocket-arena");
    let found = estimates(&blueprint, &reading);
    // 200,000 players × 30 a minute: 100,000 requests a second, of which 60 % meet the cache.
    let ranking = of(&found, "ranking");
    assert!((row(ranking, "requests at the peak") - 60_000.0).abs() < 1e-6);
    assert!((row(ranking, "reads") - 57_000.0).abs() < 1e-6);
    // One read of ten misses.
    assert!((row(of(&found, "matches"), "reads behind the cache") - 5_700.0).abs() < 1e-3);
    assert!((of(&found, "matches").usage.reads_per_second - 32_700.0).abs() < 1e-3);
}

#[test]
fn the_shipped_blueprints_are_carried_by_what_is_chosen() {
    for name in SHIPPED {
        let (blueprint, reading) = shipped(name);
        for estimate in estimates(&blueprint, &reading) {
            assert!(estimate.fits, "{name} {}: {:?}", estimate.store, estimate.warnings);
            assert!(!estimate.rows.is_empty() && !estimate.ranking.is_empty());
        }
    }
}

#[test]
fn a_ranking_without_prices_is_stated() {
    let (blueprint, reading) = shipped("rocket-arena-china");
    let found = estimates(&blueprint, &reading);
    assert!(of(&found, "accounts").ranking.contains("no candidate has a known price"), "{found:?}");
    let (blueprint, reading) = shipped("rocket-arena");
    assert!(of(&estimates(&blueprint, &reading), "accounts").ranking.starts_with("by price"));
}

#[test]
fn growth_reaches_ceilings_in_a_month_that_comes_sooner_the_faster_it_is() {
    let month = |growth: &str| {
        let path = format!("{}/blueprints/rocket-arena.yaml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let growing = format!("growthPerMonth: {growth}");
        let text = text.replace("growthPerMonth: 8%", &growing).replace("growthPerMonth: 3%", &growing);
        let (blueprint, reading) = rgctl_testkit::shipped::read(&text);
        let found = estimates(&blueprint, &reading);
        let is_bound =
            |ceiling: &&rgctl_blueprint::capacity::Ceiling| ceiling.what.contains("within the blueprint");
        of(&found, "ranking").ceilings.iter().find(is_bound).map(|ceiling| ceiling.reached_in)
    };
    let (slow, fast) = (month("8%").unwrap(), month("30%").unwrap());
    assert!(fast < slow, "{fast} {slow}");
    assert_eq!(month("0%"), None);
}

/// A small game with one database, whose section is given.
fn one_store(demand: &str, section: &str) -> String {
    format!(
        "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: {{ name: g }}\nspec:\n  demand: {demand}\n  \
         objectives: {{ rto: 8h, rpo: 24h }}\n  regions: {{ primary: us-east-1 }}\n  stores:\n    - {{ name: db, {section} }}\n"
    )
}

const SMALL: &str =
    "{ players: { peakConcurrent: 2k }, requestsPerPlayerPerMinute: 12, hotData: { size: 100GiB } }";
const ENORMOUS: &str =
    "{ players: { peakConcurrent: 999999999G }, requestsPerPlayerPerMinute: 60, hotData: { size: 1TiB } }";

/// The demand that nothing carries, as code and path, and in the words of the desired state.
fn uncarried(demand: &str, section: &str) -> (Vec<(String, String)>, Vec<String>) {
    let (blueprint, reading) = rgctl_testkit::shipped::read(&one_store(demand, section));
    let built = rgctl_blueprint::desired::build(
        &blueprint,
        &reading.regions,
        &catalog(),
        (&Decisions::default(), &Sizes::default()),
        NOW,
    );
    let built = built.unwrap();
    let found = built.uncarried.into_iter().map(|finding| (finding.code.to_string(), finding.path));
    (found.collect(), built.desired.uncarried.into_iter().map(|one| one.why).collect())
}

fn refused(demand: &str, section: &str) -> Vec<(String, String)> {
    uncarried(demand, section).0
}

#[test]
fn demand_that_nothing_carries_is_refused_in_every_family_and_a_stated_size_is_trusted() {
    let refusal = vec![("RG0412".to_owned(), "spec.stores[0].demand".to_owned())];
    let enormous =
        "{ players: { peakConcurrent: 2k }, requestsPerPlayerPerMinute: 12, hotData: { size: 900000TiB } }";
    for (demand, section, stated) in [
        (ENORMOUS, "engine: aurora-postgresql", "class: db.r7g.large"),
        (ENORMOUS, "engine: aurora-mysql", "readers: 1..2"),
        (ENORMOUS, "engine: documentdb", "class: db.r6g.large"),
        (ENORMOUS, "engine: valkey", "shards: 2"),
        (enormous, "engine: redshift, demand: { dataSize: 900000TiB }", "nodes: 2..4"),
    ] {
        assert_eq!(refused(demand, section), refusal, "{section}");
        assert_eq!(refused(SMALL, section.split(", demand").next().unwrap()), [], "{section}");
        let stated = format!("{section}, {stated}");
        assert_eq!(refused(demand, &stated), [], "{stated}");
    }
    // A volume has an end, whatever is stated.
    for (version, size, fits) in [
        ("\"17.4\"", "120TiB", true),
        ("\"17.4\"", "200TiB", false),
        ("\"17.5\"", "200TiB", true),
        ("\"16.9\"", "200TiB", true),
        ("\"16.8\"", "200TiB", false),
        ("\"17.5\"", "300TiB", false),
    ] {
        let section = format!(
            "engine: aurora-postgresql, version: {version}, class: db.r7g.large, demand: {{ dataSize: {size}, workingSet: 1GiB }}"
        );
        let limit = vec![("RG0402".to_owned(), "spec.stores[0].demand".to_owned())];
        let expected = if fits { Vec::new() } else { limit };
        assert_eq!(refused(SMALL, &section), expected, "{section}");
    }
}

#[test]
fn what_is_only_assumed_to_be_in_memory_refuses_nothing() {
    // A tenth of 30 TiB is more than any machine holds. Slow is not impossible.
    let large =
        "{ players: { peakConcurrent: 2k }, requestsPerPlayerPerMinute: 12, hotData: { size: 30TiB } }";
    for engine in ["aurora-postgresql", "aurora-mysql", "documentdb"] {
        assert_eq!(refused(large, &format!("engine: {engine}")), [], "{engine}");
        let stated = format!("engine: {engine}, demand: {{ workingSet: 20TiB }}");
        let (found, words) = uncarried(large, &stated);
        assert_eq!(found.len(), 1, "{engine}");
        assert!(words[0].contains("GiB for the working set are needed"), "{words:?}");
        assert!(words[0].ends_with("(RG0412)"), "{words:?}");
        assert!(!words[0].contains("processors"), "only what is broken is named: {words:?}");
    }
}

#[test]
fn a_rate_that_was_measured_takes_the_place_of_the_one_that_is_assumed() {
    let processors = |section: &str| {
        let (blueprint, reading) = rgctl_testkit::shipped::read(&one_store(SMALL, section));
        let found = estimates(&blueprint, &reading);
        let row = found[0].rows.iter().find(|row| row.quantity == "processors in all").unwrap();
        (row.value, row.formula.clone())
    };
    for engine in ["aurora-mysql", "aurora-postgresql", "documentdb"] {
        let (assumed, formula) = processors(&format!("engine: {engine}"));
        assert!(formula.ends_with("(assumed)"), "{formula}");
        let rates = "assumptions: { readsPerVcpu: 100k, writesPerVcpu: 100k }";
        let (measured, formula) = processors(&format!("engine: {engine}, {rates}"));
        assert!(formula.ends_with("100000 per processor (measured)"), "{formula}");
        assert!(measured < assumed / 50.0, "{measured} {assumed}");
    }
}

#[test]
fn a_rate_of_zero_or_without_a_meaning_is_an_error_in_every_family() {
    let found = |section: &str| {
        let source = rgctl_schema::diagnostic::Source::new("g.yaml", one_store(SMALL, section));
        let mut reading = ParsedDocuments::with_built_in_regions(&[source]);
        reading.check(&catalog(), NOW);
        reading.diagnostics.has_errors()
    };
    for (section, is_wrong) in [
        ("engine: aurora-mysql, assumptions: { readsPerVcpu: 900 }", false),
        ("engine: aurora-mysql, assumptions: { readsPerVcpu: 0 }", true),
        ("engine: documentdb, assumptions: { writesPerVcpu: 0 }", true),
        ("engine: valkey, assumptions: { commandsPerVcpu: 30k }", false),
        ("engine: valkey, assumptions: { commandsPerVcpu: 0 }", true),
        ("engine: redshift, assumptions: { dataPerVcpu: 1TiB }", false),
        ("engine: redshift, assumptions: { dataPerVcpu: 0 }", true),
        // Serverless caches and warehouses are not sized by processors; databases are.
        (
            "engine: aurora-mysql, serverless: { minAcu: 1, maxAcu: 8 }, assumptions: { readsPerVcpu: 900 }",
            false,
        ),
        ("engine: valkey, serverless: {}, assumptions: { commandsPerVcpu: 30k }", true),
        ("engine: redshift, serverless: {}, assumptions: { dataPerVcpu: 1TiB }", true),
    ] {
        assert_eq!(found(section), is_wrong, "{section}");
    }
}

#[test]
fn capacity_units_are_printed_as_people_name_them_and_a_region_by_its_players() {
    let section = "engine: aurora-postgresql, serverless: { minAcu: 0.5, maxAcu: 8 }";
    let (blueprint, reading) = rgctl_testkit::shipped::read(&one_store(SMALL, section));
    let found = estimates(&blueprint, &reading);
    let mut text = Vec::new();
    write_text(&CapacityArgs::default(), &found, &reading.regions, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("8 capacity-units (0.5 to 8), standard storage"), "{text}");
    assert!(text.starts_with("us-east-1 is Virginia, near players in New York"), "{text}");
    let document = document(&CapacityArgs::default(), &found);
    let count = &document["estimates"][0]["size"]["counts"]["capacity-units"];
    assert_eq!(count, &serde_json::json!({ "min": 0.5, "now": 8, "max": 8 }));
}

#[test]
fn nothing_of_a_warehouse_is_said_to_run_in_a_region_that_holds_copies_of_its_snapshots() {
    let (blueprint, reading) = shipped("rocket-arena");
    let found = estimates(&blueprint, &reading);
    assert!(!of(&found, "history").secondary_runs && of(&found, "accounts").secondary_runs);
    let mut text = Vec::new();
    write_text(&CapacityArgs::default(), &found, &reading.regions, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text.matches("secondary  copies of snapshots, nothing runs there").count(), 1, "{text}");
}

#[test]
fn the_view_of_a_small_game() {
    let (blueprint, reading) = shipped("light-game");
    let found = estimates(&blueprint, &reading);
    let args = CapacityArgs::default();
    let mut text = Vec::new();
    write_text(&args, &found, &reading.regions, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let trimmed: Vec<&str> = text.lines().map(str::trim_end).collect();
    insta::assert_snapshot!(trimmed.join("\n"));
    let one = CapacityArgs { stores: vec!["ranking".to_owned()], short: true };
    assert_eq!(document(&one, &found)["estimates"].as_array().unwrap().len(), 1);
}

#[test]
fn the_view_of_a_large_game() {
    let (blueprint, reading) = shipped("rocket-arena");
    let mut text = Vec::new();
    write_text(&CapacityArgs::default(), &estimates(&blueprint, &reading), &reading.regions, &mut text)
        .unwrap();
    let text = String::from_utf8(text).unwrap();
    let trimmed: Vec<&str> = text.lines().map(str::trim_end).collect();
    insta::assert_snapshot!(trimmed.join("\n"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// More demand never gives a cheaper choice; where it is carried, no zone's loss leaves too little.
    #[test]
    fn more_players_never_cost_less(players in 1_000_u64..400_000, more in 1_000_u64..400_000) {
        for name in ["rocket-arena", "rocket-arena-china"] {
            let (blueprint, reading) = shipped(name);
            let at = |count: u64| {
                let mut blueprint = blueprint.clone();
                blueprint.spec.demand.players.peak_concurrent = Count(count);
                estimates(&blueprint, &reading)
            };
            let (few, many) = (at(players), at(players + more));
            for (few, many) in few.iter().zip(&many) {
                prop_assert!(few.fits || !many.fits, "{} fits more players only", few.store);
                if few.fits && many.fits {
                    prop_assert!(weight(few) <= weight(many) + 1e-9, "{}: {} {}", few.store, few.why, many.why);
                }
                if few.fits && few.rows.iter().any(|row| row.quantity == "processors without a zone") {
                    prop_assert!(row(few, "processors without a zone") >= row(few, "processors in all"));
                    prop_assert!(row(few, "usable processors") >= row(few, "processors in all"));
                }
                if few.fits && few.size.counts.contains_key(&Axis::Replicas) {
                    prop_assert!(few.size.counts[&Axis::Replicas].now >= 1);
                }
                for count in few.size.counts.values() {
                    prop_assert!(count.min <= count.now && count.now <= count.max);
                }
            }
        }
    }

    /// However members are dealt to zones in turn, the loss of any zone leaves at least the survivors that were counted.
    #[test]
    fn survivors_are_what_the_worst_zone_leaves(members in 1_u32..17, zones in 1_u32..7) {
        let mut dealt = vec![0_u32; zones as usize];
        for member in 0..members {
            dealt[(member % zones) as usize] += 1;
        }
        let worst = dealt.iter().map(|lost| members - lost).min().unwrap();
        let counted = survivors(members, zones);
        prop_assert!(members == 1 || counted == worst, "{counted} {worst}");
    }
}

/// What the stores of a blueprint are made as, where they were made as that before.
fn made(text: &str, before: &Sizes) -> Sizes {
    let (blueprint, reading) = rgctl_testkit::shipped::read(text);
    let given = (&Decisions::default(), before);
    let built = rgctl_blueprint::desired::build(&blueprint, &reading.regions, &catalog(), given, NOW);
    built.unwrap().desired.sizes
}

#[test]
fn a_derived_size_changes_at_most_once_when_demand_goes_up_and_down_in_every_family() {
    let mut changed = 0;
    for section in ["aurora-postgresql", "aurora-mysql", "documentdb", "valkey", "redis", "redshift"] {
        for players in [2_000_u32, 20_000, 55_000, 120_000, 300_000] {
            let of = |share: u32| {
                let players = u64::from(players) * u64::from(share) / 100;
                let demand = format!(
                    "{{ players: {{ peakConcurrent: {players} }}, requestsPerPlayerPerMinute: 12, hotData: {{ size: {}GiB }} }}",
                    players / 200
                );
                let own = if section == "redshift" {
                    format!(", demand: {{ dataSize: {players}GiB }}")
                } else {
                    String::new()
                };
                one_store(&demand, &format!("engine: {section}{own}"))
            };
            let (low, high) = (of(100), of(120));
            let mut all = vec![made(&low, &Sizes::default())];
            for round in 0..6 {
                let text = if round % 2 == 0 { &high } else { &low };
                all.push(made(text, all.last().unwrap()));
            }
            let moves = all.windows(2).filter(|pair| pair[0] != pair[1]).count();
            assert!(moves <= 1, "{section} of {players}: {all:?}");
            changed += moves;
        }
    }
    assert!(changed > 3, "or none of them was near a border: {changed}");
}

#[test]
fn what_was_made_of_another_engine_or_does_not_carry_the_demand_any_more_is_no_reason_to_keep_anything() {
    let small =
        "{ players: { peakConcurrent: 2k }, requestsPerPlayerPerMinute: 12, hotData: { size: 20GiB } }";
    let large =
        "{ players: { peakConcurrent: 900k }, requestsPerPlayerPerMinute: 12, hotData: { size: 4TiB } }";
    for (engine, other) in [("aurora-postgresql", "aurora-mysql"), ("valkey", "redis")] {
        let section = format!("engine: {engine}");
        let fresh = |demand: &str| made(&one_store(demand, &section), &Sizes::default());
        let from = |demand: &str, before: &Sizes| made(&one_store(demand, &section), before);
        assert_ne!(fresh(small), fresh(large), "{engine}");
        assert_eq!(from(large, &fresh(small)), fresh(large), "{engine}");
        assert_eq!(from(small, &fresh(large)), fresh(small), "{engine}");
        let of_other = made(&one_store(large, &format!("engine: {other}")), &Sizes::default());
        let (db, main) = (StoreName::new("db").unwrap(), StoreName::new("main").unwrap());
        let (from, fresh) = (from(small, &of_other), fresh(small));
        let (from, fresh) = (from.of(&db, &main).unwrap(), fresh.of(&db, &main).unwrap());
        assert_eq!((&from.class, &from.version), (&fresh.class, &fresh.version), "{engine}");
        // Its groups have the plain name, whatever engine comes after.
        assert_ne!(from.parameter_family, fresh.parameter_family, "{engine}");
    }
}
