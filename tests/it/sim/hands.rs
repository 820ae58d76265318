//! What happens outside rgctl: objects that are nobody's, tags that go, and who sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::Parser;
use rgctl::cli::sim::{ShowAs, run};
use rgctl::cli::sim_args::{SimArgs, SimCommandError};
use rgctl_model::address::Address;
use rgctl_model::kinds::KindId;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::observed::{Inventory, Selection};
use rgctl_model::plan::Op;
use rgctl_model::ports::Cloud;
use rgctl_schema::names::{BlueprintName, RegionId};
use rgctl_schema::time::Span;
use rgctl_sim::{Fault, GENESIS, Rule, SimCloud};
use rgctl_store::objects::WorldFile;
use serde_json::{Value, json};

use super::{OTHER, REGION, TestCloud, address, attrs, block_on, cluster_fields, in_region, member_fields};

/// Makes an object with the tag of the blueprint `game`, and waits until it is there.
fn make_ours(desk: &TestCloud, address: &Address, fields: &Value) {
    let tags = BTreeMap::from([("rgctl:blueprint".to_owned(), "game".to_owned())]);
    desk.call(&Op::Create { address: address.clone(), attrs: attrs(address.kind, fields), tags }).unwrap();
    desk.pass(Span::from_hours(12));
}

/// What a look shows that asks for the blueprint `game` alone.
fn look_for_game(desk: &TestCloud) -> Inventory {
    let scope = Selection {
        regions: [REGION, OTHER].map(|code| RegionId::new(code).unwrap()).into(),
        owner: Some(BlueprintName::new("game").unwrap()),
        ..Selection::default()
    };
    block_on(desk.cloud.observe(&scope)).unwrap()
}

#[test]
fn a_look_for_one_blueprint_shows_what_others_have_in_its_objects_and_nothing_else_of_theirs() {
    let desk = TestCloud::new(1);
    let cluster = address(KindId::AuroraCluster, "game-accounts");
    make_ours(&desk, &cluster, &cluster_fields());
    let members = ["by-hand-1", "by-hand-2"].map(|name| address(KindId::AuroraInstance, name));
    for member in &members {
        desk.make(member, &member_fields("game-accounts", 0));
    }
    let global = address(KindId::AuroraGlobal, "theirs-global");
    desk.make(&global, &json!({ "source": "game-accounts", "source_region": REGION }));
    let theirs = in_region(OTHER, KindId::AuroraCluster, "theirs-copy");
    let mut fields = cluster_fields();
    fields["global"] = json!("theirs-global");
    desk.make(&theirs, &fields);
    desk.make(&address(KindId::AuroraCluster, "theirs-alone"), &cluster_fields());
    desk.make(&address(KindId::AuroraInstance, "theirs-alone-1"), &member_fields("theirs-alone", 0));

    let seen = look_for_game(&desk).seen;
    let shown: BTreeSet<&Address> = seen.keys().collect();
    let expected: BTreeSet<&Address> = [&cluster, &global, &theirs].into_iter().chain(&members).collect();
    assert_eq!(shown, expected);
}

#[test]
fn a_look_that_is_denied_an_endpoint_has_a_lasting_gap_there_and_shows_the_rest() {
    let desk = TestCloud::new(1);
    make_ours(&desk, &address(KindId::AuroraCluster, "game-accounts"), &cluster_fields());
    let group = address(KindId::CacheSubnetGroup, "game-ranking");
    make_ours(&desk, &group, &json!({ "subnets": ["a", "b"], "description": "x" }));
    let rule = Rule::always(Fault::Denied, GENESIS, GENESIS + Span::from_days(400));
    let rule = Rule { kind: Some(KindId::AuroraInstance), ..rule.in_region(RegionId::new(REGION).unwrap()) };
    desk.cloud.with_world(|world| world.add_fault(rule)).unwrap();
    let inventory = look_for_game(&desk);
    assert_eq!(inventory.seen.keys().collect::<Vec<_>>(), [&group]);
    let [gap] = inventory.gaps.as_slice() else { panic!("one gap: {:?}", inventory.gaps) };
    assert!(gap.lasting && gap.endpoint == Endpoint::Rds && gap.region.as_str() == REGION, "{gap:?}");
}

