//! A digest is another one as soon as anything is that a turn could see.

use std::collections::BTreeMap;

use rgctl_model::address::Address;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::observed::{
    Access, Authentication, Facts, Gap, Inventory, Member, Observed, ParameterStatus,
};
use rgctl_model::sweep::SightDigest;
use rgctl_schema::names::Name;
use rgctl_schema::phase::{Phase, Role};
use rgctl_schema::time::Moment;

use crate::sim::{OTHER, REGION, address as at, all_fields, in_region};

fn with_all(kind: KindId, second: bool) -> AnyAttrs {
    let mut attrs = AnyAttrs::empty(kind);
    for (field, value) in all_fields(kind, second) {
        attrs.set(field, Some(value)).unwrap();
    }
    attrs
}

fn object(kind: KindId) -> Observed {
    let member =
        Member { region: at(kind, "x").region, name: Name::new("game-it-1").unwrap(), role: Role::Writer };
    Observed {
        attrs: with_all(kind, false),
        pending: Some(AnyAttrs::empty(kind)),
        facts: Facts {
            phase: Phase::Ready,
            native: "available".to_owned(),
            arn: Some("arn".to_owned()),
            role: Some(Role::Writer),
            members: vec![member],
            tags: BTreeMap::from([("a".to_owned(), "1".to_owned())]),
            id: Some("cluster-1".to_owned()),
            created: Some(Moment::from_secs(1)),
            endpoint: Some("host".to_owned()),
            access: Some(Box::new(Access {
                port: Some(1),
                writer: Some("writer".to_owned()),
                reader: Some("reader".to_owned()),
                reader_port: Some(2),
                configuration: Some("nodes".to_owned()),
                secret: Some("arn".to_owned()),
                authentication: Some(Authentication::Iam),
            })),
            used_gib: Some(1.5),
            parameters: ParameterStatus::InSync,
            is_unread: false,
            cool_down: None,
        },
    }
}

fn digest(address: &Address, seen: &Observed) -> SightDigest {
    let mut digest = SightDigest::default();
    digest.add(address, seen, &mut Vec::new());
    digest
}

/// Everything that differs from an object in one respect, with the respect.
fn neighbours(address: &Address, seen: &Observed) -> Vec<(String, Address, Observed)> {
    let kind = address.kind;
    let mut all = Vec::new();
    let mut add = |what: &str, address: &Address, change: &dyn Fn(&mut Observed)| {
        let mut changed = seen.clone();
        change(&mut changed);
        all.push((what.to_owned(), address.clone(), changed));
    };
    add("name", &at(kind, "game-other"), &|_| {});
    add("region", &in_region(OTHER, kind, address.name.as_str()), &|_| {});
    for (field, value) in all_fields(kind, true) {
        add(field, address, &|seen| seen.attrs.set(field, None).unwrap());
        add(&format!("{field} pending"), address, &|seen| {
            seen.pending.as_mut().unwrap().set(field, Some(value.clone())).unwrap();
        });
        if seen.attrs.get(field) != Some(value.clone()) {
            add(field, address, &|seen| seen.attrs.set(field, Some(value.clone())).unwrap());
        }
    }
    add("nothing pending", address, &|seen| seen.pending = None);
    add("phase", address, &|seen| seen.facts.phase = Phase::Creating);
    add("native", address, &|seen| seen.facts.native.push('x'));
    add("arn", address, &|seen| seen.facts.arn = None);
    add("role", address, &|seen| seen.facts.role = Some(Role::Reader));
    add("a member's role", address, &|seen| seen.facts.members[0].role = Role::Reader);
    add("a member's name", address, &|seen| seen.facts.members[0].name = Name::new("game-it-2").unwrap());
    add("a member's region", address, &|seen| {
        seen.facts.members[0].region = in_region(OTHER, kind, "x").region;
    });
    add("members", address, &|seen| seen.facts.members.clear());
    add("a tag's value", address, &|seen| drop(seen.facts.tags.insert("a".to_owned(), "2".to_owned())));
    add("a tag more", address, &|seen| drop(seen.facts.tags.insert("b".to_owned(), "1".to_owned())));
    add("tags", address, &|seen| seen.facts.tags.clear());
    add("id", address, &|seen| seen.facts.id = None);
    add("created", address, &|seen| seen.facts.created = Some(Moment::from_secs(2)));
    add("endpoint", address, &|seen| seen.facts.endpoint = None);
    let access = |change: &'static dyn Fn(&mut Access)| {
        move |seen: &mut Observed| change(seen.facts.access.as_mut().unwrap())
    };
    add("access", address, &|seen| seen.facts.access = None);
    add("port", address, &access(&|access| access.port = None));
    add("writer", address, &access(&|access| access.writer = None));
    add("reader", address, &access(&|access| access.reader = None));
    add("reader's port", address, &access(&|access| access.reader_port = None));
    add("configuration", address, &access(&|access| access.configuration = None));
    add("secret", address, &access(&|access| access.secret = None));
    add("authentication", address, &access(&|access| access.authentication = Some(Authentication::Password)));
    add("used", address, &|seen| seen.facts.used_gib = Some(1.25));
    for status in [ParameterStatus::Applying, ParameterStatus::PendingReboot, ParameterStatus::NotApplied] {
        add(&format!("{status:?}"), address, &|seen| seen.facts.parameters = status);
    }
    all
}

#[test]
fn a_digest_changes_with_every_single_field_of_every_kind_of_object() {
    for kind in KindId::ALL {
        let (address, seen) = (at(*kind, "game-it"), object(*kind));
        let before = digest(&address, &seen);
        assert_eq!(before, digest(&address, &seen.clone()));
        let mut known = BTreeMap::from([(before, "unchanged".to_owned())]);
        for (what, address, changed) in neighbours(&address, &seen) {
            let other = known.insert(digest(&address, &changed), what.clone());
            assert_eq!(other, None, "{kind}: {what} makes no difference");
        }
    }
}

#[test]
fn a_digest_does_not_depend_on_the_order_of_the_objects_and_tells_gaps_apart() {
    let kinds = KindId::ALL.iter();
    let all: Vec<(Address, Observed)> = kinds.map(|kind| (at(*kind, "game-it"), object(*kind))).collect();
    let fold = |objects: &mut dyn Iterator<Item = &(Address, Observed)>| {
        let mut sum = SightDigest::default();
        objects.for_each(|(address, seen)| sum.merge(digest(address, seen)));
        sum
    };
    let forwards = fold(&mut all.iter());
    assert_eq!(forwards, fold(&mut all.iter().rev()));
    assert_ne!(forwards, fold(&mut all.iter().skip(1)));

    let whole = Inventory { seen: all.into_iter().collect(), ..Inventory::empty(Moment::EPOCH) };
    assert_eq!(forwards, SightDigest::of(&whole));
    let gap = |region: &str, endpoint, lasting| {
        let region = in_region(region, KindId::AuroraCluster, "x").region;
        SightDigest::of(&Inventory {
            gaps: vec![Gap { region, endpoint, why: "no answer".to_owned(), lasting }],
            ..whole.clone()
        })
    };
    let gaps = [
        forwards,
        gap(REGION, Endpoint::Rds, false),
        gap(OTHER, Endpoint::Rds, false),
        gap(REGION, Endpoint::Redshift, false),
        gap(REGION, Endpoint::Rds, true),
    ];
    let different: std::collections::BTreeSet<SightDigest> = gaps.into_iter().collect();
    assert_eq!(different.len(), gaps.len());
}
