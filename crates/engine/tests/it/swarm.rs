//! The swarm: random blueprints, edited as people edit them, on random worlds under random mixes of faults, from a seed.
//! First nothing may be wrong, whatever fails; then everything heals, and the world must come to rest as wanted.
//!
//! The worlds have what people and machines do to each other: rules in the text (never, consents, cost, windows, freezes),
//! plans that were agreed to, tags that are taken away outside rgctl, faults that do not heal while a life lasts, calls that
//! arrive late, runs that are asked to yield, and decisions: overlays that are written, withdrawn and lapse, regions that are
//! lost, held out, found and released. How often each was met is counted, and none may be missing.
//!
//! `cargo test` runs 100 seeds. For more, `RGCTL_SEEDS=100000 cargo test --release --no-default-features --test it
//! swarm`, or a part of them with `RGCTL_SEEDS=5000-10000`; a failure prints its seed, and `RGCTL_SEED=<seed>` runs just
//! that one.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use rgctl_engine::execution::drive::DriveError;
use rgctl_model::kinds::KindId;
use rgctl_model::node::Desired;
use rgctl_model::plan::{Blocker, Op, Verb};
use rgctl_model::policy::{Consent, DestructiveAction};
use rgctl_model::ports::{Clock, Cloud, Permit};
use rgctl_schema::names::{RegionId, StoreName, Token};
use rgctl_schema::phase::Phase;
use rgctl_schema::time::{Moment, Span};
use rgctl_sim::{Fault, FaultPlan, GENESIS, Rule};
use serde_json::json;

use crate::swarm_checks::{
    checkpoints_stand_for_their_lines, is_at_rest, last_calls, nothing_is_wrong, tries_are_bounded,
};
use crate::swarm_decisions::{Deciders, Followed, note_later};
use crate::swarm_tags::{LostTags, give_tags_back, lose_tags};
use crate::swarm_tally::Tally;
use rgctl_testkit::digests::{self, Digest, Fold};
use rgctl_testkit::fixtures::lines;
use rgctl_testkit::site::{Order, Site, block_on};
use rgctl_testkit::swarm_blueprint::{CATALOG, Game};
use rgctl_testkit::swarm_rules::{DrawnRules, FlatPrices};
use rgctl_testkit::taps::Cut;

const SEEDS: u64 = 100;
/// Runs in which a part of the world did not answer for as long as it is asked again.
const UNSEEN_FOR_LONG: &str = "parts that were unseen for long";
/// Once everything has healed, the world comes to rest within this: the longest that can be drawn is a classic resize of
/// a warehouse, of which a little under one in a hundred takes more than three days.
const REST_WITHIN: Span = Span::from_days(14);

fn some_cut(rng: &mut impl Rng) -> Cut {
    let n = rng.random_range(1..=12);
    match rng.random_range(0..8) {
        0 => Cut::BeforeCall(n),
        1 => Cut::AfterCall(n),
        2 => Cut::BeforeAppend(n),
        3 => Cut::AfterAppend(n),
        _ => Cut::Never,
    }
}

/// Every consent there is for the stores of a game in these regions, or only some of them. They are drawn for forty stores, so
/// that what is drawn after them does not depend on how many there are.
fn some_order(
    rng: &mut impl Rng,
    (site, game): (&Site, &Game),
    everywhere: &BTreeSet<RegionId>,
    generous: bool,
) -> Order {
    let mut order = Order::default();
    for number in 0..40 {
        let store = StoreName::new(format!("s{number}")).unwrap();
        for region in everywhere {
            for action in [DestructiveAction::Delete, DestructiveAction::Shrink, DestructiveAction::Replace] {
                if (generous || rng.random_bool(0.7)) && number < game.stores_made() {
                    let given =
                        |action| Consent { action, store: Some(store.clone()), region: Some(region.clone()) };
                    order.policy.consents.insert(given(action));
                    // Who replaces a store knows here that its data is gone; other draws stay as they were.
                    if action == DestructiveAction::Replace {
                        order.policy.consents.insert(given(DestructiveAction::Empty));
                    }
                }
            }
        }
    }
    order.stop_after = rng.random_bool(0.2).then(|| rng.random_range(1..40));
    order.deadline = Some(site.cloud.clock().now() + Span::from_hours(rng.random_range(1..12)));
    order
}