/// The command.
#[derive(Parser)]
struct Line {
    #[command(flatten)]
    sim: SimArgs,
}

fn sim(folder: &Path, words: &[&str]) -> Result<(), String> {
    let line = Line::try_parse_from([&["sim"], words].concat()).map_err(|error| error.to_string())?;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    match run(&line.sim, folder, ShowAs::Text, &mut out, &mut err) {
        Ok(code) => {
            assert_eq!(code, 0);
            Ok(())
        }
        Err(SimCommandError::Argument(why)) => Err(why),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn another_hand_makes_tags_breaks_and_deletes_objects_by_command() {
    let folder = crate::cli::folder();
    let folder = folder.path();
    let sim = |words: &[&str]| sim(folder, words);
    let see = |address: &Address| {
        let cloud = SimCloud::open(&WorldFile::under(folder)).unwrap();
        cloud
            .with_world(|world| world.everything().find(|(other, _)| *other == address).map(|(_, seen)| seen))
            .unwrap()
    };
    let cluster = address(KindId::AuroraCluster, "theirs");
    let theirs = cluster.to_string();
    sim(&["create", &theirs, "engine=aurora-mysql", "engine_version=8.0.mysql_aurora.3.08.0"]).unwrap();
    assert!(sim(&["status", &theirs, "stopped"]).unwrap_err().contains("let time pass"));
    sim(&["advance", "12h"]).unwrap();
    assert_eq!(see(&cluster).unwrap().facts.tags, BTreeMap::new(), "it is nobody's");

    sim(&["tag", &theirs, "rgctl:blueprint=game", "team=b"]).unwrap();
    sim(&["tag", &theirs, "team-"]).unwrap();
    let tags = BTreeMap::from([("rgctl:blueprint".to_owned(), "game".to_owned())]);
    assert_eq!(see(&cluster).unwrap().facts.tags, tags);
    assert!(sim(&["tag", &theirs, "team-"]).unwrap_err().contains("has no tag team"));
    assert!(sim(&["tag", &theirs, "team"]).unwrap_err().contains("NAME=VALUE or NAME-"));

    let copy = address(KindId::AuroraCluster, "copy");
    let copied = copy.to_string();
    sim(&["create", &copied, "--like", &theirs, "backup_retention_days=9", "--tag", "a=b"]).unwrap();
    sim(&["advance", "12h"]).unwrap();
    let seen = see(&copy).unwrap();
    assert_eq!(seen.attrs.get("engine"), Some(json!("aurora-mysql")));
    assert_eq!(seen.attrs.get("backup_retention_days"), Some(json!(9)));
    assert_eq!(seen.facts.tags, BTreeMap::from([("a".to_owned(), "b".to_owned())]));
    let group = "us-east-1/rds.subnet_group/x";
    assert!(sim(&["create", group, "--like", &theirs]).unwrap_err().contains("another kind"));
    assert!(sim(&["create", &copied, "--like", &theirs]).unwrap_err().contains("exists already"));

    sim(&["status", &copied, "inaccessible-encryption-credentials"]).unwrap();
    assert!(see(&copy).unwrap().facts.phase.to_string().starts_with("failed"));
    assert!(sim(&["status", &copied, "creating"]).unwrap_err().contains("nothing would end"));
    sim(&["status", &copied, "available"]).unwrap();
    sim(&["delete", &copied, "--final-snapshot", "last"]).unwrap();
    sim(&["advance", "12h"]).unwrap();
    assert!(see(&copy).is_none());
    assert!(see(&address(KindId::AuroraSnapshot, "last")).is_some());
    assert!(sim(&["delete", &copied]).unwrap_err().contains("does not exist"));
}
