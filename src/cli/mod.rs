//! The command line: text in, text and exit codes out.
//!
//! Goes in: arguments and the environment. Comes out: data on standard output, talk on standard error, an exit code.
//!
//! **Invariant:** standard output is data, standard error is talk.
//! **Invariant:** nothing is decided here about the world; commands call the engine and show what it says.
//! **Invariant:** the files make no circle: `args`, `error`, `settings` are below all commands; `command` and the dispatch
//! here are above them.

pub mod adapters;
pub mod agent;
pub mod agent_accounts;
pub mod agent_args;
mod agent_consents;
mod agent_done;
mod agent_heard;
pub mod agent_hearing;
pub mod agent_orders;
pub mod agent_organ;
#[cfg(test)]
mod agent_organ_tests;
mod agent_reading;
pub mod agent_ready;
pub mod agent_texts;
pub mod apply;
#[cfg(feature = "kube")]
mod approve;
pub mod args;
pub mod capacity;
pub mod catalog;
pub mod command;
pub mod completions;
mod desk;
pub mod doctor;
pub mod error;
pub mod exit;
pub mod explain;
mod eyes;
pub mod figures;
pub mod following;
pub mod history;
pub mod iam_policy;
pub mod identities;
pub mod import;
pub mod load;
pub mod log;
pub mod look;
mod made_as;
mod memory;
pub mod names;
mod observers;
pub mod old_record;
#[cfg(feature = "kube")]
pub mod operator;
#[cfg(feature = "kube")]
mod operator_accounts;
#[cfg(feature = "kube")]
mod operator_act;
#[cfg(feature = "kube")]
pub mod operator_args;
#[cfg(feature = "kube")]
mod operator_costs;
#[cfg(feature = "kube")]
mod operator_events;
#[cfg(feature = "kube")]
mod operator_feed;
#[cfg(feature = "kube")]
mod operator_leader;
#[cfg(feature = "kube")]
mod operator_organ;
#[cfg(feature = "kube")]
mod operator_outputs;
#[cfg(feature = "kube")]
mod operator_plans;
#[cfg(feature = "kube")]
pub mod operator_print;
#[cfg(feature = "kube")]
mod operator_told;
#[cfg(feature = "kube")]
pub mod operator_watches;
pub mod output;
pub mod outputs;
pub mod overlay;
pub mod overlay_args;
pub mod plan;
pub mod progress;
pub mod region;
mod robustness;
pub mod run;
pub mod saved;
pub mod scale;
pub mod scale_args;
mod scale_inputs;
mod scale_output;
pub mod schema;
pub mod settings;
pub mod signals;
pub mod sim;
pub mod sim_args;
pub mod sim_hands;
mod sim_names;
pub mod template;
pub mod validate;
mod worked_in;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::future::Future;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use agent_args::{AgentCommand, DriftArgs, LogForm};
use args::{ApplyArgs, DestroyArgs, HistoryCommand, InputArgs, OutputForm, PlanArgs};
use command::{CapacityCommand, CatalogCommand, Cli, Command, IamPolicyCommand, ScaleCommand};
use error::Failure;
use exit::Exit;
use figures::CatalogFigures;
use log::Events;
use output::Output;
use outputs::OutputsArgs;
use settings::Settings;

use rgctl_machine::SystemClock;
use rgctl_model::journal::Purpose;
use rgctl_model::overlay::Decisions;
use rgctl_model::policy::Policy;
use rgctl_model::ports::Clock;
use rgctl_model::scope::Scope;
use rgctl_model::sizes::Sizes;
use rgctl_schema::diagnostic::Severity;

/// The program: parses, runs, turns the outcome into an exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Cli::try_parse_from(arguments) {
        Ok(cli) => run_and_tell(&cli).into(),
        Err(refusal) => usage(&refusal).into(),
    }
}

/// Help and version are answers; everything else that clap says is a refusal.
fn usage(refusal: &clap::Error) -> Exit {
    let is_answer = !refusal.use_stderr();
    // A reader that went away is no error.
    let _ = refusal.print();
    if is_answer { Exit::Done } else { Exit::BadInput }
}

fn run_and_tell(cli: &Cli) -> Exit {
    let mut output = Output::process(cli.global.no_color);
    match dispatch(cli, &mut output) {
        Ok(()) => Exit::Done,
        Err(failure) => {
            let text = failure.text(output.talk_style);
            if !text.is_empty() {
                output.say(&text);
            }
            failure.exit
        }
    }
}