/// The same wish, looked at with the regions that the blueprint has left: what was made there has to be gone.
fn seen_everywhere(wanted: &Desired, everywhere: &BTreeSet<RegionId>) -> Desired {
    let mut wanted = wanted.clone();
    wanted.regions.extend(everywhere.iter().cloned());
    wanted
}

/// The account has had its quotas raised: what goes beyond the usual ones is refused for good, which is no fault.
fn raise_quotas(site: &Site) {
    let rule = Rule::always(Fault::Quota { limit: u32::MAX }, GENESIS, GENESIS + Span::from_days(3_650));
    let _ = site.cloud.with_world(|world| world.add_fault(rule));
}

/// Something that does not heal as long as this life's first part lasts.
fn add_lasting_fault(rng: &mut impl Rng, site: &Site, wanted: &Desired) {
    let fault = match rng.random_range(0..4) {
        0 => Fault::Throttle,
        1 => Fault::LostAnswer { applied: false },
        2 => Fault::Capacity { class: None },
        _ => Fault::Quota { limit: 1 },
    };
    let kinds: Vec<KindId> = wanted.nodes.keys().map(|address| address.kind).collect();
    let kind = (!kinds.is_empty()).then(|| kinds[rng.random_range(0..kinds.len())]);
    let rule = Rule { kind, ..Rule::always(fault, GENESIS, GENESIS + Span::from_days(3_650)) };
    let _ = site.cloud.with_world(|world| world.add_fault(rule));
}

/// What else is done in a run of the first part of a life, drawn from a stream of its own, so that the worlds of a seed
/// stay what they were.
fn add_others(
    rng: &mut impl Rng,
    (site, deciders): (&Site, &Deciders),
    game: &Game,
    wanted: &Desired,
    order: &mut Order,
    tally: &mut Tally,
) {
    if rng.random_bool(0.1) {
        add_lasting_fault(rng, site, wanted);
        tally.add("permanent faults", 1);
        // A person who waits for it sees it end by itself.
        (order.deadline, order.stop_after) = (None, None);
    }
    order.asked_after = rng.random_bool(0.2).then(|| rng.random_range(1..10));
    order.figures = game.rules.has_bound().then_some(&FlatPrices);
    if rng.random_bool(0.1) {
        let every_window = Consent { action: DestructiveAction::Window, store: None, region: None };
        order.policy.consents.insert(every_window);
    }
    if rng.random_bool(0.25) && deciders.sees_all(site) {
        order.agreed = Some(site.plan_under(wanted, order));
        tally.add("agreed plans", 1);
    }
}

/// The game under rules that somebody writes now, where the text with them is a blueprint.
fn ruled(rng: &mut impl Rng, mut game: Game, wanted: Desired, now: Moment) -> (Game, Desired) {
    game.rules = DrawnRules::draw(rng, now);
    if let Ok(desired) = game.desired(now) {
        return (game, desired);
    }
    game.rules = DrawnRules::default();
    (game, wanted)
}

