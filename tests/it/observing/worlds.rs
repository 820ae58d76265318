//! The law of views, over random worlds: one look for all shows each what an observation of its own shows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use rgctl::agent::observer::{Intervals, Observer};
use rgctl_model::address::Address;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::observed::{Facts, Inventory, Member, Observed, ParameterStatus, Selection};
use rgctl_model::plan::Op;
use rgctl_model::ports::Cloud;
use rgctl_model::seen::Seen;
use rgctl_model::sweep::{Partition, SightDigest, Viewers};
use rgctl_schema::names::{Name, RegionId};
use rgctl_schema::phase::{Phase, Role};
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::{Fault, GENESIS, Rule};
use serde_json::{Value, json};

use super::shared::claimed;
use super::{Viewer, game, parts_of, regions, selection, view};
use crate::sim::{OTHER, REGION, TestCloud, all_fields, block_on, cluster_fields, in_region, member_fields};

const CODES: [&str; 3] = [REGION, OTHER, "eu-west-1"];
/// Names under two blueprints one of which begins like the other, under nobody's, and one that is only named.
const NAMES: [&str; 7] = ["game-a", "game-b", "game-eu-a", "gamebox-a", "theirs-a", "theirs-b", "odd"];
const OWNERS: [&str; 3] = ["game", "game-eu", "other"];

/// A small number that chooses.
type Pick = usize;

fn from<'a, T: ?Sized>(all: &[&'a T], pick: Pick) -> &'a T {
    all[pick % all.len()]
}

#[derive(Clone, Debug)]
struct Draft {
    region: Pick,
    kind: Pick,
    name: Pick,
    tag: Pick,
    refers: Pick,
    members: Vec<(Pick, Pick)>,
}

fn draft() -> impl Strategy<Value = Draft> {
    let members = prop::collection::vec((0..3usize, 0..7usize), 0..3);
    (0..3usize, 0..100usize, 0..7usize, 0..5usize, 0..7usize, members).prop_map(
        |(region, kind, name, tag, refers, members)| Draft { region, kind, name, tag, refers, members },
    )
}

impl Draft {
    fn tags(&self) -> BTreeMap<String, String> {
        let owner = OWNERS.get(self.tag);
        owner.map(|owner| ("rgctl:blueprint".to_owned(), (*owner).to_owned())).into_iter().collect()
    }

    /// The object as an inventory holds it, with fields that name any other.
    fn seen(&self) -> (Address, Observed) {
        let kind = KindId::ALL[self.kind % KindId::ALL.len()];
        let refers = from(&NAMES, self.refers);
        let mut attrs = AnyAttrs::empty(kind);
        for reference in kind.references() {
            let one = json!(refers);
            let _ = attrs
                .set(reference.field, Some(one.clone()))
                .or_else(|_| attrs.set(reference.field, Some(json!([one]))));
        }
        let members = self.members.iter().map(|(region, name)| Member {
            region: RegionId::new(from(&CODES, *region)).unwrap(),
            name: Name::new(from(&NAMES, *name)).unwrap(),
            role: Role::Reader,
        });
        let facts = Facts {
            phase: Phase::Ready,
            native: "available".to_owned(),
            arn: None,
            role: None,
            members: members.collect(),
            tags: self.tags(),
            id: None,
            created: None,
            endpoint: None,
            access: None,
            used_gib: None,
            parameters: ParameterStatus::InSync,
            is_unread: false,
            cool_down: None,
        };
        let address = in_region(from(&CODES, self.region), kind, from(&NAMES, self.name));
        (address, Observed { attrs, pending: None, facts })
    }

    /// Makes it in the embedded cloud, if that lets it be made.
    fn make(&self, desk: &TestCloud) {
        const KINDS: [KindId; 8] = [
            KindId::AuroraCluster,
            KindId::AuroraInstance,
            KindId::AuroraCluster,
            KindId::AuroraGlobal,
            KindId::RdsSubnetGroup,
            KindId::AuroraClusterParameters,
            KindId::CacheUser,
            KindId::CacheUserGroup,
        ];
        let kind = KINDS[self.kind % KINDS.len()];
        let region = from(&CODES, self.region);
        let refers = from(&NAMES, self.refers);
        let fields: Value = match kind {
            KindId::AuroraInstance => member_fields(refers, 0),
            KindId::AuroraGlobal => json!({ "source": refers, "source_region": region }),
            KindId::AuroraCluster => {
                let mut fields = cluster_fields();
                if let Some((region, _)) = self.members.first() {
                    fields["subnet_group"] = json!(refers);
                    if *region > 0 {
                        fields["global"] = json!(from(&NAMES, self.members.len()));
                    }
                }
                fields
            }
            _ => Value::Object(
                all_fields(kind, false).into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            ),
        };
        let (address, attrs) =
            (in_region(region, kind, from(&NAMES, self.name)), crate::sim::attrs(kind, &fields));
        // What the service refuses is not there, which is a world, too.
        let _ = desk.call(&Op::Create { address, attrs, tags: self.tags() });
        desk.pass(Span::from_mins(7));
    }
}

