//! From what was typed to what is meant: defaults applied, contradictions refused.

use std::path::PathBuf;

use super::args::{CloudChoice, GlobalArgs, OutputForm};
use super::catalog::CATALOG_FOLDER;
use super::error::Failure;
use super::exit::Exit;
use super::identities::Identities;
use rgctl_kube::place::KubePlace;

/// What is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The cloud.
    pub cloud: CloudSettings,
    /// Where the record and the lease are kept.
    pub store: StoreSettings,
    /// Folder of the record, the simulated world and the price book.
    pub state_dir: PathBuf,
    /// Form of the output.
    pub output: OutputForm,
    /// How much is told: 0, 1, 2.
    pub verbose: u8,
    /// Contract prices.
    pub price_book: Option<PathBuf>,
    /// As whom regions are worked in that name an account.
    pub identities: Identities,
}

/// Which cloud, with what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloudSettings {
    /// The embedded simulation.
    Sim,
    /// AWS; what is unset comes from the usual places (environment, profiles, instance roles).
    Aws {
        /// Profile of the AWS configuration.
        profile: Option<String>,
        /// Role to assume.
        role_arn: Option<String>,
        /// Address instead of the public ones.
        endpoint_url: Option<String>,
    },
}

/// Where the record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreSettings {
    /// It was not said, and must be: what is done to an account must be known to all who work on it.
    Unnamed,
    /// In the state folder.
    Folder,
    /// In a bucket.
    Bucket {
        /// Name of the bucket.
        bucket: String,
        /// What the names of its objects begin with; may be empty.
        prefix: String,
    },
    /// In ConfigMaps of a cluster.
    Cluster(KubePlace),
}

/// Why the options make no sense together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// An option of AWS without AWS.
    #[error("`--{option}` is for AWS, and the cloud is the embedded simulation")]
    OnlyWithAws {
        /// The option.
        option: &'static str,
    },
    /// The address of the store is not understood.
    #[error("`{given}` is not the address of a store")]
    Store {
        /// The address.
        given: String,
    },
    /// A cloud that others work on too, and no store that they would see.
    #[error("`--store` is missing: where is the record of what is done to AWS kept?")]
    NoStore,
    /// This program was built without AWS.
    #[error("this build of rgctl has no AWS in it")]
    NoAws,
    /// This program was built without Kubernetes.
    #[error("this build of rgctl has no Kubernetes in it")]
    NoKube,
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        let failure = Self::of(Exit::BadInput, &error);
        match error {
            SettingsError::OnlyWithAws { .. } => failure.hint("add `--cloud aws`, or leave the option out"),
            SettingsError::Store { .. } => {
                failure.hint("write it as `s3://bucket/prefix`, `kube://context/namespace`, or `local`")
            }
            SettingsError::NoStore => failure
                .hint("name a bucket that all who work on the account can see: `--store s3://bucket/prefix`")
                .hint("`--store local` keeps it in the state folder on purpose: then nobody else knows of a run, and two \
                       machines may work against each other"),
            SettingsError::NoAws => failure
                .hint("build it with the feature `aws`, which is a default one: `cargo build --release`")
                .hint("`rgctl iam-policy` and everything on the embedded cloud work without it"),
            SettingsError::NoKube => failure
                .hint("build it with the feature `kube`, which is a default one: `cargo build --release`"),
        }
    }
}

impl Settings {
    /// What the options mean.
    pub fn resolve(args: &GlobalArgs) -> Result<Self, SettingsError> {
        Ok(Self {
            cloud: cloud(args)?,
            store: match (&args.store, args.cloud) {
                (Some(given), _) => StoreSettings::parse(given)?,
                (None, CloudChoice::Sim) => StoreSettings::Folder,
                (None, CloudChoice::Aws) => StoreSettings::Unnamed,
            },
            state_dir: args.state_dir.clone(),
            output: args.output,
            verbose: args.verbose,
            price_book: args.price_book.clone(),
            identities: Identities::default(),
        })
    }

    /// The same, with the identities that documents name.
    #[must_use]
    pub fn working_as(&self, identities: Identities) -> Self {
        Self { identities, ..self.clone() }
    }

    /// Folder of the refreshed price book.
    pub fn catalog_dir(&self) -> PathBuf {
        self.state_dir.join(CATALOG_FOLDER)
    }
}

impl StoreSettings {
    /// Reads the address of a store.
    pub fn parse(given: &str) -> Result<Self, SettingsError> {
        if given == "local" {
            return Ok(Self::Folder);
        }
        let refused = || SettingsError::Store { given: given.to_owned() };
        if given.starts_with("kube://") {
            return KubePlace::parse(given).map(Self::Cluster).ok_or_else(refused);
        }
        let rest = given.strip_prefix("s3://").ok_or_else(refused)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        // 3 to 63 lower-case characters, as S3 names its buckets.
        let is_legal = (3..=63).contains(&bucket.len())
            && bucket.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.');
        if !is_legal {
            return Err(refused());
        }
        Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.trim_end_matches('/').to_owned() })
    }
}

fn cloud(args: &GlobalArgs) -> Result<CloudSettings, SettingsError> {
    match args.cloud {
        CloudChoice::Aws if cfg!(feature = "aws") => Ok(CloudSettings::Aws {
            profile: args.profile.clone(),
            role_arn: args.role_arn.clone(),
            endpoint_url: args.endpoint_url.clone(),
        }),
        CloudChoice::Aws => Err(SettingsError::NoAws),
        CloudChoice::Sim => {
            // A forgotten `--cloud aws` must not look like a run against the account that was named.
            let of_aws = [
                ("profile", args.profile.is_some()),
                ("role-arn", args.role_arn.is_some()),
                ("endpoint-url", args.endpoint_url.is_some()),
            ];
            match of_aws.into_iter().find(|(_, given)| *given) {
                Some((option, _)) => Err(SettingsError::OnlyWithAws { option }),
                None => Ok(CloudSettings::Sim),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        global: GlobalArgs,
    }

    fn resolve(options: &[&str]) -> Result<Settings, SettingsError> {
        let line = [&["rgctl"], options].concat();
        Settings::resolve(&Line::try_parse_from(line).unwrap().global)
    }

    #[test]
    fn an_account_that_was_named_is_never_silently_left_out() {
        assert_eq!(resolve(&["--profile", "prod"]), Err(SettingsError::OnlyWithAws { option: "profile" }));
        assert_eq!(resolve(&[]).map(|settings| settings.cloud), Ok(CloudSettings::Sim));
    }

    #[test]
    fn the_record_of_an_account_is_where_it_was_said_on_purpose() {
        let store = |options: &[&str]| resolve(options).map(|settings| settings.store);
        assert_eq!(store(&[]), Ok(StoreSettings::Folder));
        assert_eq!(store(&["--store", "local"]), Ok(StoreSettings::Folder));
        if cfg!(feature = "aws") {
            assert_eq!(store(&["--cloud", "aws"]), Ok(StoreSettings::Unnamed));
            assert_eq!(store(&["--cloud", "aws", "--store", "local"]), Ok(StoreSettings::Folder));
        }
    }

    #[test]
    fn an_illegal_store_is_refused() {
        for given in ["ftp://x", "s3://", "s3://Upper/x", "kube://", "kube://kind", "kube://kind/Upper"] {
            assert!(resolve(&["--store", given]).is_err(), "{given}");
        }
        let cluster = resolve(&["--store", "kube://kind/rgctl-system"]).unwrap().store;
        assert_eq!(cluster, StoreSettings::Cluster(KubePlace::parse("kube://kind/rgctl-system").unwrap()));
    }
}