/// What a command tells in its log without being asked.
fn events_of(command: &Command) -> Events {
    match command {
        Command::Agent(AgentCommand::Run(args)) => Events::All { json: args.log_format == LogForm::Json },
        #[cfg(feature = "kube")]
        Command::Operator(operator_args::OperatorCommand::Run(args)) => {
            Events::All { json: args.log_format == LogForm::Json }
        }
        Command::Drift(args) if args.watch => Events::Warnings,
        _ => Events::None,
    }
}

fn dispatch(cli: &Cli, output: &mut Output) -> Result<(), Failure> {
    log::start(cli.global.verbose, output.talk_style.color, events_of(&cli.command));
    let mut global = cli.global.clone();
    // One name can have one owner only: what is scaled, or whose credentials are used.
    let is_backtest = matches!(cli.command, Command::Scale(ScaleCommand::Backtest(_)));
    let axis = if is_backtest { global.profile.take() } else { None };
    let settings = Settings::resolve(&global)?;
    if settings.output == OutputForm::Html && !is_backtest {
        return Err(Failure::new(
            Exit::BadInput,
            "only `scale backtest` writes `html`; use text, json, yaml or markdown",
        ));
    }
    match &cli.command {
        Command::Drift(args) if args.watch => wait_for(agent::watch_drift(args, &settings, output)),
        command @ (Command::Plan(_)
        | Command::Apply(_)
        | Command::Destroy(_)
        | Command::Status(_)
        | Command::Outputs(_)
        | Command::Drift(_)) => wait_for(engine_command(command, &settings, output)),
        Command::Capacity(args) => capacity_command(args, &settings, output),
        Command::Import(args) => wait_for(import::run(args, &settings, output)),
        Command::Doctor(args) => wait_for(doctor::run(args, &settings, output)),
        Command::IamPolicy(args) => iam_policy_command(args, &settings, output),
        Command::Cost(input) => cost_command(input, &settings, output),
        Command::Validate(args) => validate_command(args, &settings, output),
        Command::Schema(args) => {
            let (data, talk) = output.streams();
            schema::run(args, data, talk)?;
            Ok(())
        }
        Command::Explain(args) => {
            let (data, talk) = output.streams();
            explain::run(args, data, talk)?;
            Ok(())
        }
        Command::Template(args) => {
            let colour = output.colour();
            let (data, talk) = output.streams();
            refused_unless(template::run(args, colour, data, talk)? == 0)
        }
        Command::Catalog(command) => catalog_command(command, &settings, output),
        Command::Agent(command) => wait_for(agent::run(command, &settings, output)),
        #[cfg(feature = "kube")]
        Command::Operator(command) => wait_for(operator::run(command, &settings, output)),
        #[cfg(feature = "kube")]
        Command::Approve(args) => wait_for(approve::run(args, output)),
        Command::Scale(ScaleCommand::Backtest(args)) => {
            scale_command(args, axis.as_deref(), &settings, output)
        }
        Command::Scale(ScaleCommand::Set(args)) => wait_for(overlay::set(args, &settings, output)),
        Command::Scale(ScaleCommand::Unset(args)) => wait_for(overlay::unset(args, &settings, output)),
        Command::Scale(ScaleCommand::List(input)) => wait_for(overlay::list(input, &settings, output)),
        Command::Region(command) => wait_for(region::run(command, &settings, output)),
        Command::Sim(args) => sim_command(args, &settings, output),
        Command::History(args) => match (&args.command, &args.shown) {
            (Some(HistoryCommand::Migrate(args)), _) => {
                wait_for(old_record::migrate(args, &settings, output))
            }
            (None, Some(args)) => wait_for(history::run(args, &settings, output)),
            // The parser asks for one of the two.
            (None, None) => Ok(()),
        },
        Command::Completions(args) => {
            let script = completions::script(args);
            Ok(output.data(&String::from_utf8_lossy(&script))?)
        }
    }
}

fn validate_command(
    args: &validate::ValidateArgs,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    let form = match settings.output {
        OutputForm::Text => validate::DiagnosticFormat::Text,
        OutputForm::Json => validate::DiagnosticFormat::Json,
        OutputForm::Yaml | OutputForm::Markdown | OutputForm::Html => {
            return Err(Failure::new(Exit::BadInput, "diagnostics are written as `text` or `json`"));
        }
    };
    let args = validate::ValidateArgs { output: form, ..args.clone() };
    let colour = output.colour();
    let (data, talk) = output.streams();
    refused_unless(validate::run(&args, adapters::now(settings), colour, data, talk)? == 0)
}

