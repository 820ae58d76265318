//! `rgctl doctor`: what stands between a blueprint and its account.

use std::path::PathBuf;

use clap::Args;

use super::error::Failure;
use super::exit::Exit;
use super::output::Output;
use super::settings::{CloudSettings, Settings};
use rgctl_schema::names::RegionId;

/// Check credentials, permissions, clock, network, quotas and the record; nothing is changed.
#[derive(Args, Clone, Debug, Default)]
pub struct DoctorArgs {
    /// Blueprint to read; repeat for several
    #[arg(
        short,
        long = "file",
        value_name = "FILE",
        required_unless_present = "region",
        conflicts_with = "region"
    )]
    pub files: Vec<PathBuf>,
    /// Folder of further region files, which go before the built-in ones
    #[arg(long, value_name = "DIR", env = "RGCTL_REGIONS")]
    pub regions: Option<PathBuf>,
    /// Without a blueprint: region to check, for everything that can be observed there; repeat for several
    #[arg(long, value_name = "CODE", value_parser = super::args::region_id)]
    pub region: Vec<RegionId>,
    /// Check only what observing needs
    #[arg(long)]
    pub read_only: bool,
    /// Ask also what only a real account can tell: each question with its call, what it costs, and what its answer would change
    #[arg(long)]
    pub probe: bool,
}

/// Runs the command: done when the engine can work, an error when it cannot.
pub async fn run(args: &DoctorArgs, settings: &Settings, output: &mut Output) -> Result<(), Failure> {
    if !matches!(settings.cloud, CloudSettings::Aws { .. }) {
        return Err(
            Failure::new(Exit::BadInput, "the embedded cloud is always well").hint("add `--cloud aws`")
        );
    }
    checkup(args, settings, output).await
}

/// The settings refuse the real cloud before.
#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "the same signature with and without the provider")]
async fn checkup(_: &DoctorArgs, _: &Settings, _: &mut Output) -> Result<(), Failure> {
    Err(super::settings::SettingsError::NoAws.into())
}

#[cfg(feature = "aws")]
use with_provider::checkup;

#[cfg(feature = "aws")]
mod with_provider {
    use std::fmt::Write as _;
    use std::sync::Arc;

    use serde::Serialize;

    use crate::cli::args::{InputArgs, OutputForm};
    use crate::cli::doctor::DoctorArgs;
    use crate::cli::error::Failure;
    use crate::cli::exit::Exit;
    use crate::cli::identities::Identities;
    use crate::cli::output::Output;
    use crate::cli::settings::Settings;
    use crate::cli::{adapters, figures, iam_policy, load, names, validate};
    use crate::report::document::{document, format};
    use crate::report::style::{Style, Tone};
    use rgctl_aws::doctor::{CheckResult, DoctorCheck, RecordBucket, gather, report};
    use rgctl_aws::probes;
    use rgctl_machine::SystemClock;
    use rgctl_model::kinds::KindId;
    use rgctl_model::overlay::Decisions;
    use rgctl_model::ports::Clock;
    use rgctl_model::sizes::Sizes;
    use rgctl_permissions::PolicyFor;
    use rgctl_schema::names::BlueprintName;

    /// What was found, and whether the engine can work.
    #[derive(Debug, Serialize)]
    struct Checkup {
        able: bool,
        findings: Vec<DoctorCheck>,
    }

