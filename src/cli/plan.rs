//! `rgctl plan`: what would be done.

use super::adapters::Adapters;
use super::args::PlanArgs;
use super::error::Failure;
use super::exit::Exit;
use super::load::LoadedBlueprint;
use super::output::Output;
use super::run::PlanResult;
use super::saved::SavedPlan;
use super::settings::Settings;
use super::{apply, run};
use rgctl_engine::execution::drive;

/// Shows the plan, and saves it when asked to.
pub async fn run(
    args: &PlanArgs,
    loaded: LoadedBlueprint,
    adapters: Adapters,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    let policy = args.policy.policy();
    let figures = &loaded.figures;
    let PlanResult { mut plan, inventory, ledger, bases } =
        run::look_and_plan(&adapters, &loaded.desired, figures, &policy, args.destroy).await?;
    plan.notes.extend(loaded.notes.iter().cloned());
    let home = drive::scope_of(&*adapters.cloud, &loaded.desired).await?.home;
    // To close a large world takes as long as to show a large plan.
    let record = ledger.last_seq;
    let closing = std::thread::spawn(move || drop((adapters, inventory, ledger)));
    apply::show(&plan, true, settings, output)?;
    let exit = match apply::exit_of(&plan) {
        // What nothing carries is refused to grow when it is applied.
        Exit::Done | Exit::Differences if loaded.is_overtaxed() && !args.destroy => Exit::Refused,
        exit => exit,
    };
    if let Some(path) = &args.out {
        SavedPlan::new(plan, loaded.desired, policy, record, loaded.standing.last_seq)
            .resting_on(bases)
            .working_in(home, settings.identities.clone())
            .write(path)?;
        output.say(&format!("saved: `rgctl apply {}` does exactly this", path.display()));
    }
    // A panic there has said what it is, and changes nothing about the plan.
    let _ = closing.join();
    match exit {
        Exit::Differences if !args.detailed_exitcode => Ok(()),
        Exit::Done => Ok(()),
        exit => Err(Failure::said(exit)),
    }
}