/// Three blueprints, the first of which names an object that bears nobody's name.
fn viewers(odd: usize) -> Vec<Viewer> {
    let kind = KindId::ALL[odd % KindId::ALL.len()];
    let kinds = [kind, KindId::AuroraCluster, KindId::AuroraGlobal];
    let named: BTreeSet<Address> = kinds.map(|kind| in_region(from(&CODES, odd), kind, "odd")).into();
    OWNERS
        .iter()
        .zip([named, BTreeSet::new(), BTreeSet::new()])
        .map(|(name, odd)| (game(name), odd))
        .collect()
}

fn subset(bits: usize) -> BTreeSet<RegionId> {
    let chosen: Vec<&str> =
        CODES.iter().enumerate().filter(|(place, _)| bits >> place & 1 == 1).map(|(_, code)| *code).collect();
    regions(&chosen)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn objects_told_apart_for_all_at_once_are_those_of_each_view(
        drafts in prop::collection::vec(draft(), 1..25), odd in 0..100usize,
    ) {
        let seen: Seen = drafts.iter().map(Draft::seen).collect();
        let whole = Inventory { seen, ..Inventory::empty(Moment::EPOCH) };
        let viewers = viewers(odd);
        let parts = parts_of(whole.clone(), &viewers);
        for viewer in &viewers {
            let view = view(&whole, &selection(viewer, &subset(7)));
            let slice = parts.slices.get(&viewer.0).cloned().unwrap_or_default();
            prop_assert_eq!(&slice, &view.seen, "{}", viewer.0);
            let digest = parts.digests.get(&viewer.0).copied().unwrap_or_default();
            prop_assert_eq!(digest, SightDigest::of(&view), "{}", viewer.0);
        }
    }

    #[test]
    fn a_view_of_a_look_at_everything_is_what_an_observation_of_its_own_shows(
        drafts in prop::collection::vec(draft(), 1..20),
        odd in 0..100usize,
        bits in 1..8usize,
        fault in prop::option::of((0..3usize, any::<bool>())),
    ) {
        let desk = TestCloud::new(3);
        for draft in &drafts {
            draft.make(&desk);
        }
        // A region that is lost or an endpoint that is denied; both answer alike until the end.
        let lost = fault.filter(|(_, is_lost)| *is_lost).map(|(place, _)| 1 << place);
        if let Some((place, is_lost)) = fault {
            let (kind, region) = (KindId::AuroraInstance, RegionId::new(CODES[place]).unwrap());
            let until = GENESIS + Span::from_days(400);
            let rule = if is_lost {
                Rule::always(Fault::RegionLoss, GENESIS, until).in_region(region)
            } else {
                Rule { kind: Some(kind), ..Rule::always(Fault::Denied, GENESIS, until).in_region(region) }
            };
            desk.cloud.with_world(|world| world.add_fault(rule)).unwrap();
        }
        let look = |selection: &Selection| block_on(desk.cloud.observe(selection));
        let everything = Selection { regions: subset(7), ..Selection::default() };
        let whole = look(&everything).unwrap();
        let viewers = viewers(odd);
        for viewer in &viewers {
            // Of a region that is lost, and of its global objects, others tell; a narrower look does not hear them.
            let bits = if lost.is_some() { 7 } else { bits };
            let wanted = selection(viewer, &subset(bits));
            prop_assert_eq!(view(&whole, &wanted), look(&wanted).unwrap(), "{}", viewer.0);
        }

        let all = Viewers::new(viewers.iter().map(|(name, named)| (name, named)));
        let mut passing = Partition::new(Arc::new(all), Box::new(|_, _, _| true));
        let swept = block_on(desk.cloud.sweep(&everything, &mut passing)).unwrap();
        prop_assert_eq!(&swept.gaps, &whole.gaps);
        prop_assert_eq!(passing.into_parts(), parts_of(whole.clone(), &viewers), "passing by is seeing");

        // The same through looks at one region each.
        let observer = observer_of(&desk);
        for viewer in &viewers {
            let viewer = &claimed(&whole, viewer);
            let wanted = selection(viewer, &subset(bits));
            let shown = within_a_runtime(observer.cloud_for(&viewer.0).observe(&wanted));
            prop_assert_eq!(shown.map(facts_of), look(&wanted).map(facts_of), "{} {:?}", viewer.0, wanted.regions);
        }
    }
}

fn observer_of(desk: &TestCloud) -> Arc<Observer> {
    let (cloud, clock) = (Arc::new(desk.cloud.clone()), Arc::new(desk.cloud.clock()));
    Observer::new(cloud, clock, Intervals::default())
}

/// Looks at single regions are bounded in real time.
fn within_a_runtime<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// What was seen and what was not: not in which words, and not when.
type SeenAndNot = (Seen, Vec<(RegionId, Endpoint, bool)>);

fn facts_of(inventory: Inventory) -> SeenAndNot {
    let gaps = inventory.gaps.into_iter().map(|gap| (gap.region, gap.endpoint, gap.lasting));
    (inventory.seen, gaps.collect())
}
