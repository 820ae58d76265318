//! Roles of clusters: given once a cluster is there, compared as a set, and left alone where none is named.

use rgctl_model::address::Address;
use rgctl_model::journal::Outcome;
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::plan::Op;
use rgctl_testkit::fixtures::{address, cluster_store, desired};
use rgctl_testkit::site::{Order, Site};
use serde_json::json;

const LOAD: &str = "s3Import=arn:aws:iam::111122223333:role/load";
const STORE: &str = "s3Export=arn:aws:iam::111122223333:role/store";

fn cluster() -> Address {
    address("us-east-1", KindId::AuroraCluster, "game-accounts-use1")
}

fn with(roles: Option<&[&str]>) -> Desired {
    let mut wanted = desired(cluster_store("accounts", "us-east-1", 2, "db.r7g.large"));
    let node = wanted.nodes.get_mut(&cluster()).unwrap();
    node.attrs.set("iam_roles", roles.map(|roles| json!(roles))).unwrap();
    wanted
}

fn about_roles(site: &Site, wanted: &Desired) -> Vec<Op> {
    let plan = site.plan_under(wanted, &Order::default());
    let is_it = |op: &&Op| matches!(op, Op::Modify { changes, .. } if changes.iter().any(|one| one.field == "iam_roles"));
    plan.steps.iter().map(|step| &step.op).filter(is_it).cloned().collect()
}

#[test]
fn a_new_cluster_has_its_roles_by_a_step_that_the_plan_shows_and_those_that_are_not_named_go() {
    let mut site = Site::new(8);
    let both = with(Some(&[LOAD, STORE]));
    let plan = site.plan_under(&both, &Order::default());
    assert_eq!(about_roles(&site, &both).len(), 1, "the plan shows it behind the creation");
    // A plan that was agreed to holds for it.
    let agreed = Order { agreed: Some(plan), ..Order::default() };
    assert_eq!(site.run(&both, &agreed).unwrap().outcome, Outcome::Settled);
    site.assert_settled(&both);
    let has = |site: &Site| site.look(&both).seen[&cluster()].attrs.names("iam_roles");
    assert_eq!(has(&site), [STORE, LOAD]);
    assert_eq!(about_roles(&site, &with(Some(&[STORE, LOAD]))), [], "the order is no difference");
    let one = with(Some(&[LOAD]));
    assert_eq!(site.apply(&one).outcome, Outcome::Settled);
    assert_eq!(has(&site), [LOAD]);
    // Where none is named, nobody knows who attached what is there.
    let none = with(None);
    assert_eq!(about_roles(&site, &none), []);
    assert_eq!(site.apply(&none).outcome, Outcome::Settled);
    assert_eq!(has(&site), [LOAD]);
}