/// One life of a world: what it met, and a digest of its calls.
fn live(seed: u64, is_forgetful: bool) -> Result<(Tally, String), String> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut others = ChaCha8Rng::seed_from_u64(seed ^ 0x05af_e9a7_e000);
    let mut site = Site::new(seed);
    site.is_forgetful = is_forgetful;
    site.cloud = site.cloud.clone().with_catalog(std::sync::Arc::clone(&CATALOG));
    let _ = site.cloud.with_world(|world| world.expect_snapshots(true));
    raise_quotas(&site);
    let (game, wanted, refused) = Game::first(&mut rng, GENESIS);
    let (mut game, mut wanted) = ruled(&mut others, game, wanted, GENESIS);
    let mut everywhere = wanted.regions.clone();
    let mut tally = Tally::default();
    tally.add("texts", 1);
    tally.add("refused texts", refused.into());
    site.cloud
        .add_faults(FaultPlan::swarm(seed, GENESIS, Span::from_hours(24)))
        .map_err(|e| e.to_string())?;
    let (late, mut lost) = (late_calls(&mut others, &site), LostTags::default());
    // Decisions are drawn from a stream of their own, in some of the lives: the others stay what they were.
    let mut hands = ChaCha8Rng::seed_from_u64(seed ^ 0x0010_0000);
    let (is_decided, mut deciders) = (hands.random_bool(0.5), Deciders::new());

    // Safety: whatever fails, nothing is wrong.
    for _ in 0..rng.random_range(1..=4) {
        let mut order = some_order(&mut rng, (&site, &game), &everywhere, false);
        let cut = some_cut(&mut rng);
        let loses_tags = others.random_bool(0.35) || is_decided && hands.random_bool(0.35);
        if loses_tags && deciders.sees_all(&site) {
            tally.add("lost tags", lose_tags(&mut others, &site, &wanted, &mut lost));
        }
        if is_decided {
            deciders.decide(&mut hands, &site, &game, &everywhere, &mut tally);
            order.decides_after = deciders.later(&mut hands, &site, &game, &everywhere, &mut tally);
            deciders.lose_one(&mut hands, &site, &everywhere, &mut tally);
        }
        let followed = Arc::new(Followed::of_game(game.clone()));
        let wants = |site: &Site| {
            let desired = followed.desired(&deciders.standing(site), site.cloud.clock().now());
            desired.unwrap_or_else(|| wanted.clone())
        };
        add_others(&mut others, (&site, &deciders), &game, &wants(&site), &mut order, &mut tally);
        // What was agreed to stays what it was; all else follows what is decided.
        order.wishes = order.agreed.is_none().then(|| Arc::clone(&followed) as _);
        // Who meets what does not heal gives the same command again, and again.
        let mut again = if tally.of("permanent faults") > 0 { 4 } else { 1 };
        while again > 0 {
            again -= 1;
            let wants = wants(&site);
            run_in(&mut site, &game, &wants, &mut order, cut, &mut tally)?;
            if again == 0 && deciders.wait_for_a_lapse(&mut hands, &site)? {
                // The agent comes again then.
                order.deadline = Some(site.cloud.clock().now() + Span::from_hours(6));
                again = 1;
            }
        }
        tally = tally.plus(&followed.take()?);
        tries_are_bounded(&site, tally.of("runs"))?;
        let now = site.cloud.clock().now();
        let (edited, desired, refused) = game.edited(&mut rng, now);
        tally.add("texts", 1);
        tally.add("refused texts", refused.into());
        everywhere.extend(desired.regions.iter().cloned());
        (game, wanted) = if others.random_bool(0.5) {
            ruled(&mut others, edited, desired, now)
        } else {
            (edited, desired)
        };
    }
    tally.add("late calls", late.map_or(0, |late| arrived_late(&site, late)));
    heal(&mut site, &mut rng, (game, deciders), &everywhere, lost, &mut tally)?;
    checkpoints_stand_for_their_lines(&site)?;
    let calls = site.cloud.calls();
    tally.add("calls", calls.len() as u64);
    let mut fold = Fold::default();
    fold.add_calls(&calls);
    Ok((tally, fold.digest()))
}

