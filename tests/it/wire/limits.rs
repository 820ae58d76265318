//! What the emulator cannot do, as the binary meets it: named in the output of the tests, and told to a person as what
//! it is.

use rgctl::cli::exit::Exit;

use rgctl_model::journal::{Event, Outcome, Purpose};
use rgctl_model::kinds::KindId;
use rgctl_model::policy::Policy;
use rgctl_model::ports::Store;
use rgctl_store::journal::SqliteStore;
use serde_json::json;

use super::shell::{Shell, head, store};
use super::{apply_on, changes, cloud, emulator, subnets_of};
use rgctl_testkit::fixtures::{address, desired, node};

/// Stores of two families that the emulator knows only in part. Of the third, Redshift, it accepts changes that it does
/// not keep, which a run of the binary gives up after minutes: that one is tried with a shorter patience below.
fn families() -> String {
    let documents = "    - name: matches\n      engine: documentdb\n      purpose: a test\n      \
        demand: { requestShare: 10%, dataSize: 4GiB, workingSet: 1GiB }\n      class: db.r6g.large\n      \
        readers: { min: 1, max: 1 }\n      backup: { retention: 7d }\n";
    let cache = "    - name: ranking\n      engine: valkey\n      purpose: a test\n      \
        demand: { requestShare: 10%, dataSize: 1GiB, workingSet: 1GiB }\n      class: cache.t4g.medium\n      shards: 1\n      \
        replicasPerShard: { min: 1, max: 1 }\n      backup: { retention: 1d }\n";
    [documents, cache].concat()
}

#[test]
fn what_the_emulator_cannot_do_is_refused_by_name_and_the_rest_is_done() {
    let Some(url) = emulator("what the emulator cannot do, through the binary") else { return };
    let shell = Shell::new(&url, "limits");
    let text = format!("{}{}{}", head("limits"), store("accounts", "db.r7g.large", 1, 7), families());
    shell.write("blueprint.yaml", &text);
    let line = ["apply", "-f", "blueprint.yaml", "--regions", "regions", "--yes", "-o", "json"];
    let left = shell.ends(&line, Exit::Blocked);
    let told: serde_json::Value = serde_json::from_str(&left.data).unwrap();
    let held: Vec<&str> = told["held"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert!(!held.is_empty(), "{}", left.data);
    for why in &held {
        println!("the emulator cannot: {why}");
        let is_emulator = why.contains("500 text/html") || why.contains("docdb");
        assert!(is_emulator, "held up by something else than the emulator: {why}");
    }
    println!("left out: import of DocumentDB, of which the emulator makes no cluster");
    println!(
        "left out: import of subnet and parameter groups of a cache, whose nodes the emulator does not list"
    );
    for store in ["matches", "ranking"] {
        assert!(held.iter().any(|why| why.contains(&format!("limits-{store}"))), "{store}: {held:#?}");
    }
    assert!(!held.iter().any(|why| why.contains("limits-accounts")), "{held:#?}");
    // What could be done is done: the one store stands, and the next run makes no call for it.
    let before = shell.changes();
    assert!(before.iter().any(|call| call == "CreateDBCluster limits-accounts-use1"), "{before:#?}");
    let target = [&line[..], &["--target", "accounts"]].concat();
    shell.ends(&target, Exit::Done);
    assert_eq!(shell.changes(), before);
}

#[tokio::test]
async fn a_warehouse_whose_changes_the_emulator_accepts_and_forgets_is_given_up_and_told() {
    let Some(url) = emulator("a warehouse on the emulator") else { return };
    let (cloud, code) = (cloud(&url), "eu-north-1");
    let [subnets, parameters, cluster] =
        [KindId::RedshiftSubnetGroup, KindId::RedshiftParameters, KindId::RedshiftCluster]
            .map(|kind| address(code, kind, "game-history"));
    let nodes = vec![
        node(
            subnets.clone(),
            "history",
            &[("description", json!("game")), ("subnets", json!(subnets_of(&url, code)))],
            &[],
        ),
        node(
            parameters.clone(),
            "history",
            &[
                ("family", json!("redshift-1.0")),
                ("description", json!("game")),
                ("parameters", json!({"require_ssl": "true"})),
            ],
            &[],
        ),
        // The emulator keeps no password of its own making: it never tells of one.
        node(
            cluster,
            "history",
            &[
                ("node_type", json!("ra3.large")),
                ("nodes", json!(2)),
                ("managed_password", json!(true)),
                ("subnet_group", json!("game-history")),
                ("parameter_group", json!("game-history")),
            ],
            &[&subnets, &parameters],
        ),
    ];
    let (wanted, policy, store) = (desired(nodes), Policy::default(), SqliteStore::in_memory().unwrap());
    let ended = apply_on(&store, &cloud, &wanted, &policy, Purpose::Apply).await;
    assert_eq!(ended.outcome, Outcome::Blocked);
    let held: Vec<&str> = ended.last.held.iter().map(|held| held.why.as_str()).collect();
    println!("the emulator cannot: {held:#?}");
    for words in ["ModifyClusterParameterGroup: the endpoint answered \"500 text/html\"", "accepted 3 times"]
    {
        assert!(held.iter().any(|why| why.contains(words)), "{words}: {held:#?}");
    }
    let asked = changes(&cloud, 0).iter().filter(|name| *name == "ModifyCluster").count();
    assert_eq!(asked, 3, "it is given up");
    let game = rgctl_model::scope::Scope::parse("aws/123456789012/game").unwrap();
    let record = store.entries(&game, 0).await.unwrap();
    assert!(matches!(record.last().unwrap().what, Event::Closed { .. }), "the record is closed");
    assert!(!record.iter().any(|entry| matches!(entry.what, Event::Unclear { .. })), "and nothing is open");
}
