//! The register of diagnostic codes: each is declared once, here, with its title and its explanation.
//!
//! `rgctl explain RG0102` prints an entry. The numbers are stable: a code that falls out of use is not given again.
//! `RG01xx` reading, `RG02xx` references and names, `RG03xx` places, `RG04xx` sizes and shapes, `RG05xx` objectives,
//! `RG06xx` safety, `RG07xx` time, `RG08xx` engines and capabilities.

use std::fmt;

use serde::{Serialize, Serializer};

/// A rule's code, such as `RG0102`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(&'static str);

/// What a code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeEntry {
    /// The code.
    pub code: Code,
    /// The rule in a few words.
    pub title: &'static str,
    /// Why the rule exists and how to satisfy it.
    pub explanation: &'static str,
}

impl Code {
    /// As text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
    /// Its entry in the register.
    pub fn entry(self) -> Option<&'static CodeEntry> {
        Self::find(self.0)
    }
    /// The entry of a code given as text, in any case.
    pub fn find(text: &str) -> Option<&'static CodeEntry> {
        REGISTER.iter().find(|entry| entry.code.0.eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0)
    }
}

macro_rules! codes {
    ($($name:ident = $id:literal, $title:literal: $($explanation:literal)+;)+) => {
        $(
            #[doc = $title]
            pub const $name: Code = Code($id);
        )+
        /// Every code with its meaning, in the order of the codes.
        pub const REGISTER: &[CodeEntry] = &[
            $(CodeEntry { code: $name, title: $title, explanation: concat!($($explanation),+) },)+
        ];
    };
}