/// A run of the first part of a life.
fn run_in(
    site: &mut Site,
    game: &Game,
    wants: &Desired,
    order: &mut Order,
    cut: Cut,
    tally: &mut Tally,
) -> Result<(), String> {
    let before = site.cloud.calls().len();
    let (ended, ..) = site.run_cut(wants, order, cut);
    tally.add("runs", 1);
    tally.add(UNSEEN_FOR_LONG, site.was_unseen_for_long.into());
    tally.hear(&site.told);
    match &ended {
        Some(Ok(ended)) => tally.take(ended, &site.events()),
        // Nobody else takes the lease, whatever is decided.
        Some(Err(DriveError::Store(error))) => return Err(format!("the record cannot be used: {error}")),
        Some(Err(error @ DriveError::Illegal(_))) => return Err(format!("{error:?}")),
        Some(Err(DriveError::Cloud(_))) | None => {}
    }
    if let Some((_, what)) = order.decides_after.take_if(|_| site.was_decided) {
        note_later(&what, tally);
    }
    nothing_is_wrong(site, order, before)?;
    game.rules.are_kept(&site.cloud.calls()[before..], wants, &order.policy)
}

/// Liveness: everything heals, all decisions are withdrawn, the rules go, a person removes what broke for good, and the world
/// comes to rest.
fn heal(
    site: &mut Site,
    rng: &mut impl Rng,
    (mut game, mut deciders): (Game, Deciders),
    everywhere: &BTreeSet<RegionId>,
    lost: LostTags,
    tally: &mut Tally,
) -> Result<(), String> {
    let _ = site.cloud.with_world(|world| world.clear_faults(None));
    raise_quotas(site);
    site.cloud.advance(Span::from_days(2)).map_err(|error| error.to_string())?;
    game.rules = DrawnRules::default();
    let wanted = deciders.undo(site, &game, tally)?;
    give_tags_back(site, lost, &wanted);
    remove_broken(site, &seen_everywhere(&wanted, everywhere))?;
    let mut order = some_order(rng, (site, &game), everywhere, true);
    (order.stop_after, order.deadline) = (None, None);
    let runs =
        come_to_rest(site, &wanted, everywhere, &order).map_err(|why| format!("{why}\n{}", game.text()))?;
    tally.add("runs", runs);
    Ok(())
}

/// Calls that arrive up to twelve minutes after they were made, so often at most in a life.
const LATE_MAX: u32 = 4;

fn late_calls(rng: &mut impl Rng, site: &Site) -> Option<u64> {
    let rule = Rule {
        probability: 0.1,
        count: Some(LATE_MAX),
        ..Rule::always(Fault::LateCall { by: Span::from_mins(12) }, GENESIS, GENESIS + Span::from_days(3_650))
    };
    rng.random_bool(0.5).then(|| site.cloud.with_world(|world| world.add_fault(rule)).unwrap())
}

fn arrived_late(site: &Site, rule: u64) -> u64 {
    let left = site
        .cloud
        .with_world(|world| world.faults().find(|(id, _)| *id == rule).and_then(|(_, rule)| rule.count));
    u64::from(LATE_MAX - left.unwrap().unwrap_or(LATE_MAX))
}

/// However long the service takes, everything is done in so many runs: each of those that wait lasts a day at least, and what the
/// service does takes few.
const RUNS_MAX: u64 = 12;

