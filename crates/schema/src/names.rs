//! Names and identifiers as checked types: what has the type has passed the check.

use crate::choices;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not a legal name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("it is empty")]
    Empty,
    /// More characters than the limit.
    #[error("it has {got} characters, at most {max} are allowed")]
    TooLong {
        /// Characters given.
        got: usize,
        /// Characters allowed.
        max: usize,
    },
    /// A character outside the alphabet, or in a place where it is not allowed.
    #[error(
        "{found:?} at position {at}: only lower-case letters, digits and single hyphens between them, starting with a letter"
    )]
    Character {
        /// The offending character.
        found: char,
        /// Its position, counted from 1.
        at: usize,
    },
}

fn check_identifier(text: &str, max: usize) -> Result<(), NameError> {
    if is_plain(text, max) {
        return Ok(());
    }
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    let got = text.chars().count();
    if got > max {
        return Err(NameError::TooLong { got, max });
    }
    let mut before = '-';
    for (place, found) in text.chars().enumerate() {
        let last = place + 1 == got;
        let legal = match found {
            'a'..='z' => true,
            '0'..='9' => place > 0,
            '-' => before != '-' && !last,
            _ => false,
        };
        if !legal {
            return Err(NameError::Character { found, at: place + 1 });
        }
        before = found;
    }
    Ok(())
}

/// Whether a text is a name without a hyphen too many: the usual case, told apart byte by byte.
fn is_plain(text: &str, max: usize) -> bool {
    let bytes = text.as_bytes();
    let starts = bytes.first().is_some_and(u8::is_ascii_lowercase);
    let ends = bytes.last().is_some_and(|last| *last != b'-');
    let pairs = || bytes.windows(2).all(|pair| pair != b"--");
    let legal = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    starts && ends && bytes.len() <= max && bytes.iter().all(legal) && pairs()
}

macro_rules! text_traits {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(from)?).map_err(serde::de::Error::custom)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $max:expr) => {
        $(#[$doc])*
        ///
        /// Copies share one text, since the same few names stand in very many places.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name(Arc<str>);

        impl Ord for $name {
            #[inline]
            fn cmp(&self, other: &Self) -> Ordering {
                // Most of the names that are found to be equal are copies of one: their text need not be read.
                if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
            }
        }

        impl PartialOrd for $name {
            #[inline]
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl $name {
            /// The most characters that such a name may have.
            pub const MAX: usize = $max;

            /// Checks and takes a name.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let text = text.into();
                check_identifier(&text, Self::MAX)?;
                Ok(Self(text.into()))
            }
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        text_traits!($name);
    };
}

checked_name! {
    /// Identifier of an object in the cloud. 63 characters is the shortest limit that RDS and Redshift share;
    /// ElastiCache allows 40, which the families check.
    Name, 63
}
checked_name! {
    /// Name of a blueprint: the game or system.
    BlueprintName, 24
}
checked_name! {
    /// Name of a store within a blueprint, such as `accounts`.
    StoreName, 20
}
checked_name! {
    /// Name of an account, such as `china`.
    AccountName, 24
}

/// Code of a region, such as `cn-north-1`.
///
/// Its text is held in place: it begins every address, and most of comparing two addresses is comparing their regions.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RegionId {
    /// The text, and zeros behind it, which sort before every letter.
    text: [u8; RegionId::MAX],
    length: u8,
}

impl RegionId {
    /// The most characters that such a code may have.
    pub const MAX: usize = 24;

    /// Checks and takes a code.
    pub fn new(code: impl AsRef<str>) -> Result<Self, NameError> {
        let code = code.as_ref();
        check_identifier(code, Self::MAX)?;
        let mut text = [0; Self::MAX];
        text[..code.len()].copy_from_slice(code.as_bytes());
        Ok(Self { text, length: u8::try_from(code.len()).unwrap_or_default() })
    }

    /// The text in words that sort as it does. No text has a zero in it, so that two of another length differ here too.
    #[inline]
    fn words(&self) -> [u64; 3] {
        let (words, _) = self.text.as_chunks::<8>();
        std::array::from_fn(|place| u64::from_be_bytes(words[place]))
    }

    /// The code as text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.text[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl Ord for RegionId {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.words().cmp(&other.words())
    }
}

impl PartialOrd for RegionId {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for RegionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RegionId").field(&self.as_str()).finish()
    }
}

text_traits!(RegionId);

impl RegionId {
    /// A short code that keeps the identifiers of a region's objects apart: `us-east-1` becomes `use1`.
    ///
    /// Compass words are shortened to their initials, as AWS does in availability-zone ids.
    pub fn short(&self) -> String {
        let mut short = String::new();
        for (place, part) in self.as_str().split('-').enumerate() {
            match part {
                _ if place == 0 => short.push_str(part),
                "north" => short.push('n'),
                "south" => short.push('s'),
                "east" => short.push('e'),
                "west" => short.push('w'),
                "central" => short.push('c'),
                "northeast" => short.push_str("ne"),
                "northwest" => short.push_str("nw"),
                "southeast" => short.push_str("se"),
                "southwest" => short.push_str("sw"),
                other => short.push_str(other),
            }
        }
        short
    }
}

