//! Where players are, in words: which region serves a place, and what is to be known of it.
//!
//! **Invariant:** nothing is said of a place but what its region's document says, and what holds for its partition.

use std::fmt::Write as _;

use super::region::{Region, RegionBook};
use rgctl_schema::names::Partition;

/// The region that has this code, is called so by people, or serves a city of that name.
pub fn serving<'b>(book: &'b RegionBook, place: &str) -> Option<&'b Region> {
    let plain = |name: &str| -> String {
        name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let place = plain(place);
    let is_it = |name: &str| plain(name) == place;
    let by_code = book.iter().find(|region| is_it(region.metadata.name.as_str()));
    let by_title = || book.iter().find(|region| is_it(&region.spec.title));
    let by_city = || book.iter().find(|region| region.spec.cities.iter().any(|city| is_it(city)));
    by_code.or_else(by_title).or_else(by_city)
}

/// Whether a word means mainland China: the country, one of its regions or cities, or a code that looks like one.
pub fn is_in_china(book: &RegionBook, place: &str) -> bool {
    let is_code = place.to_ascii_lowercase().starts_with("cn-");
    let is_country = ["china", "mainland china", "cn"].iter().any(|name| place.eq_ignore_ascii_case(name));
    is_code
        || is_country
        || serving(book, place).is_some_and(|region| region.spec.partition == Partition::AwsCn)
}

/// What whoever asks for a place in mainland China has to know before anything is built there.
///
/// Source: "Getting Started with Amazon Web Services in China", general information and signup: two regions, an account and
/// credentials of their own, no use of either outside.
pub fn about_china(book: &RegionBook) -> String {
    let of = |partition: Partition| book.iter().filter(move |region| region.spec.partition == partition);
    let names: Vec<String> = of(Partition::AwsCn)
        .filter(|region| region.metadata.name.as_str().starts_with("cn-"))
        .map(|region| format!("`{}` ({})", region.metadata.name, called(region)))
        .collect();
    let mut text = format!(
        "AWS has regions in Beijing and Ningxia in mainland China and in no other place there; described are: {}. They \
         need an account and credentials of their own, replicate to each other alone, and are billed in CNY; a public \
         service needs an ICP filing.",
        names.join(", ")
    );
    if let Some(near) = of(Partition::Aws).find(|region| region.spec.title == "Hong Kong") {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            " `{}` (Hong Kong) may be nearer to players in the south, but is of another partition (`{}`), with accounts of that: \
             no store replicates between the two, and what is stored there has left mainland China, so that \
             `residency: {{ allow: [cn-*] }}` refuses it.",
            near.metadata.name, near.spec.partition
        );
    }
    text.push_str(
        " How long requests take from a city to either region is not measured here: measure it first.",
    );
    text
}

/// A page about a place, for people.
pub fn page(book: &RegionBook, place: &str) -> Option<String> {
    let region = serving(book, place);
    if region.is_none() && !is_in_china(book, place) {
        return None;
    }
    let mut lines = Vec::new();
    if let Some(region) = region {
        let spec = &region.spec;
        lines.push(format!("{} ({})", region.metadata.name, spec.title));
        lines.push(String::new());
        lines.push(format!("partition  {}, billed in {}", spec.partition, spec.currency));
        lines.extend(spec.operator.as_ref().map(|by| format!("operator   {by}")));
        lines.push(format!("zones      {}", spec.zones.join(", ")));
        lines.extend(of_cities(region).map(|cities| format!("players    {cities}")));
        lines.extend(spec.lacks.iter().map(|lack| format!("lacks      {}", lack.feature)));
    }
    if is_in_china(book, place) {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.push(about_china(book));
    }
    Some(lines.join("\n"))
}

/// What people call a region, and who operates it where that is not AWS itself.
pub fn called(region: &Region) -> String {
    let operator = region.spec.operator.as_ref().map(|by| format!(", operated by {by}"));
    format!("{}{}", region.spec.title, operator.unwrap_or_default())
}

/// The cities that a region serves, where its document names any.
pub fn of_cities(region: &Region) -> Option<String> {
    (!region.spec.cities.is_empty()).then(|| region.spec.cities.join(", "))
}
