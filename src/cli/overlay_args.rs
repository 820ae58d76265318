//! The arguments of `rgctl scale set`, `scale unset` and `scale list`.

use clap::{Args, ValueEnum};

use super::args::{InputArgs, region_id, span, store_name};
use rgctl_model::overlay::Axis;
use rgctl_schema::names::{RegionId, StoreName};
use rgctl_schema::time::{Moment, Span};

/// What a store is to have.
#[derive(Args, Clone, Debug, Default)]
#[group(required = true, multiple = false)]
pub struct TargetArgs {
    /// So many members that serve reads, beside the writer
    #[arg(long, value_name = "N")]
    pub readers: Option<u32>,
    /// So many shards
    #[arg(long, value_name = "N")]
    pub shards: Option<u32>,
    /// So many replicas of each shard
    #[arg(long, value_name = "N")]
    pub replicas: Option<u32>,
    /// So many serverless capacity units at most: ACU or DCU in halves such as `8.5`, GiB of a cache, RPU of a warehouse
    #[arg(long, value_name = "X")]
    pub capacity_units: Option<String>,
    /// So many nodes of a warehouse
    #[arg(long, value_name = "N")]
    pub nodes: Option<u32>,
    /// Machines of this class
    #[arg(long, value_name = "CLASS")]
    pub class: Option<String>,
}

impl TargetArgs {
    /// The dimension, and what was given for it.
    pub fn given(&self) -> Option<(Axis, String)> {
        let numbers = [
            (Axis::Readers, self.readers),
            (Axis::Shards, self.shards),
            (Axis::Replicas, self.replicas),
            (Axis::Nodes, self.nodes),
        ];
        let numbers = numbers.into_iter().filter_map(|(axis, number)| Some((axis, number?.to_string())));
        let units = self.capacity_units.clone().map(|units| (Axis::CapacityUnits, units));
        numbers.chain(units).chain(self.class.clone().map(|class| (Axis::Class, class))).next()
    }
}

/// Dimensions of a store.
#[derive(Args, Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "flags of a command, each with a name of its own")]
pub struct AxesArgs {
    /// The decision about readers
    #[arg(long)]
    pub readers: bool,
    /// The decision about shards
    #[arg(long)]
    pub shards: bool,
    /// The decision about replicas of each shard
    #[arg(long)]
    pub replicas: bool,
    /// The decision about serverless capacity units
    #[arg(long)]
    pub capacity_units: bool,
    /// The decision about nodes of a warehouse
    #[arg(long)]
    pub nodes: bool,
    /// The decision about the class
    #[arg(long)]
    pub class: bool,
}

impl AxesArgs {
    /// Those that were named; all where none was.
    pub fn named(&self) -> Vec<Axis> {
        let flags = [
            (Axis::Readers, self.readers),
            (Axis::Shards, self.shards),
            (Axis::Replicas, self.replicas),
            (Axis::CapacityUnits, self.capacity_units),
            (Axis::Nodes, self.nodes),
            (Axis::Class, self.class),
        ];
        let named: Vec<Axis> = flags.into_iter().filter(|(_, is)| *is).map(|(axis, _)| axis).collect();
        if named.is_empty() { Axis::ALL.to_vec() } else { named }
    }
}

/// What becomes of a decision after its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Then {
    /// It holds until it is withdrawn
    #[default]
    Hold,
    /// It holds nothing any more; what is left over goes by `apply`, on consent
    Return,
}

/// A decision to make.
#[derive(Args, Clone, Debug)]
pub struct ScaleSetArgs {
    /// The store
    #[arg(value_name = "STORE", value_parser = store_name)]
    pub of_store: StoreName,
    /// What it is to have.
    #[command(flatten)]
    pub target: TargetArgs,
    /// In which region [default: the primary, where the blueprint has only one]
    #[arg(long, value_name = "REGION", value_parser = region_id)]
    pub region: Option<RegionId>,
    /// For how long, such as `3h`
    #[arg(long = "for", value_name = "TIME", value_parser = span, group = "time")]
    pub lasts: Option<Span>,
    /// Until when, such as `2026-12-24T20:00:00Z`
    #[arg(long, value_name = "WHEN", value_parser = moment, group = "time")]
    pub until: Option<Moment>,
    /// Neither more nor less. Else it is the least, and what the blueprint or the scaler gives beyond stays
    #[arg(long)]
    pub exactly: bool,
    /// What comes after that time
    #[arg(long, value_name = "WHAT", value_enum, default_value_t, requires = "time")]
    pub then: Then,
    /// Why, for whoever reads the history
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: String,
    /// The files.
    #[command(flatten)]
    pub input: InputArgs,
}

/// Decisions to withdraw.
#[derive(Args, Clone, Debug)]
pub struct ScaleUnsetArgs {
    /// The store
    #[arg(value_name = "STORE", value_parser = store_name)]
    pub of_store: StoreName,
    /// About what; about everything where nothing is named.
    #[command(flatten)]
    pub axes: AxesArgs,
    /// In which region [default: the only one about which something was decided]
    #[arg(long, value_name = "REGION", value_parser = region_id)]
    pub region: Option<RegionId>,
    /// Why, for whoever reads the history
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: String,
    /// The files.
    #[command(flatten)]
    pub input: InputArgs,
}

fn moment(text: &str) -> Result<Moment, String> {
    Moment::parse_rfc3339(text).ok_or_else(|| "expected a time such as `2026-12-24T20:00:00Z`".to_owned())
}

fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    let too_long = text.chars().count() > REASON_MAX;
    if text.is_empty() {
        Err("say why: whoever reads the history wants to know".to_owned())
    } else if too_long || text.contains(['\n', '\r']) {
        Err(format!("one line of at most {REASON_MAX} characters, please"))
    } else {
        Ok(text.to_owned())
    }
}

/// A reason stands in a line of every plan.
const REASON_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_and_says_something() {
        assert_eq!(reason(" streamer event "), Ok("streamer event".to_owned()));
        for wrong in ["", "  ", "a\nb", &"x".repeat(REASON_MAX + 1)] {
            assert!(reason(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn every_axis_can_be_named() {
        let all = AxesArgs {
            readers: true,
            shards: true,
            replicas: true,
            capacity_units: true,
            nodes: true,
            class: true,
        };
        assert_eq!(all.named().len(), Axis::ALL.len());
        assert_eq!(AxesArgs::default().named(), Axis::ALL);
    }
}