/// Runs until nothing is left to do; the number of runs that it took.
fn come_to_rest(
    site: &mut Site,
    wanted: &Desired,
    everywhere: &BTreeSet<RegionId>,
    order: &Order,
) -> Result<u64, String> {
    let everywhere = seen_everywhere(wanted, everywhere);
    let began = site.cloud.clock().now();
    let mut last = None;
    // A run ends when nothing has moved for a day, and the longest that the service takes is longer: such runs are not among
    // the three in which everything has to be done.
    let (mut run, mut patient) = (0, 0);
    while run < RUNS_MAX.min(3 + patient) {
        run += 1;
        let before = site.cloud.calls().len();
        let (ended, ..) = site.run_cut(wanted, order, Cut::Never);
        let ended = ended.ok_or("it was cut off")?.map_err(|error| format!("{error:?}"))?;
        nothing_is_wrong(site, order, before)?;
        let plan = site.plan(&everywhere);
        let took = site.cloud.clock().now().since(began);
        let at_rest = is_at_rest(&ended, &plan);
        let is_under_way = |one: &Blocker| matches!(one, Blocker::Transition { .. });
        let moving: BTreeSet<_> = plan.waiting.iter().map(Blocker::address).collect();
        // What was called and is still to be done counts, whatever moves.
        let is_left = |op: &Op| plan.steps.iter().any(|step| step.id == op.step_id());
        let waits_only = !moving.is_empty()
            && plan.waiting.iter().all(is_under_way)
            && plan.steps.iter().all(|step| moving.contains(step.op.address()))
            && !site.cloud.calls()[before..].iter().any(|call| is_left(&call.op));
        patient += u64::from(waits_only && took <= REST_WITHIN);
        last = Some(ended);
        if at_rest {
            return if took <= REST_WITHIN {
                Ok(run)
            } else {
                Err(format!("it took {took} to come to rest"))
            };
        }
    }
    let plan = site.plan(&everywhere);
    let last =
        last.map(|ended| (ended.outcome, ended.last.plan.waiting, ended.last.held, ended.last.under_way));
    let last = format!("{last:#?}; the last calls: {:#?}", last_calls(site));
    Err(format!("it does not come to rest: {:#?} {:#?} {last}", lines(&plan), plan.waiting))
}

/// What was never made whole holds no data: a person deletes it, members first.
fn remove_broken(site: &Site, wanted: &Desired) -> Result<(), String> {
    for _ in 0..4 {
        let inventory = site.look(wanted);
        for (address, seen) in &inventory.seen {
            if matches!(seen.facts.phase, Phase::Failed(_)) {
                let address = address.clone();
                let _ = site.cloud.with_world(|world| {
                    world.expect_snapshots(false);
                    world.edit_fields(&address, vec![("deletion_protection", json!(false))])
                });
                let token = Token("a person".to_owned());
                let mut globals = inventory.seen.iter();
                let global =
                    globals.find(|(_, global)| global.facts.members.iter().any(|member| member.is(&address)));
                if let Some((global, _)) = global {
                    let verb = Verb::Detach { region: address.region.clone(), member: address.name.clone() };
                    let _ = block_on(site.cloud.call(
                        &Op::Act { address: global.clone(), verb },
                        &token,
                        &Permit::always(),
                    ));
                }
                let op = Op::Delete { address, final_snapshot: None };
                let _ = block_on(site.cloud.call(&op, &token, &Permit::always()));
            }
        }
        site.cloud.advance(Span::from_hours(2)).map_err(|error| error.to_string())?;
    }
    let _ = site.cloud.with_world(|world| world.expect_snapshots(true));
    Ok(())
}

/// Seeds beyond the usual ones that have found a fault, which has been mended since.
const FOUND_FAULTS: [u64; 28] = [
    1_292, 215, 2_253, 6_232, 2_907, 5_539, 5_559, 5_617, 6_264, 6_553, 7_337, 7_469, 224, 402, 651, 813,
    1_258, 2_051, 4_832, 4_981, 5_589, 7_476, 7_571, 7_961, 8_401, 10_876, 35_742, 93_002,
];

/// What became of many lives.
type Lives = Vec<(u64, Result<(Tally, String), String>)>;

