//! Absent after present: what we set and no longer want is taken out; what others set stays.

use std::collections::BTreeMap;

use rgctl_model::address::Address;
use rgctl_model::claims::Claims;
use rgctl_model::journal::{Entries, entry_digest};
use rgctl_model::kinds::KindId;
use rgctl_model::node::{Desired, TAG_RECORD};
use rgctl_model::observed::{Inventory, ParameterStatus};
use rgctl_model::plan::{Op, Plan};
use rgctl_model::policy::Policy;
use rgctl_model::ports::Clock;
use rgctl_model::scope::RecordId;
use rgctl_schema::time::Span;
use rgctl_testkit::fixtures::*;
use rgctl_testkit::site::{Order, Site};
use serde_json::{Value, json};

use crate::late::hold_up;

const NAME: &str = "game-accounts-use1";

fn group() -> Address {
    address("us-east-1", KindId::AuroraClusterParameters, NAME)
}

fn cluster() -> Address {
    address("us-east-1", KindId::AuroraCluster, NAME)
}

/// A cluster of two members with these parameters, and these tags on everything.
fn store(parameters: &Value, tags: &[(&str, &str)]) -> Desired {
    let mut wanted = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let group = wanted.nodes.get_mut(&group()).unwrap();
    group.attrs.set("parameters", Some(parameters.clone())).unwrap();
    for node in wanted.nodes.values_mut() {
        node.tags.extend(tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    }
    wanted
}

fn parameters_at(site: &Site, wanted: &Desired) -> Value {
    site.look(wanted).seen.get(&group()).unwrap().attrs.get("parameters").unwrap_or_default()
}

fn words(site: &Site, from: usize) -> Vec<String> {
    site.cloud.calls()[from..].iter().map(|call| call.op.step_id().0.replace("us-east-1/", "")).collect()
}

#[test]
fn a_parameter_that_we_set_goes_back_to_its_default_and_that_of_another_hand_stays() {
    let before = store(&json!({ "general_log": "1", "long_query_time": "2" }), &[]);
    let after = store(&json!({ "long_query_time": "2" }), &[]);
    let mut site = Site::new(5);
    site.apply(&before);
    let by_hand = json!({ "general_log": "1", "long_query_time": "2", "max_connections": "90" });
    site.cloud
        .with_world(|world| world.edit_fields(&group(), vec![("parameters", by_hand)]).unwrap())
        .unwrap();
    let calls = site.cloud.calls().len();
    let agreed = site.plan_under(&after, &Order::default());
    assert_eq!(lines(&agreed), [format!("modify aurora.cluster_parameters/{NAME} parameters.general_log")]);
    site.run(&after, &Order { agreed: Some(agreed), ..Order::default() }).unwrap();
    assert_eq!(parameters_at(&site, &after), json!({ "long_query_time": "2", "max_connections": "90" }));
    assert_eq!(words(&site, calls).len(), 1, "{:?}", words(&site, calls));
    assert!(site.plan_under(&after, &Order::default()).is_empty());
    // It is not ours any more: whoever sets it now sets it.
    let by_hand = json!({ "general_log": "1", "long_query_time": "2" });
    site.cloud
        .with_world(|world| world.edit_fields(&group(), vec![("parameters", by_hand)]).unwrap())
        .unwrap();
    let plan = site.plan_under(&after, &Order::default());
    assert!(plan.is_empty() && plan.notes.is_empty(), "{:?} {:?}", lines(&plan), plan.notes);
}

#[test]
fn a_static_parameter_that_is_taken_out_has_its_restarts_in_the_same_plan() {
    let (before, after) = (store(&json!({ "binlog_format": "ROW" }), &[]), store(&json!({}), &[]));
    let mut site = Site::new(5);
    site.apply(&before);
    let plan = site.plan_under(&after, &Order::default());
    let restarts = plan.steps.iter().filter(|step| step.op.word() == "reboot").count();
    assert_eq!((plan.steps.len(), restarts), (4, 2), "{:#?}", lines(&plan));
    site.run(&after, &Order { agreed: Some(plan), ..Order::default() }).unwrap();
    assert_eq!(parameters_at(&site, &after), json!({}));
    let seen = site.look(&after);
    assert!(seen.seen.values().all(|seen| seen.facts.parameters == ParameterStatus::InSync));
    assert!(site.plan_under(&after, &Order::default()).is_empty());
}

#[test]
fn a_tag_that_we_set_goes_and_one_of_another_hand_stays() {
    let before = store(&json!({}), &[("team", "core"), ("tier", "one")]);
    let after = store(&json!({}), &[("tier", "one")]);
    let mut site = Site::new(5);
    site.apply(&before);
    let theirs = BTreeMap::from([("cost".to_owned(), Some("42".to_owned()))]);
    site.cloud.with_world(|world| world.edit_tags(&cluster(), theirs).unwrap()).unwrap();
    let plan = site.plan_under(&after, &Order::default());
    assert_eq!(plan.steps.len(), after.nodes.len(), "each object: {:#?}", lines(&plan));
    let is_it = |op: &Op| op.taken_out("tags").iter().eq(["team"]);
    assert!(plan.steps.iter().all(|step| is_it(&step.op)), "{:#?}", lines(&plan));
    site.apply(&after);
    let seen = site.look(&after);
    for (address, one) in &seen.seen {
        let (team, tier) = (one.facts.tags.get("team"), one.facts.tags.get("tier").map(String::as_str));
        assert_eq!((team, tier), (None, Some("one")), "{address}");
    }
    assert_eq!(seen.seen.get(&cluster()).unwrap().facts.tags.get("cost").map(String::as_str), Some("42"));
    assert!(site.plan_under(&after, &Order::default()).is_empty());
}

fn plan_with(wanted: &Desired, site: &Site, claims: &Claims) -> Plan {
    let (world, policy) = (site.look(wanted), Policy::default());
    rgctl_engine::planning::plan(&rgctl_engine::planning::PlanInput {
        claims,
        ..ask(wanted, &world, &policy)
    })
}

fn says(plan: &Plan, words: &[&str]) -> bool {
    plan.notes.iter().any(|note| words.iter().all(|word| note.contains(word)))
}

#[test]
fn what_we_set_and_somebody_else_has_set_since_stays_and_is_said() {
    let before =
        store(&json!({ "general_log": "1", "long_query_time": "2" }), &[("team", "core"), ("tier", "one")]);
    let mut site = Site::new(5);
    site.apply(&before);
    let by_hand = json!({ "general_log": "0", "long_query_time": "2" });
    site.cloud
        .with_world(|world| {
            world.edit_fields(&group(), vec![("parameters", by_hand)]).unwrap();
            world
                .edit_tags(&cluster(), BTreeMap::from([("team".to_owned(), Some("live".to_owned()))]))
                .unwrap();
        })
        .unwrap();
    let after = store(&json!({}), &[]);
    let plan = site.plan_under(&after, &Order::default());
    assert!(
        says(&plan, &["parameters of us-east-1/aurora.cluster_parameters/", "blueprint: general_log;"]),
        "{:?}",
        plan.notes
    );
    assert!(says(&plan, &["tags of us-east-1/aurora.cluster/", "blueprint: team;"]), "{:?}", plan.notes);
    site.apply(&after);
    assert_eq!(parameters_at(&site, &after), json!({ "general_log": "0" }));
    let seen = site.look(&after);
    let tags = &seen.seen.get(&cluster()).unwrap().facts.tags;
    assert_eq!((tags.get("team").map(String::as_str), tags.get("tier")), (Some("live"), None));
    let plan = site.plan_under(&after, &Order::default());
    assert!(plan.is_empty() && plan.notes.len() == 2, "{:?} {:?}", lines(&plan), plan.notes);
}

#[test]
fn where_the_record_does_not_tell_it_is_said_and_only_what_it_tells_since_is_taken_out() {
    let before = store(&json!({ "general_log": "1" }), &[("team", "core")]);
    let after = store(&json!({}), &[]);
    let mut site = Site::new(5);
    site.apply(&before);
    let mut claims = site.claims("game");
    for claimed in claims.objects.values_mut() {
        claimed.set = Entries::default();
        claimed.knows_all_set = false;
    }
    let plan = plan_with(&after, &site, &claims);
    assert!(plan.steps.is_empty(), "{:#?}", lines(&plan));
    assert!(
        says(&plan, &["parameters of us-east-1/aurora.cluster_parameters/", "general_log"]),
        "{:?}",
        plan.notes
    );
    assert!(says(&plan, &["tags of ", "team", "4 more"]) && plan.notes.len() == 2, "{:?}", plan.notes);
    // A record that never knew of the objects says the same.
    let record = claims.record.clone().unwrap_or_else(|| RecordId("r".to_owned()));
    let plan = plan_with(&after, &site, &Claims { record: Some(record), ..Claims::default() });
    assert!(plan.steps.is_empty() && says(&plan, &["general_log"]), "{:?}", plan.notes);
    // What was set since is known, whatever was there before.
    let set =
        Entries { tags: BTreeMap::from([("team".to_owned(), entry_digest("core"))]), ..Entries::default() };
    claims.entries(&cluster(), false, Some(&set), &Entries::default());
    let plan = plan_with(&after, &site, &claims);
    assert_eq!(lines(&plan), [format!("modify aurora.cluster/{NAME} tags.team")]);
    assert!(says(&plan, &["tags of ", "3 more"]), "{:?}", plan.notes);
}

#[test]
fn what_a_repeated_call_may_still_set_is_waited_for_before_it_is_taken_out_and_so_is_the_way_back() {
    let parameter = |value: &str| store(&json!({ "general_log": value }), &[]);
    let tag = |value: &str| store(&json!({}), &[("team", value)]);
    let none = store(&json!({}), &[]);
    let cases = [
        ("a parameter", "modify", group(), parameter("1"), parameter("0"), none.clone()),
        ("a tag", "tag", cluster(), tag("core"), tag("live"), none.clone()),
        ("a reset", "modify", group(), parameter("1"), none.clone(), parameter("1")),
        ("a tag that goes", "modify", cluster(), tag("core"), none, tag("core")),
    ];
    for (what, operation, object, first, held_up, last) in cases {
        let mut site = Site::new(5);
        site.apply(&first);
        hold_up(&site, operation, object.kind, 1);
        // It lives, gets no answer, looks, and asks again.
        let begun = site.cloud.clock().now();
        site.apply(&held_up);
        let before = site.cloud.calls().len();
        site.apply(&last);
        let calls = site.cloud.calls();
        let since = calls[before..].iter().find(|call| *call.op.address() == object).unwrap().at.since(begun);
        assert!(since >= Span::from_mins(15), "{what}: {since}");
        site.cloud.advance(Span::from_hours(1)).unwrap();
        site.assert_settled(&last);
        assert!(site.plan_under(&last, &Order::default()).notes.is_empty(), "{what}");
    }
}

#[test]
fn a_tag_that_no_call_takes_away_stays_and_is_said() {
    let mut wanted = rgctl_testkit::shipped::desired_of("rocket-arena-global");
    wanted.nodes.retain(|address, _| address.kind == KindId::CacheGlobal);
    let node = wanted.nodes.values().next().unwrap().clone();
    wanted.nodes.retain(|address, _| *address == node.address);
    let mut seen = seen_as_wanted(&node);
    seen.facts.tags = node.all_tags(&wanted.blueprint);
    seen.facts.tags.extend([("once", "core"), (TAG_RECORD, "r")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    let mut inventory = Inventory::empty(NOW);
    inventory.seen.insert(node.address.clone(), seen);
    let mut claims = Claims { record: Some(RecordId("r".to_owned())), ..Claims::default() };
    claims.settled(&node.address, "create", None);
    let set =
        Entries { tags: BTreeMap::from([("once".to_owned(), entry_digest("core"))]), ..Entries::default() };
    claims.entries(&node.address, true, Some(&set), &Entries::default());
    let policy = Policy::default();
    let plan = rgctl_engine::planning::plan(&rgctl_engine::planning::PlanInput {
        claims: &claims,
        ..ask(&wanted, &inventory, &policy)
    });
    assert!(plan.steps.is_empty(), "{:#?}", lines(&plan));
    assert!(says(&plan, &["tags of ", "once; no call is known"]), "{:?}", plan.notes);
}
