//! Where a person decides something about a blueprint: beside its record, with what stands there.
//!
//! **Invariant:** no lease is needed and no run disturbed: a decision is written beside them, provided that nobody else decided
//! about the same meanwhile. Who comes second is told who was first, and with what.

use super::adapters::{self, Adapters};
use super::agent_orders;
use super::args::InputArgs;
use super::error::Failure;
use super::exit::Exit;
use super::load::{self, Checked};
use super::made_as;
use super::output::Output;
use super::settings::Settings;
use rgctl_model::overlay::{Decision, DecisionKey, Decisions};
use rgctl_model::ports::StoreError;
use rgctl_model::scope::Scope;
use rgctl_model::sizes::Sizes;
use rgctl_schema::time::Moment;

/// The blueprint, what stands decided about it, and the present.
pub(super) struct Desk {
    pub checked: Checked,
    pub adapters: Adapters,
    pub scope: Scope,
    pub standing: Decisions,
    /// What the stores were made as before.
    pub before: Sizes,
    pub now: Moment,
}

impl Desk {
    pub async fn open(input: &InputArgs, settings: &Settings, output: &mut Output) -> Result<Self, Failure> {
        let checked = load::check(input, settings, output)?;
        let adapters = adapters::open(&settings.working_as(checked.identities()))?;
        let now = adapters.clock.now();
        let home = adapters.cloud.home(checked.primary()?.as_ref()).await?;
        let scope = Scope::new(home, checked.name()?);
        let standing = adapters.store.standing(&scope).await?;
        let before = made_as::recall(&*adapters.store, &scope).await?;
        Ok(Self { checked, adapters, scope, standing, before, now })
    }

    /// Writes a decision that rests on what stands, and lets it stand.
    pub async fn decide(&mut self, decision: &Decision) -> Result<(), Failure> {
        let expected = self.standing.epoch(&decision.key());
        match self.adapters.store.decide(&self.scope, expected, self.now, decision).await {
            Ok(epoch) => {
                self.standing.apply(epoch, decision);
                agent_orders::ring(&*self.adapters.store, &self.scope).await;
                Ok(())
            }
            Err(StoreError::Decided { key, .. }) => {
                let standing = self.adapters.store.standing(&self.scope).await?;
                Err(overtaken(&key, &standing))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Somebody else was first: who, and with what.
fn overtaken(key: &DecisionKey, standing: &Decisions) -> Failure {
    let (told, list) = match key {
        DecisionKey::Overlay(key) => {
            let told = standing.overlays.get(key).map(|(_, overlay)| {
                format!("{} decided about {key} meanwhile: {} ({})", overlay.by, overlay.target, overlay.why)
            });
            (told.unwrap_or_else(|| format!("somebody withdrew the decision about {key} meanwhile")), "scale")
        }
        DecisionKey::Region(region) => {
            let told = standing.holds.get(region).map(|(_, hold)| hold.to_string());
            (told.unwrap_or_else(|| format!("somebody released {region} meanwhile")), "region")
        }
    };
    Failure::new(Exit::StalePlan, format!("{told}; this was not decided")).hint(format!(
        "look at `rgctl {list} list -f BLUEPRINT`, and give the command again if it is still meant"
    ))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rgctl_model::overlay::{Axis, HoldOut, Overlay, OverlayKey, Owner, Target};
    use rgctl_schema::names::{RegionId, StoreName};

    use super::*;
    use crate::cli::command::Cli;

    const GAME: &str = "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: { name: game }\nspec:\n  demand: { players: { \
                        peakConcurrent: 1k }, requestsPerPlayerPerMinute: 10 }\n  regions: { primary: us-east-1 }\n  stores: [ \
                        { name: db, engine: aurora-mysql, class: db.r7g.large, readers: { min: 1, max: 4 } } ]\n";

    fn region() -> RegionId {
        RegionId::new("us-east-1").unwrap()
    }

    fn key() -> OverlayKey {
        let store = StoreName::new("db").unwrap();
        OverlayKey { store, region: region(), axis: Axis::Readers, owner: Owner::Person }
    }

    fn wants(readers: u32, by: &str) -> Decision {
        Decision::Set {
            overlay: Overlay {
                key: key(),
                target: Target::Count(readers),
                exactly: false,
                by: by.to_owned(),
                why: "streamer event".to_owned(),
                set: Moment::EPOCH,
                until: None,
                then_return: false,
            },
        }
    }

    fn holds_out(by: &str) -> Decision {
        let (why, by) = ("under water".to_owned(), by.to_owned());
        Decision::HoldOut { hold: HoldOut { region: region(), why, by, since: Moment::EPOCH } }
    }

    #[tokio::test]
    async fn whoever_decides_second_is_told_who_was_first_and_with_what() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("game.yaml");
        std::fs::write(&file, GAME).unwrap();
        let (file, state) = (file.to_str().unwrap(), folder.path().join("state"));
        let line = ["rgctl", "scale", "list", "-f", file, "--state-dir", state.to_str().unwrap()];
        let cli = Cli::parse_from(line);
        let settings = Settings::resolve(&cli.global).unwrap();
        let input = InputArgs { files: vec![file.into()], regions: None };
        let mut output = Output::process(true);
        let unset = Decision::Unset { key: key(), by: "kim@one".to_owned(), why: String::new() };
        let release = Decision::Release { region: region(), by: "kim@one".to_owned(), why: String::new() };
        let cases = [
            (
                wants(4, "kim@one"),
                wants(2, "ann@two"),
                "kim@one decided about readers of `db` in us-east-1",
                "scale",
            ),
            (
                unset.clone(),
                wants(4, "ann@two"),
                "somebody withdrew the decision about readers of `db`",
                "scale",
            ),
            (holds_out("kim@one"), holds_out("ann@two"), "by kim@one, because: under water", "region"),
            (release, holds_out("ann@two"), "somebody released us-east-1 meanwhile", "region"),
        ];
        for (ours, theirs, told, list) in cases {
            let mut first = Desk::open(&input, &settings, &mut output).await.unwrap();
            let mut second = Desk::open(&input, &settings, &mut output).await.unwrap();
            first.decide(&ours).await.unwrap();
            let refused = second.decide(&theirs).await.unwrap_err();
            assert_eq!(refused.exit, Exit::StalePlan);
            assert!(refused.message.contains(told), "{}", refused.message);
            assert!(refused.message.ends_with("this was not decided"), "{}", refused.message);
            assert!(refused.hints[0].contains(&format!("rgctl {list} list")), "{:?}", refused.hints);
            let mut again = Desk::open(&input, &settings, &mut output).await.unwrap();
            let stands = |desk: &Desk| {
                let Decisions { overlays, holds, last_seq, .. } = desk.standing.clone();
                (overlays, holds, last_seq)
            };
            assert_eq!(stands(&again), stands(&first), "nothing of the second stands");
            again.decide(&theirs).await.unwrap();
            assert_eq!(again.standing.last_seq, first.standing.last_seq + 1);
        }
    }
}
