//! `rgctl operator crds`, `manifests` and `chart`: what is put into a cluster before the operator runs in it.

use std::path::{Path, PathBuf};

use clap::Args;

use super::error::Failure;
use super::exit::Exit;
use super::output::Output;
use rgctl_kube::manifests::{self, Installation};

/// What is printed for a cluster.
#[derive(Args, Clone, Debug)]
pub struct ManifestsArgs {
    /// Namespace of the operator
    #[arg(long, value_name = "NAME", default_value = "rgctl-system", value_parser = namespace)]
    pub namespace: String,
    /// Namespaces whose blueprints it brings into shape; repeat, or separate by commas [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = namespace)]
    pub namespaces: Vec<String>,
    /// Image with rgctl in it
    #[arg(long, value_name = "IMAGE", default_value = concat!("rgctl:", env!("CARGO_PKG_VERSION")))]
    pub image: String,
    /// How many of it run; one works, the others stand by
    #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = clap::value_parser!(u32).range(manifests::REPLICAS))]
    pub replicas: u32,
    /// After `--`: what `rgctl operator run` is given, such as `--cloud aws --store s3://BUCKET/PREFIX`
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub arguments: Vec<String>,
}

/// Where charts are written to.
#[derive(Args, Clone, Debug)]
pub struct ChartArgs {
    /// Folder, in which `rgctl-crds` and `rgctl-operator` are made anew
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// A name that a namespace can have.
pub fn namespace(text: &str) -> Result<String, String> {
    let is_edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let lawful = bytes.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if lawful && bytes.len() <= 63 && is_edge(bytes.first()) && is_edge(bytes.last()) {
        Ok(text.to_owned())
    } else {
        Err("at most 63 lower-case letters, digits and hyphens between them".to_owned())
    }
}

/// Prints the definitions of the custom resources.
pub fn crds(output: &mut Output) -> Result<(), Failure> {
    Ok(output.data(&manifests::definitions())?)
}

/// Prints everything else.
pub fn manifests(args: &ManifestsArgs, output: &mut Output) -> Result<(), Failure> {
    let wanted = Installation {
        namespace: args.namespace.clone(),
        namespaces: args.namespaces.clone(),
        image: args.image.clone(),
        replicas: args.replicas,
        arguments: args.arguments.clone(),
    };
    Ok(output.data(&manifests::manifests(&wanted))?)
}

/// Writes the charts.
pub fn chart(args: &ChartArgs, output: &mut Output) -> Result<(), Failure> {
    for (path, text) in manifests::charts() {
        write(&args.folder.join(path), &text)?;
    }
    let folder = args.folder.display();
    output.say(&format!(
        "wrote {folder}/rgctl-crds and {folder}/rgctl-operator; `helm lint --strict` checks them"
    ));
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let done =
        path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(path, text));
    done.map_err(|error| {
        Failure::new(Exit::BadInput, format!("cannot write {}: {error}", path.display()))
            .hint("name a folder that can be written to")
    })
}
