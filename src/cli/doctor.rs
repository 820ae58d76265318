//! `rgctl doctor`: what stands between a blueprint and its account.

use std::io::{self, Write};

use clap::Args;

use crate::adapters::aws::cloud::AwsCloud;
use crate::adapters::aws::doctor::{Finding, Verdict, gather, report};
use crate::adapters::aws::iam_policy::PolicyFor;

/// Check credentials, permissions, clock, network and quotas; nothing is changed.
#[derive(Args, Clone, Debug, Default)]
pub struct DoctorArgs {
    /// Check only what observing needs.
    #[arg(long)]
    pub read_only: bool,
}

/// Runs the command: 0 when the engine can work, 1 when it cannot.
pub async fn run(
    args: &DoctorArgs,
    cloud: &AwsCloud,
    wanted: &PolicyFor,
    out: &mut dyn Write,
) -> io::Result<u8> {
    let wanted = PolicyFor { writes: wanted.writes && !args.read_only, ..wanted.clone() };
    let found = Box::pin(gather(cloud.pool(), &wanted)).await;
    let findings = report(&found, &wanted.regions);
    write(&findings, out)?;
    Ok(u8::from(findings.iter().any(|finding| finding.verdict == Verdict::Wrong)))
}

fn write(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    for finding in findings {
        let word = match finding.verdict {
            Verdict::Fine => "ok",
            Verdict::Doubt => "unsure",
            Verdict::Wrong => "wrong",
        };
        writeln!(out, "{word:<7}{:<13}{}", finding.area, finding.what)?;
        if let Some(next) = &finding.next {
            writeln!(out, "{:<20}-> {next}", "")?;
        }
    }
    Ok(())
}
