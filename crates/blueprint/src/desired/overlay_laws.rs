//! Laws of decisions, for any sequence of decisions, withdrawals and passing time.

use std::sync::LazyLock;

use proptest::prelude::*;

use rgctl_catalog::Catalog;
use rgctl_model::overlay::{Axis, Decision, Decisions, Overlay, OverlayKey, Owner, Target};
use rgctl_model::sizes::Sizes;
use rgctl_schema::diagnostic::Source;
use rgctl_schema::time::{Moment, Span};

use super::overlays::{self, Place, Resolved, Standing};
use crate::capacity;
use crate::document::ParsedDocuments;
use crate::families::size::{Count, Size};
use crate::spec::{Blueprint, Cell};

/// What the blueprint gives, and the least and most that it allows.
const READERS: Count = Count { min: 1, now: 3, max: 8 };

const CLASSES: [&str; 4] = ["db.r7g.large", "db.r7g.xlarge", "db.r7g.4xlarge", "db.r6g.xlarge"];

/// What happens.
#[derive(Clone, Debug)]
enum Act {
    Set { owner: Owner, target: Target, exactly: bool, lasts: Option<u64>, then_return: bool },
    Unset { owner: Owner },
    Pass { mins: u64 },
}

fn owner() -> impl Strategy<Value = Owner> {
    prop::sample::select(Owner::ALL.to_vec())
}

fn acts(target: impl Strategy<Value = Target> + Clone + 'static) -> impl Strategy<Value = Vec<Act>> {
    let set = (owner(), target, any::<bool>(), prop::option::of(1_u64..40), prop::bool::weighted(0.3));
    let set = set.prop_map(|(owner, target, exactly, lasts, then_return)| Act::Set {
        owner,
        target,
        exactly,
        lasts,
        then_return,
    });
    let act = prop_oneof![
        4 => set,
        2 => owner().prop_map(|owner| Act::Unset { owner }),
        4 => (1_u64..30).prop_map(|mins| Act::Pass { mins }),
    ];
    prop::collection::vec(act, 1..24)
}

fn numbers() -> impl Strategy<Value = Target> + Clone {
    (0_u32..12).prop_map(Target::Count)
}

fn classes() -> impl Strategy<Value = Target> + Clone {
    prop::sample::select(CLASSES.to_vec()).prop_map(|class| Target::Class(class.to_owned()))
}

/// What decisions are made about: read and sized once, since thousands of sequences are played on it.
struct Subject {
    blueprint: Blueprint,
    cell: Cell,
    catalog: Catalog,
    size: Size,
}

/// Its first store grows by readers.
const TEXT: &str = include_str!("../../../../blueprints/accounts.yaml");

const BEGIN: Moment = Moment::from_secs(1_800_000_000);

static SUBJECT: LazyLock<Subject> = LazyLock::new(|| {
    let reading = ParsedDocuments::with_built_in_regions(&[Source::new("game.yaml", TEXT)]);
    let blueprint = reading.blueprints[0].blueprint.clone();
    let (cell, catalog) = (blueprint.cells()[0].clone(), Catalog::embedded().unwrap());
    let estimates = capacity::estimate(&blueprint, &reading.regions, &catalog, &Sizes::default(), BEGIN);
    let size = Size {
        class: Some("db.r7g.xlarge".to_owned()),
        counts: [(Axis::Readers, READERS)].into(),
        ..estimates[0].size.clone()
    };
    Subject { blueprint, cell, catalog, size }
});

/// A store on which decisions are made, one axis at a time.
struct Bench {
    about: &'static Subject,
    axis: Axis,
    decisions: Decisions,
    now: Moment,
}

impl Bench {
    fn new(axis: Axis) -> Self {
        Self { about: &SUBJECT, axis, decisions: Decisions::default(), now: BEGIN }
    }

    fn key(&self, owner: Owner) -> OverlayKey {
        let store = self.about.blueprint.spec.stores[0].name().clone();
        OverlayKey { store, region: self.about.cell.primary.clone(), axis: self.axis, owner }
    }

    fn act(&mut self, act: &Act) {
        let decision = match act {
            Act::Pass { mins } => {
                self.now = self.now + Span::from_mins(*mins);
                return;
            }
            Act::Unset { owner } => {
                let key = self.key(*owner);
                if !self.decisions.overlays.contains_key(&key) {
                    return;
                }
                Decision::Unset { key, by: "kim".to_owned(), why: "over".to_owned() }
            }
            Act::Set { owner, target, exactly, lasts, then_return } => Decision::Set {
                overlay: Overlay {
                    key: self.key(*owner),
                    target: target.clone(),
                    exactly: *exactly,
                    by: "kim".to_owned(),
                    why: "an event".to_owned(),
                    set: self.now,
                    until: lasts.map(|mins| self.now + Span::from_mins(mins)),
                    then_return: *then_return,
                },
            },
        };
        self.decisions.apply(self.decisions.last_seq + 1, &decision);
    }