/// Part of the world in which AWS keeps accounts, names and prices of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Partition {
    /// The commercial partition.
    #[serde(rename = "aws")]
    Aws,
    /// China.
    #[serde(rename = "aws-cn")]
    AwsCn,
    /// The government of the United States.
    #[serde(rename = "aws-us-gov")]
    AwsUsGov,
    /// The European sovereign cloud.
    #[serde(rename = "aws-eusc")]
    AwsEusc,
    /// Isolated, for secrets of the United States.
    #[serde(rename = "aws-iso")]
    AwsIso,
    /// Isolated, the second.
    #[serde(rename = "aws-iso-b")]
    AwsIsoB,
    /// Isolated, in Europe.
    #[serde(rename = "aws-iso-e")]
    AwsIsoE,
    /// Isolated, the fourth.
    #[serde(rename = "aws-iso-f")]
    AwsIsoF,
}

impl Partition {
    /// Partitions by the beginning of their regions' codes; every other code is of the commercial one.
    const BY_CODE: [(&'static str, Self); 7] = [
        ("cn-", Self::AwsCn),
        ("us-gov-", Self::AwsUsGov),
        ("eusc-", Self::AwsEusc),
        ("us-iso-", Self::AwsIso),
        ("us-isob-", Self::AwsIsoB),
        ("eu-isoe-", Self::AwsIsoE),
        ("us-isof-", Self::AwsIsoF),
    ];

    /// As it stands in an ARN.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
            Self::AwsEusc => "aws-eusc",
            Self::AwsIso => "aws-iso",
            Self::AwsIsoB => "aws-iso-b",
            Self::AwsIsoE => "aws-iso-e",
            Self::AwsIsoF => "aws-iso-f",
        }
    }

    /// Regions in which every account of it may ask who it is: those that need not be enabled first
    /// (docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html). Of some partitions none is known.
    pub const fn everywhere_enabled(self) -> &'static [&'static str] {
        match self {
            Self::Aws => &["us-east-1", "us-west-2", "eu-west-1"],
            Self::AwsCn => &["cn-north-1", "cn-northwest-1"],
            Self::AwsUsGov => &["us-gov-west-1", "us-gov-east-1"],
            Self::AwsEusc | Self::AwsIso | Self::AwsIsoB | Self::AwsIsoE | Self::AwsIsoF => &[],
        }
    }

    /// The partition of a region, by its code.
    pub fn of(region: &RegionId) -> Self {
        let is_its = |(start, _): &&(&str, Self)| region.as_str().starts_with(start);
        Self::BY_CODE.iter().find(is_its).map_or(Self::Aws, |(_, partition)| *partition)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

macro_rules! opaque_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

opaque_id! {
    /// One run of the engine: one `apply`, `destroy`, drill or failover.
    RunId
}
/// A step, named by what it does to which object; the same step has the same name in every plan.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StepId(pub Arc<str>);

impl Ord for StepId {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

impl PartialOrd for StepId {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for StepId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for StepId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(text.into()))
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

opaque_id! {
    /// Proof that a call belongs to a step of a run. A second call with the token of the first is the same call.
    Token
}
opaque_id! {
    /// A digest that stands for a content: equal digests mean equal content.
    Fingerprint
}

choices!(@setting Partition, ["Part of the world with accounts, names and prices of its own."],
    ["The commercial partition."] Aws = "aws", ["China."] AwsCn = "aws-cn",
    ["The government of the United States."] AwsUsGov = "aws-us-gov",
    ["The European sovereign cloud."] AwsEusc = "aws-eusc",
    ["Isolated, for secrets of the United States."] AwsIso = "aws-iso",
    ["Isolated, the second."] AwsIsoB = "aws-iso-b", ["Isolated, in Europe."] AwsIsoE = "aws-iso-e",
    ["Isolated, the fourth."] AwsIsoF = "aws-iso-f");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_which_character_is_wrong() {
        assert!(Name::new("rocket-arena-accounts-use1-2").is_ok());
        assert_eq!(Name::new("2fast"), Err(NameError::Character { found: '2', at: 1 }));
        assert_eq!(Name::new("a--b"), Err(NameError::Character { found: '-', at: 3 }));
        assert_eq!(Name::new("ab-"), Err(NameError::Character { found: '-', at: 3 }));
        assert_eq!(Name::new(""), Err(NameError::Empty));
        assert_eq!(StoreName::new("a".repeat(21)), Err(NameError::TooLong { got: 21, max: 20 }));
        assert!(serde_json::from_str::<Name>("\"Upper\"").is_err());
    }

    #[test]
    fn each_region_is_of_the_partition_that_its_code_begins_with() {
        let of = |code: &str| Partition::of(&RegionId::new(code).unwrap()).as_str();
        let codes =
            ["us-east-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1", "us-iso-east-1", "us-isob-east-1"];
        let partitions = codes.map(of);
        assert_eq!(partitions, ["aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b"]);
        assert_eq!((of("eu-isoe-west-1"), of("us-isof-south-1")), ("aws-iso-e", "aws-iso-f"));
    }

    #[test]
    fn regions_have_distinct_short_codes() {
        let codes = ["us-east-1", "us-west-2", "eu-west-1", "ap-southeast-1", "cn-north-1", "cn-northwest-1"];
        let short: Vec<_> = codes.iter().filter_map(|c| RegionId::new(*c).ok()).map(|r| r.short()).collect();
        assert_eq!(short, ["use1", "usw2", "euw1", "apse1", "cnn1", "cnnw1"]);
    }
}