fn live_all(seeds: impl IntoParallelIterator<Item = u64>, is_forgetful: bool) -> Lives {
    let live_one = |seed| {
        let life = live(seed, is_forgetful);
        if let Err(why) = &life {
            eprintln!("RGCTL_SEED={seed}: {}", why.lines().take(3).collect::<Vec<_>>().join(" "));
        }
        (seed, life)
    };
    let mut lives: Lives = seeds.into_par_iter().map(live_one).collect();
    lives.sort_by_key(|(seed, _)| *seed);
    let failed: Vec<u64> = lives.iter().filter(|(_, life)| life.is_err()).map(|(seed, _)| *seed).collect();
    if let Some((seed, Err(why))) = lives.iter().find(|(_, life)| life.is_err()) {
        panic!("{} of {} fail ({failed:?}); RGCTL_SEED={seed}: {why}", failed.len(), lives.len());
    }
    lives
}

fn digests_of(lives: &Lives) -> Vec<Digest> {
    let whole = lives.iter().filter_map(|(seed, life)| life.as_ref().ok().map(|(_, digest)| (seed, digest)));
    whole.map(|(seed, digest)| (seed.to_string(), digest.clone())).collect()
}

#[test]
fn what_was_found_once_is_not_found_again() {
    let lives = live_all(FOUND_FAULTS.to_vec(), false);
    digests::compare_all("swarm", "found once", &digests_of(&lives));
}

/// The seeds that are asked for: `200`, or a part such as `5000-10000`.
fn seeds() -> Range<u64> {
    let number = |text: &str| text.parse().expect("RGCTL_SEEDS is a number, or two with a dash");
    match std::env::var("RGCTL_SEEDS") {
        Err(_) => 0..if digests::are_written() { digests::SEEDS } else { SEEDS },
        Ok(text) => {
            text.split_once('-').map_or_else(|| 0..number(&text), |(from, to)| number(from)..number(to))
        }
    }
}

#[test]
fn nothing_is_ever_wrong_and_everything_comes_to_rest() {
    if let Ok(seed) = std::env::var("RGCTL_SEED") {
        let seed = seed.parse().expect("RGCTL_SEED is a number");
        live(seed, false).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        return;
    }
    let seeds = seeds();
    let lives = live_all(seeds.clone(), false);
    let met = lives.iter().filter_map(|(_, life)| life.as_ref().ok().map(|(tally, _)| tally));
    let seen = met.fold(Tally::default(), Tally::plus);
    println!("swarm: seeds {seeds:?}: {seen:?}");
    // Most of what is drawn must be valid, or the swarm would see little of the language.
    assert!(seen.of("refused texts") < 3 * seen.of("texts"), "{seen:?}");
    if seeds.end - seeds.start >= SEEDS {
        assert!(seen.missing().is_empty(), "never met: {:?} of {seen:?}", seen.missing());
    }
    // Beyond these no digests are kept.
    let kept: Lives = lives.into_iter().filter(|(seed, _)| *seed < digests::SEEDS).collect();
    digests::compare("swarm", "seed", &digests_of(&kept));
}

/// The digests are those of lives that remember: the same calls with the same tokens at the same times.
///
/// Lives are left out in which a part of the world did not answer for as long as it is asked again, in one run. Since when it
/// does not is on no record: it is judged also by who has nothing to do and so holds no lease, without which nothing can be
/// written. Who remembers nothing is patient anew, for a day at most by the record. That lets nothing be done that would not
/// be done else: what is not seen is not absent.
#[test]
fn lives_of_which_nothing_is_remembered_from_turn_to_turn_are_the_same_lives() {
    if digests::are_written() {
        // They are compared with those of the others, and must not take their place.
        return;
    }
    let mut lives = live_all(seeds(), true);
    lives.retain(|(seed, _)| *seed < digests::SEEDS);
    let all = lives.len() as u64;
    lives.retain(|(_, life)| life.as_ref().is_ok_and(|(tally, _)| tally.of(UNSEEN_FOR_LONG) == 0));
    // In most lives none did: else little would be compared.
    assert!(all < SEEDS || lives.len() as u64 * 10 >= all * 9, "{} of {all} lives are compared", lives.len());
    digests::compare("swarm", "seed", &digests_of(&lives));
}
