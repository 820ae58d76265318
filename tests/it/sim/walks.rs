//! Random walks: whatever is called, in whatever order, under whatever faults, the world keeps its own rules.

use rgctl_model::kinds::KindId;
use rgctl_model::plan::Verb;
use rgctl_model::ports::CloudError;
use rgctl_schema::names::RegionId;
use rgctl_schema::phase::Role;
use rgctl_schema::time::Span;
use rgctl_sim::{Broken, FaultPlan, World};
use serde_json::json;

use super::{OTHER, REGION, TestCloud, cluster_fields, in_region, member_fields};

/// A small generator of its own, so that a walk is its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn step(desk: &TestCloud, dice: &mut Dice) -> Result<(), CloudError> {
    let code = if dice.roll(2) == 0 { REGION } else { OTHER };
    let cluster = in_region(code, KindId::AuroraCluster, if code == REGION { "main" } else { "far" });
    let n = dice.roll(4);
    let member = in_region(code, KindId::AuroraInstance, &format!("{}-{n}", cluster.name));
    let global = in_region(REGION, KindId::AuroraGlobal, "world");
    let cache = in_region(code, KindId::CacheGroup, "cache");
    let (to, name) = (RegionId::new(code).unwrap(), cluster.name.clone());
    match dice.roll(20) {
        0 | 1 => desk.create(&cluster, &cluster_fields()),
        2..=5 => {
            let tier = usize::try_from(dice.roll(16)).unwrap();
            desk.create(&member, &member_fields(cluster.name.as_str(), tier))
        }
        6 => {
            desk.modify(&member, &json!({ "class": if n == 0 { "db.r7g.2xlarge" } else { "db.r7g.large" } }))
        }
        7 => desk.modify(&cluster, &json!({ "backup_retention_days": dice.roll(35) })),
        8 => desk.delete(&member, None),
        9 => desk.delete(&cluster, Some(&format!("final-{}", dice.roll(100)))),
        10 => desk.act(&cluster, Verb::Failover { to: (n > 1).then(|| member.name.clone()) }),
        11 => desk.create(&global, &json!({ "source": "main" })),
        12 => {
            let mut fields = cluster_fields();
            fields["global"] = json!("world");
            desk.create(&cluster, &fields)
        }
        13 => desk.act(&global, Verb::Switchover { to, member: name }),
        14 => desk.act(&global, Verb::FailoverGlobal { to, member: name }),
        15 => desk.act(&global, Verb::Detach { region: to, member: name }),
        16 => desk.delete(&global, None),
        17 => desk.act(&cluster, if n == 0 { Verb::Stop } else { Verb::Start }),
        18 => desk.act(&member, Verb::Reboot),
        _ => match n {
            0 => desk.create(&cache, &json!({ "node_type": "cache.r7g.large", "shards": 1 })),
            1 => desk.modify(&cache, &json!({ "shards": 1 + dice.roll(4) })),
            2 => desk.modify(&cache, &json!({ "replicas_per_shard": dice.roll(4) })),
            _ => desk.delete(&cache, None),
        },
    }
}

fn walk(seed: u64) -> (TestCloud, usize) {
    let desk = TestCloud::new(seed);
    let start = desk.cloud.with_world(|world| world.now()).unwrap();
    desk.cloud.add_faults(FaultPlan::swarm(seed, start, Span::from_hours(12))).unwrap();
    let mut dice = Dice(seed);
    let mut done = 0;
    for _ in 0..300 {
        done += usize::from(step(&desk, &mut dice).is_ok());
        desk.pass(Span::from_secs(dice.roll(1_200)));
    }
    (desk, done)
}

#[test]
fn a_walk_keeps_the_rules_and_comes_to_rest() {
    let mut done = 0;
    for seed in 0..150 {
        let (desk, calls) = walk(seed);
        done += calls;
        let action: Vec<_> = desk
            .cloud
            .violations()
            .into_iter()
            .filter(|found| found.broken != Broken::AllMembersDown)
            .collect();
        assert_eq!(action, [], "seed {seed}");
        desk.pass(Span::from_days(60));
        let next = desk.cloud.with_world(|world| world.next_event()).unwrap();
        assert_eq!(next, None, "seed {seed} never comes to rest");
        for (address, seen) in desk.look().seen {
            assert!(
                !seen.facts.phase.is_transitional(),
                "seed {seed}: {address} is {} for ever",
                seen.facts.native
            );
            assert!(seen.pending.is_none(), "seed {seed}: {address}");
            let follows = seen.facts.role == Some(Role::Reader);
            let is_cluster = address.kind == KindId::AuroraCluster && !seen.facts.members.is_empty();
            if is_cluster && seen.facts.phase.is_ready() {
                let writers = seen.facts.members.iter().filter(|member| member.role == Role::Writer).count();
                assert_eq!(writers, usize::from(!follows), "seed {seed}: writers of {address}");
            }
            if address.kind.facts().is_global && !seen.facts.members.is_empty() {
                let primaries =
                    seen.facts.members.iter().filter(|member| member.role == Role::Writer).count();
                assert_eq!(primaries, 1, "seed {seed}: primaries of {address}");
            }
        }
    }
    assert!(done > 4_000, "only {done} calls were taken");
}

#[test]
fn a_walk_read_back_from_its_rows_is_the_same_world_and_goes_on_alike() {
    for seed in 0..20 {
        let (desk, _) = walk(seed);
        let (text, rows) = desk
            .cloud
            .with_world(|world| {
                let mut copy = world.clone();
                copy.mark_all();
                (world.to_json(), copy.take_changes())
            })
            .unwrap();
        let mut copy = World::new(0, rgctl_sim::GENESIS);
        for (key, body) in &rows {
            copy.put_row(key, body.as_deref()).unwrap();
        }
        assert_eq!(copy.to_json(), text, "seed {seed}");
        let later = copy.now() + Span::from_days(9);
        copy.advance(later);
        desk.pass(Span::from_days(9));
        let original = desk.cloud.with_world(|world| world.to_json()).unwrap();
        assert_eq!(copy.to_json(), original, "seed {seed}");
    }
}