    pub(super) async fn checkup(
        args: &DoctorArgs,
        settings: &Settings,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let (wanted, identities) = wanted(args, settings, output).await?;
        let bucket = match &wanted.record {
            Some(record) => {
                Some(RecordBucket { record: record.clone(), region: adapters::region_of_the_bucket()? })
            }
            None => None,
        };
        let cloud = adapters::aws_accounts(&settings.working_as(identities));
        let mut findings = Vec::new();
        for (account, regions) in cloud.split(wanted.regions.iter()) {
            let part = PolicyFor { regions, ..wanted.clone() };
            // The record is read and written as whoever the environment says.
            let bucket = bucket.as_ref().filter(|_| Arc::ptr_eq(account, cloud.usual()));
            let found = Box::pin(gather(account.pool(), &part, bucket)).await;
            findings.extend(report(&found, &part.regions));
            // Who is nobody is told nothing.
            if args.probe && found.identity.is_ok() {
                findings.extend(Box::pin(probes::ask(account.pool(), &part.regions)).await);
            }
        }
        let able = findings.iter().all(|finding| finding.verdict != CheckResult::Wrong);
        let checkup = Checkup { able, findings };
        match settings.output {
            OutputForm::Text => output.data(&text(&checkup, output.style))?,
            OutputForm::Markdown | OutputForm::Html => output.data(&markdown(&checkup))?,
            form => output.document(&document(format::DOCTOR, &checkup), form)?,
        }
        if able { Ok(()) } else { Err(Failure::said(Exit::Error)) }
    }

    /// What is asked about: what a blueprint needs, or looking at everything in some regions.
    async fn wanted(
        args: &DoctorArgs,
        settings: &Settings,
        output: &mut Output,
    ) -> Result<(PolicyFor, Identities), Failure> {
        if args.region.is_empty() {
            let input = InputArgs { files: args.files.clone(), regions: args.regions.clone() };
            let checked = load::check(&input, settings, output)?;
            let identities = checked.identities();
            let loaded =
                checked.build((&Decisions::default(), &Sizes::default()), adapters::now(settings), output)?;
            let policy = iam_policy::IamPolicyArgs { read_only: args.read_only, part: None };
            let wanted = iam_policy::wanted(&loaded.desired, &policy, settings, output).await;
            return Ok((wanted, identities));
        }
        let catalog = figures::catalog(settings)?;
        let described = validate::read(&[], args.regions.as_deref(), &catalog, SystemClock.now()).0;
        names::check_regions(&args.region, &names::regions(&catalog, &described.regions))?;
        let everything = PolicyFor {
            blueprint: BlueprintName::new("any").map_err(|error| Failure::of(Exit::Error, &error))?,
            kinds: KindId::ALL.iter().copied().collect(),
            regions: args.region.iter().cloned().collect(),
            writes: false,
            adopted: std::collections::BTreeSet::new(),
            secrets: std::collections::BTreeSet::new(),
            roles: std::collections::BTreeSet::new(),
            record: iam_policy::record(settings),
        };
        let identities = Identities::of(&described);
        Ok((everything, identities))
    }

    const fn word(verdict: CheckResult) -> (&'static str, Tone) {
        match verdict {
            CheckResult::Fine => ("ok", Tone::Good),
            CheckResult::Doubt => ("unsure", Tone::Change),
            CheckResult::Wrong => ("wrong", Tone::Bad),
        }
    }

    fn text(checkup: &Checkup, style: Style) -> String {
        let mut out = String::new();
        for finding in &checkup.findings {
            let (word, tone) = word(finding.verdict);
            let word = style.paint(tone, &format!("{word:<7}"));
            let _ = writeln!(out, "{word}{:<13}{}", finding.area, finding.what);
            if let Some(next) = &finding.next {
                let _ = writeln!(out, "{:<20}-> {next}", "");
            }
        }
        out
    }

    fn markdown(checkup: &Checkup) -> String {
        let able = if checkup.able { "rgctl can work here" } else { "rgctl cannot work here yet" };
        let mut out = format!("## {able}\n\n| | Area | What | Next step |\n| --- | --- | --- | --- |\n");
        for finding in &checkup.findings {
            let (word, _) = word(finding.verdict);
            let next = finding.next.as_deref().unwrap_or_default();
            let _ = writeln!(out, "| {word} | {} | {} | {next} |", finding.area, finding.what);
        }
        out
    }
}