    fn resolved(&self) -> Option<Resolved> {
        let place = Place {
            store: &self.about.blueprint.spec.stores[0],
            cell: &self.about.cell,
            region: &self.about.cell.primary,
            catalog: &self.about.catalog,
            now: self.now,
        };
        let (size, resolved) = overlays::apply(&place, &self.decisions, &self.about.size);
        let resolved = resolved.into_iter().next();
        if let Some(one) = &resolved {
            let built = match &one.now {
                Target::Count(_) => Target::Count(size.counts[&self.axis].now),
                Target::Class(_) => Target::Class(size.class.unwrap()),
            };
            assert_eq!(built, one.now, "what is told is what is built");
        }
        resolved
    }

    /// What is decided and not over, within the bounds.
    fn in_force(&self) -> Vec<(Owner, Target)> {
        let effects = self.resolved().into_iter().flat_map(|one| one.effects);
        let in_force = effects.filter(|effect| effect.standing == Standing::InForce);
        in_force.map(|effect| (effect.overlay.key.owner, effect.target)).collect()
    }

    fn own(&self) -> Target {
        match self.axis {
            Axis::Class => Target::Class(self.about.size.class.clone().unwrap()),
            _ => Target::Count(READERS.now),
        }
    }

    fn value(&self) -> Target {
        self.resolved().map_or_else(|| self.own(), |one| one.now)
    }

    /// Whether one is less than another in any respect.
    fn is_less(&self, one: &Target, than: &Target) -> bool {
        match (one, than) {
            (Target::Count(one), Target::Count(than)) => one < than,
            (Target::Class(one), Target::Class(than)) => {
                let size = |name: &str| {
                    let class = self
                        .about
                        .catalog
                        .class(self.about.blueprint.spec.stores[0].catalog_service(), name)
                        .unwrap();
                    (class.vcpu.unwrap(), class.memory_gib.unwrap())
                };
                let (one, than) = (size(one), size(than));
                one.0 < than.0 || one.1 < than.1
            }
            _ => panic!("a number and a class"),
        }
    }

    /// Whether a decision that said so ended within the last so many minutes.
    fn returned_within(&self, mins: u64) -> bool {
        let since = self.now - Span::from_mins(mins);
        let ended = |overlay: &Overlay| overlay.until.is_some_and(|until| since < until && until <= self.now);
        self.decisions.overlays.values().any(|(_, overlay)| overlay.then_return && ended(overlay))
    }
}