codes! {
    NOT_YAML = "RG0101", "the text is not YAML":
        "The file cannot be read as YAML, or is larger, deeper or more interlinked than a blueprint ever is. The caret "
        "stands where the reader gave up; the cause is often on the line before: a missing space after a colon, a tab, "
        "an unclosed bracket or quote.";
    UNKNOWN_FIELD = "RG0102", "a field that does not exist":
        "Unknown fields are refused, since a misspelt limit that is silently ignored is found only when it is needed. "
        "`rgctl explain KIND.FIELD` lists the fields of a section; `rgctl schema` gives them to your editor.";
    WRONG_TYPE = "RG0103", "a value of the wrong type":
        "The value has another type than the field: for example a list where one value belongs, or text where a number "
        "belongs.";
    MISSING_FIELD = "RG0104", "a required field is missing":
        "The section cannot be understood without this field, and no safe default exists for it.";
    DUPLICATE_FIELD = "RG0105", "a field is given twice":
        "YAML readers differ in which of two equal keys wins, so a document with both is refused. Remove one.";
    BAD_QUANTITY = "RG0106", "a quantity that cannot be read":
        "Quantities carry their unit: counts `200k`, `1.5M`; sizes `10TiB`, `16GiB`, `500GB`; shares `90%`; times `15m`, "
        "`365d`, `1h30m`; factors `3x`; money `20000 USD`. A bare number where a unit belongs is refused, since it is "
        "read differently by different people.";
    UNKNOWN_WORD = "RG0107", "a word that is not one of the choices":
        "The field takes one of a closed list of words.";
    OUT_OF_BOUNDS = "RG0108", "a value outside its bounds":
        "The value is outside of what the field can mean, or of what the service accepts.";
    BAD_NAME = "RG0109", "a name that is not allowed":
        "Names become part of identifiers in the cloud: lower-case letters, digits and single hyphens, starting with a "
        "letter, and short enough for the identifiers made from them.";
    BAD_TEMPLATE = "RG0110", "a template that cannot be rendered":
        "The text between `{{ }}` or `{% %}` is wrong, or names a value that was not given. Text is rendered first and "
        "parsed afterwards.";
    NOT_A_DOCUMENT = "RG0111", "not a document of this tool":
        "Every document begins with `apiVersion: rgctl.dev/v1alpha1` and a `kind`: `Blueprint` or `Region`. A file may "
        "hold several, separated by a line `---`.";
    UNREADABLE = "RG0112", "a file that cannot be read":
        "The file or folder does not exist, may not be read, is too large, or is not text in UTF-8.";

    DUPLICATE_NAME = "RG0201", "a name is used twice":
        "Names tell stores, cells, calendar entries and documents apart; in the cloud they become identifiers. Two of "
        "the same name would fight over one object.";
    NAME_TOO_LONG = "RG0202", "an identifier becomes too long":
        "Identifiers in the cloud are made of the blueprint's, the store's and the region's names. One of them would be "
        "longer than the service allows. Shorten the name of the blueprint or of the store: names are fixed for the "
        "life of the data.";
    UNKNOWN_STORE = "RG0203", "a store that the blueprint does not have":
        "A cell or rule names a store that is not in `spec.stores`.";
    NO_STORES = "RG0204", "nothing to build":
        "The blueprint has no store, so there is nothing to plan.";

    UNKNOWN_REGION = "RG0301", "a region that is not described":
        "A region can be used when a `Region` document describes it: its zones, its network, its currency. The built-in "
        "ones are listed by `rgctl explain Region`; others are read from `--regions DIR`.";
    CROSS_PARTITION = "RG0302", "a cell that spans partitions":
        "No data store replicates between the partitions `aws` and `aws-cn`: they have separate accounts, names and "
        "networks, and the law forbids what the technique does not. Make them two cells; each has its own data.";
    RESIDENCY_BROKEN = "RG0303", "data would leave where it must stay":
        "A region of the blueprint does not match any pattern of `residency.allow` that holds for it. Residency counts "
        "for replicas and for copies of snapshots alike.";
    REGION_TWICE = "RG0304", "a region is used twice in a cell":
        "The primary cannot be its own secondary, and each secondary counts once.";
    REGIONS_SHAPE = "RG0305", "regions given in two forms":
        "Give either `primary` and `secondaries`, which is one cell, or `cells`. Not both, and not neither.";
    DEMAND_SHARES = "RG0306", "demand shares that do not make a whole":
        "When a blueprint has several cells, each states which share of the demand it serves, and the shares add up to "
        "100 %. Without it, either a cell would be built for all the players of the world, or some for none.";
    TOO_MANY_SECONDARIES = "RG0307", "more secondary regions than the store allows":
        "The service limits how many secondary regions may follow a primary.";
    NETWORK_INCOMPLETE = "RG0308", "a network that cannot carry the store":
        "A data store needs subnets in at least two zones of its region, and a security group.";
    BAD_REGION = "RG0309", "a region document that contradicts itself or the catalogue":
        "The document says of a region what the catalogue knows otherwise (its currency, its partition), lists a zone or a "
        "subnet twice, has a zone of another region or zones without a subnet, or lacks a feature that does not exist.";

    BAD_ACCOUNT = "RG0310", "an account document that contradicts itself, or the regions that name it":
        "An account has a number of twelve digits; its role is one of that account and of that partition; the regions that "
        "name it, and those that it allows, lie in its partition, and a region that it does not allow may not name it. A "
        "region may name only an account that is described: give its document with `-f`, or put it beside the regions.";

    MIN_OVER_MAX = "RG0401", "the least is more than the most":
        "In a range `{ min, max }`, `min` must not be above `max`. The scaler moves within the range; it never leaves "
        "it.";
    SIZE_LIMIT = "RG0402", "more than the service allows":
        "The service has a hard limit that no request to support lifts.";
    QUOTA_LIMIT = "RG0403", "more than the default quota":
        "The account's default quota is below what the upper bound asks for. It can be raised on request; do it before "
        "the season, since an increase takes days.";
    TWO_SHAPES = "RG0404", "two shapes that exclude each other":
        "A store has either machines of a class or serverless capacity. Giving both leaves open which is meant.";
    GLOBAL_SHAPE = "RG0405", "a shape that cannot be replicated across regions":
        "Replication across regions needs certain machine families and sizes, and certain modes.";
    CLUSTER_MODE = "RG0406", "shards without cluster mode":
        "More than one shard needs cluster mode; without it there is one shard.";
    STEP = "RG0407", "a capacity between two steps":
        "The service takes capacities in steps; the next allowed values are given in the help.";
    CLASS_UNKNOWN = "RG0408", "a class that does not exist":
        "The catalogue knows no machine class of this name for this engine.";
    CLASS_NOT_OFFERED = "RG0409", "a class that is not sold in that region":
        "The region's price list does not have this class for this engine. Leave the class out to have it chosen, or "
        "take one of those in the help.";
    CACHE_PATTERN = "RG0410", "a cache setting that contradicts its pattern":
        "In a cache, what is stored can be fetched again from its origin; the pattern says by whom. Some settings make "
        "no sense for some patterns: a write-behind cache without a copy loses writes when a machine dies.";
    NO_EFFECT = "RG0411", "a setting that has no effect yet":
        "The setting is understood, but this version does not carry it out: nothing of it reaches the service. It is said "
        "here so that nobody relies on it.";
    UNCARRIED = "RG0412", "demand that nothing carries":
        "By the stated demand and the assumptions that `rgctl capacity` prints, no class and no number of machines that "
        "the service offers is enough. A section that states its class or its counts is trusted, and only warned about. "
        "Looking at and removing what exists goes on; nothing grows.";

    RPO_TOPOLOGY = "RG0501", "a recovery point that the topology cannot meet":
        "Replication between regions is asynchronous: what was written in the last moments before the loss of a region "
        "is lost. An RPO of zero over regions cannot be met; with one region, the recovery point for the loss of the "
        "region is the age of the last snapshot elsewhere, if there is any.";
    RTO_TOPOLOGY = "RG0502", "a recovery time that the store cannot meet":
        "A store's own failover takes a certain time that no tool can shorten. The objective is below it.";
    AVAILABILITY_TOPOLOGY = "RG0503", "an availability that the topology cannot meet":
        "Without a copy in a second zone, the loss of a machine is an outage until a new one is built. An availability "
        "of 99.9 % leaves 43 minutes in a month.";
    BACKUP_TOO_SHORT = "RG0504", "backups are kept for too short a time":
        "Point-in-time recovery reaches back only as far as backups are kept. Damage is often found days later.";
    LATENCY_TOPOLOGY = "RG0505", "a latency that cannot be promised":
        "The objective is below what one request over the network takes at all.";

    NOT_ENCRYPTED = "RG0601", "data is not encrypted":
        "Encryption of storage costs nothing, and cannot be switched on later without building the store anew; a warehouse of \
         nodes copies all its data for it, and takes no writes meanwhile.";
    PUBLIC = "RG0602", "a store is reachable from the internet":
        "Data stores belong into private subnets. Reach them through the services that use them, or through a tunnel.";
    NOT_PROTECTED = "RG0603", "a store with data can be deleted at once":
        "With deletion protection, a deletion takes two deliberate steps. It costs nothing.";
    NO_FINAL_SNAPSHOT = "RG0604", "data is gone after a deletion":
        "`keep: nothing` deletes the store without a last snapshot.";
    NO_TRANSPORT_ENCRYPTION = "RG0605", "data travels in clear text":
        "Without TLS, passwords and data can be read on the network; users with rights of their own need it.";

    PAST = "RG0701", "a calendar entry lies in the past":
        "It has no effect any more. Remove it, or let it repeat.";
    OVERLAP = "RG0702", "two calendar entries overlap":
        "Where two entries overlap, the larger demand counts, they do not add up. If both crowds come at once, write one "
        "entry with the sum.";
    BAD_ZONE = "RG0703", "a time zone that does not exist":
        "Time zones are named as in the IANA data base, such as `Asia/Shanghai` or `America/New_York`.";
    WINDOW_TOO_SHORT = "RG0704", "a maintenance window that is too short":
        "The services ask for windows of at least 30 minutes.";
    WINDOW_CLASH = "RG0705", "backups during maintenance":
        "The daily backup window and the weekly maintenance window must not overlap: the services refuse it.";

    VERSION_UNKNOWN = "RG0801", "a version that is not known":
        "The catalogue does not list this engine version. It may be newer than the catalogue, or misspelt.";
    VERSION_DEPRECATED = "RG0802", "a version that is no longer offered":
        "The service no longer accepts this version for new stores.";
    CAPABILITY_MISSING = "RG0803", "a feature that is missing in that region":
        "The region or its partition does not have this feature.";
    CAPABILITY_UNPROVEN = "RG0804", "a feature whose presence is not certain":
        "No public source says for certain that the region has this feature. The real cloud is asked before anything "
        "depends on it.";
    FEATURE_VERSION = "RG0805", "a feature that needs another version":
        "The feature exists only from a certain engine version on, or only for another engine.";
    BAD_SETTING = "RG0806", "a setting that this engine does not have":
        "Log types, parameters and similar words depend on the engine.";
}