/// What is wrong with the input has been said by the command itself.
fn refused_unless(is_right: bool) -> Result<(), Failure> {
    if is_right { Ok(()) } else { Err(Failure::said(Exit::BadInput)) }
}

/// Commands that read a blueprint and look at the world.
async fn engine_command(command: &Command, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let input = match command {
        Command::Apply(args) => match &args.plan {
            Some(path) => {
                args.nothing_beside_a_plan()?;
                return saved_plan(path, args, settings, output).await;
            }
            None => args.input(),
        },
        Command::Plan(PlanArgs { input, .. })
        | Command::Destroy(DestroyArgs { input, .. })
        | Command::Status(input)
        | Command::Outputs(OutputsArgs { input, .. })
        | Command::Drift(DriftArgs { input, .. }) => input.clone(),
        _ => return Ok(()),
    };
    // Files are checked before anything is opened for the first time: bad input leaves no trace. A world that exists is
    // read meanwhile, since a large one takes as long to read as the blueprint to size.
    let opening = adapters::begin_to_open(settings);
    let checked = load::check(&input, settings, output)?;
    let name = checked.name()?;
    let settings = &settings.working_as(checked.identities());
    let (scope, mut loaded, adapters) = if let Some(opening) = opening {
        let scope = Scope::new(opening.home.clone(), name);
        let store = adapters::store(settings)?;
        let decisions = store.standing(&scope).await?;
        let loaded =
            checked.build((&decisions, &made_as::recall(&*store, &scope).await?), opening.now, output)?;
        (scope, loaded, opening.wait()?)
    } else {
        let adapters = adapters::open(settings)?;
        let now = adapters.clock.now();
        let scope = Scope::new(adapters.cloud.home(checked.primary()?.as_ref()).await?, name);
        let decisions = adapters.store.standing(&scope).await?;
        let before = made_as::recall(&*adapters.store, &scope).await?;
        (scope, checked.build((&decisions, &before), now, output)?, adapters)
    };
    match &command {
        Command::Plan(args) if !args.destroy => loaded.say_uncarried(Severity::Error, output),
        Command::Plan(_) | Command::Destroy(_) => {}
        _ => loaded.say_uncarried(Severity::Warning, output),
    }
    old_record::claim(&adapters, &scope, &loaded.desired).await?;
    loaded.desired.regions.extend(run::regions_left(&adapters, &scope, &loaded.desired).await?);
    match command {
        Command::Plan(args) => plan::run(args, loaded, adapters, settings, output).await,
        Command::Apply(args) => {
            apply::run(&loaded, args.policy.policy(), Purpose::Apply, &args.run, &adapters, settings, output)
                .await
        }
        Command::Destroy(args) => {
            let policy = Policy { skip_final_snapshot: args.skip_final_snapshot, ..args.policy.policy() };
            apply::run(&loaded, policy, Purpose::Destroy, &args.run, &adapters, settings, output).await
        }
        Command::Status(_) => look::status(&loaded, &adapters, settings, output).await,
        Command::Outputs(args) => outputs::run(args, &loaded, &adapters, settings, output).await,
        _ => look::drift(&loaded, &adapters, settings, output).await,
    }
}

async fn saved_plan(
    path: &Path,
    args: &ApplyArgs,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut saved = saved::SavedPlan::read(path)?;
    let mut stricter = BTreeSet::new();
    if !args.files.is_empty() {
        // What the blueprint says now holds beside what it said then.
        let present = load::check(&args.input(), settings, output)?;
        stricter = saved.hold_to(&present.name()?, present.rules()?)?;
    }
    let figures = CatalogFigures::new(figures::catalog(settings)?, &saved.desired, SystemClock.now());
    let settings = &settings.working_as(saved.identities.clone());
    let adapters = adapters::open(settings)?;
    let scope = rgctl_engine::execution::drive::scope_of(&*adapters.cloud, &saved.desired).await?;
    saved.check_home(&scope.home)?;
    old_record::claim(&adapters, &scope, &saved.desired).await?;
    apply::saved(&mut saved, &stricter, &figures, &args.run, &adapters, settings, output).await
}

fn cost_command(input: &InputArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let loaded = load::check(input, settings, output)?.build(
        (&Decisions::default(), &Sizes::default()),
        adapters::now(settings),
        output,
    )?;
    wait_for(look::cost(&loaded, settings, output))
}