/// Plays a sequence and judges each act. Beside it stands a world that grows at once, and gets smaller only where nothing asks
/// for consent.
fn judge(axis: Axis, acts: &[Act]) -> Result<(), TestCaseError> {
    let mut bench = Bench::new(axis);
    let mut world = bench.own();
    // What ended since the scaler decided last: by its own newer rules it goes below that, and nobody else does.
    let mut ended: Vec<Target> = Vec::new();
    for act in acts {
        let before = bench.value();
        let standing = bench.in_force();
        bench.act(act);
        let still = bench.in_force();
        if matches!(act, Act::Set { owner: Owner::Scaler, .. }) {
            ended.clear();
        }
        let of_others = standing
            .into_iter()
            .filter(|(owner, _)| *owner != Owner::Scaler || matches!(act, Act::Unset { .. }));
        ended.extend(of_others.filter(|one| !still.contains(one)).map(|(_, target)| target));
        let from = bench.resolved().and_then(|one| one.lowered_from);
        let after = bench.value();
        if let Target::Count(number) = after {
            prop_assert!((READERS.min..=READERS.max).contains(&number), "{number} after {act:?}");
        }
        if let Act::Pass { mins } = act
            && !bench.returned_within(*mins)
        {
            prop_assert!(!bench.is_less(&after, &before), "{before} fell to {after} because a time was over");
        }
        if !bench.is_less(&after, &world) {
            world = after;
            continue;
        }
        match from {
            Some(from) if axis == Axis::Class => prop_assert!(bench.is_less(&after, &from)),
            Some(from) => {
                prop_assert!(
                    !bench.is_less(&from, &world),
                    "{act:?}: {world} would fall to {after}, asked from {from}"
                );
            }
            None => {
                let scaler = still.iter().find(|(owner, _)| *owner == Owner::Scaler);
                let others =
                    still.iter().filter(|(owner, _)| *owner != Owner::Scaler).map(|(_, target)| target);
                let held = ended.iter().chain(others).any(|target| bench.is_less(&after, target));
                let by_rules = scaler.is_some_and(|(_, target)| !bench.is_less(&after, target)) && !held;
                prop_assert!(by_rules, "{act:?}: {world} would fall to {after}, and nobody would be asked");
                world = after;
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn no_lapse_lowers_a_number_no_other_end_does_without_consent_and_bounds_always_hold(acts in acts(numbers())) {
        judge(Axis::Readers, &acts)?;
    }

    #[test]
    fn the_same_holds_for_classes(acts in acts(classes())) {
        judge(Axis::Class, &acts)?;
    }

    #[test]
    fn withdrawing_the_deciding_owner_gives_exactly_what_the_next_one_gives(acts in acts(numbers())) {
        let mut bench = Bench::new(Axis::Readers);
        for act in &acts {
            bench.act(act);
        }
        if let Some(top) = bench.resolved().and_then(|one| one.effects.last().cloned()) {
            bench.act(&Act::Unset { owner: top.overlay.key.owner });
            prop_assert_eq!(bench.value(), top.before);
        }
    }

    #[test]
    fn the_order_in_which_different_owners_decide_at_one_time_does_not_matter(acts in acts(numbers())) {
        let mut sets: Vec<Act> = Vec::new();
        for act in acts {
            let Act::Set { owner, .. } = &act else { continue };
            let is_of = |other: &Act| matches!(other, Act::Set { owner: known, .. } if known == owner);
            if !sets.iter().any(is_of) {
                sets.push(act);
            }
        }
        let (mut one, mut other) = (Bench::new(Axis::Readers), Bench::new(Axis::Readers));
        for (act, turned) in sets.iter().zip(sets.iter().rev()) {
            one.act(act);
            other.act(turned);
        }
        for mins in [0, 10, 10, 10, 20] {
            one.act(&Act::Pass { mins });
            other.act(&Act::Pass { mins });
            prop_assert_eq!(one.value(), other.value());
            let lowered = |bench: &Bench| bench.resolved().and_then(|one| one.lowered_from);
            prop_assert_eq!(lowered(&one), lowered(&other));
        }
    }
}

fn set(owner: Owner, number: u32, lasts: Option<u64>) -> Act {
    Act::Set { owner, target: Target::Count(number), exactly: false, lasts, then_return: false }
}

fn readers(acts: &[Act]) -> (Target, Vec<Standing>, Option<Target>) {
    let mut bench = Bench::new(Axis::Readers);
    for act in acts {
        bench.act(act);
    }
    let resolved = bench.resolved();
    let standings = resolved.iter().flat_map(|one| &one.effects).map(|effect| effect.standing.clone());
    (bench.value(), standings.collect(), resolved.and_then(|one| one.lowered_from))
}

#[test]
fn a_persons_number_is_a_floor_unless_it_is_meant_exactly() {
    assert_eq!(readers(&[set(Owner::Person, 2, None)]).0, Target::Count(3), "the blueprint gives more");
    let exactly = Act::Set {
        owner: Owner::Person,
        target: Target::Count(2),
        exactly: true,
        lasts: None,
        then_return: false,
    };
    let (now, _, lowered) = readers(&[exactly]);
    assert_eq!((now, lowered), (Target::Count(2), Some(Target::Count(3))), "and less asks for consent");
}

#[test]
fn a_dead_scaler_never_shrinks_a_store_and_a_living_one_takes_over_after_a_persons_time() {
    let dead = [set(Owner::Scaler, 6, Some(3)), Act::Pass { mins: 60 }];
    assert_eq!(readers(&dead), (Target::Count(6), vec![Standing::Holding], None));
    let person = [set(Owner::Person, 6, Some(10)), set(Owner::Scaler, 2, Some(3)), Act::Pass { mins: 20 }];
    assert_eq!(
        readers(&person).0,
        Target::Count(6),
        "the scaler's last word is older than the end of that time"
    );
    let living: Vec<Act> = person.iter().cloned().chain([set(Owner::Scaler, 2, Some(3))]).collect();
    let (now, standings, lowered) = readers(&living);
    assert_eq!((now, lowered), (Target::Count(2), None), "it goes down by its own rules");
    assert_eq!(standings, [Standing::InForce, Standing::Superseded]);
}

#[test]
fn withdrawing_asks_for_consent_also_where_an_older_word_of_the_scaler_is_less() {
    let acts =
        [set(Owner::Scaler, 2, None), set(Owner::Person, 6, None), Act::Unset { owner: Owner::Person }];
    let (now, _, lowered) = readers(&acts);
    assert_eq!((now, lowered), (Target::Count(2), Some(Target::Count(6))));
    let acts: Vec<Act> = acts.iter().cloned().chain([set(Owner::Scaler, 3, None)]).collect();
    assert_eq!(readers(&acts).2, None, "a newer word of the scaler needs none");
}

#[test]
fn a_freeze_goes_before_recovery_a_person_and_the_scaler() {
    let all = [
        set(Owner::Freeze, 2, None),
        set(Owner::Recovery, 4, None),
        set(Owner::Person, 6, None),
        set(Owner::Scaler, 8, None),
    ];
    assert_eq!(readers(&all).0, Target::Count(2));
    assert_eq!(readers(&all[1..]).0, Target::Count(4));
    assert_eq!(readers(&all[2..]).0, Target::Count(8), "the scaler's more is more than the person's least");
}