fn capacity_command(args: &CapacityCommand, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let checked = load::check(&args.input, settings, output)?;
    let estimates = checked.estimates(adapters::now(settings))?;
    args.shown.check(&estimates)?;
    match settings.output {
        OutputForm::Text => {
            Ok(capacity::write_text(&args.shown, &estimates, checked.regions(), output.data_stream())?)
        }
        OutputForm::Markdown | OutputForm::Html => {
            Err(Failure::new(Exit::BadInput, "capacity is written as `text`, `json` or `yaml`"))
        }
        form => Ok(output.document(&capacity::document(&args.shown, &estimates), form)?),
    }
}

fn iam_policy_command(
    args: &IamPolicyCommand,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    let checked = load::check(&args.input, settings, output)?;
    let identities = checked.identities();
    let mut loaded =
        checked.build((&Decisions::default(), &Sizes::default()), adapters::now(settings), output)?;
    iam_policy::keep_account(&mut loaded.desired, args.account.as_ref(), &identities)?;
    wait_for(iam_policy::run(&args.shown, &loaded.desired, settings, output))
}

fn catalog_command(
    command: &CatalogCommand,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    use catalog::{ListArgs, ListFormat, RefreshArgs};
    let format = match settings.output {
        OutputForm::Json => ListFormat::Json,
        OutputForm::Text => ListFormat::Text,
        OutputForm::Yaml | OutputForm::Markdown | OutputForm::Html => {
            return Err(Failure::new(Exit::BadInput, "catalog lists are written as `text` or `json`"));
        }
    };
    let listed = |args: &ListArgs| ListArgs { output: format, ..args.clone() };
    let now = SystemClock.now();
    match command {
        CatalogCommand::Refresh(args) => {
            let args = RefreshArgs { dir: settings.catalog_dir(), ..args.clone() };
            catalog::spare_contract(&args.dir, settings.price_book.as_deref())?;
            let (data, talk) = output.streams();
            wait_for(async { catalog::refresh(&args, now, data, talk).await.map_err(Failure::from) })
                .map(drop)
        }
        CatalogCommand::Prices(args) => {
            let catalog = figures::catalog(settings)?;
            args.check(&catalog)?;
            Ok(catalog::prices(&listed(args), &catalog, now, output.data_stream())?)
        }
        CatalogCommand::Classes(args) => {
            let catalog = figures::catalog(settings)?;
            args.check(&catalog)?;
            Ok(catalog::classes(&listed(args), &catalog, output.data_stream())?)
        }
        CatalogCommand::Limits(args) => {
            if args.engine.is_some() {
                return Err(Failure::new(Exit::BadInput, "limits are told by service, not by engine")
                    .hint("use `--service`"));
            }
            let catalog = figures::catalog(settings)?;
            args.check(&catalog)?;
            Ok(catalog::limits(&listed(args), &catalog, output.data_stream())?)
        }
    }
}

fn scale_command(
    args: &scale_args::BacktestArgs,
    axis: Option<&str>,
    settings: &Settings,
    output: &mut Output,
) -> Result<(), Failure> {
    let form = match settings.output {
        OutputForm::Text => scale_args::ScaleFormat::Text,
        OutputForm::Json => scale_args::ScaleFormat::Json,
        OutputForm::Html => scale_args::ScaleFormat::Html,
        OutputForm::Yaml | OutputForm::Markdown => {
            return Err(Failure::new(Exit::BadInput, "a backtest is shown as `text`, `json` or `html`"));
        }
    };
    let profile =
        scale_args::profile(axis.unwrap_or("reader")).map_err(|why| Failure::new(Exit::BadInput, why))?;
    let args = scale_args::BacktestArgs { output: form, profile, ..args.clone() };
    match scale::run(&args, output.data_stream()) {
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::of(Exit::BadInput, error.as_ref())),
    }
}

fn sim_command(args: &sim_args::SimArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    let form = match settings.output {
        OutputForm::Json => sim::ShowAs::Json,
        OutputForm::Text => sim::ShowAs::Text,
        OutputForm::Yaml | OutputForm::Markdown | OutputForm::Html => {
            return Err(Failure::new(Exit::BadInput, "the embedded cloud is shown as `text` or `json`"));
        }
    };
    let (data, talk) = output.streams();
    let code = sim::run(args, &settings.state_dir, form, data, talk)?;
    if code == 0 { Ok(()) } else { Err(Failure::said(Exit::Error)) }
}

/// Runs what waits. The runtime is made only for commands that need it, so that the others start at once; it is left
/// without waiting for what still runs in it.
fn wait_for<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::of(Exit::Error, &error))?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}
