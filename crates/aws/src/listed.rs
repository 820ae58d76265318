//! What the lists of several regions come to.
//!
//! Goes in: regions with what their lists showed. Comes out: whether that is worth anything.

use std::collections::BTreeSet;

use super::errors::{NOT_EMULATED, is_about_identity};
use super::region_listing::RegionListing;
use rgctl_model::kinds::KindId;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::ports::CloudError;
use rgctl_schema::names::RegionId;

/// What the lists of a region showed.
#[derive(Debug)]
pub struct Listed {
    /// Which region.
    pub region: RegionId,
    /// What each endpoint showed.
    pub listings: Vec<(Endpoint, RegionListing)>,
}

impl Listed {
    /// A region in which nothing could even be asked for.
    pub fn unseen(region: &RegionId, error: &CloudError) -> Self {
        let endpoints: BTreeSet<Endpoint> = KindId::ALL.iter().map(|kind| kind.facts().endpoint).collect();
        let listing =
            || RegionListing { asked: 1, failed: 1, gaps: vec![error.clone()], ..RegionListing::default() };
        let listings = endpoints.into_iter().map(|endpoint| (endpoint, listing())).collect();
        Self { region: region.clone(), listings }
    }
}

/// Why nothing at all was seen, if so: one clear error says more than a gap for every list. Who is not known to one list
/// is known to none: lists that an emulator leaves out must not hide that. A region that is not enabled knows nobody, while
/// others do: that is a gap. And an endpoint that knows no list is no provider.
pub fn nothing_seen(regions: &[Listed]) -> Option<CloudError> {
    let is_auth_error =
        |error: &CloudError| matches!(error, CloudError::Denied { code, .. } if is_about_identity(code));
    let (mut asked, mut failed, mut errors, mut unknown) = (0, 0, Vec::new(), Vec::new());
    let mut unknown_to = Vec::new();
    for region in regions {
        let gaps = || region.listings.iter().flat_map(|(_, listing)| &listing.gaps);
        let lists = || region.listings.iter().map(|(_, listing)| listing);
        if let Some(denied) = gaps().find(|error| is_auth_error(error)) {
            let knows_nobody = lists().map(|it| it.asked).sum::<usize>()
                == gaps().filter(|error| is_auth_error(error)).count()
                    + lists().map(|it| it.unknown.len()).sum::<usize>();
            unknown_to.push((denied, knows_nobody));
        }
        asked += lists().map(|it| it.asked).sum::<usize>();
        failed += lists().map(|it| it.failed).sum::<usize>();
        errors.extend(gaps());
        unknown.extend(lists().flat_map(|it| &it.unknown));
    }
    let is_known_elsewhere = unknown_to.len() < regions.len();
    if let Some((denied, _)) = unknown_to.iter().find(|(_, nobody)| !(*nobody && is_known_elsewhere)) {
        return Some((*denied).clone());
    }
    if asked == 0 || failed + unknown.len() < asked {
        return None;
    }
    errors.first().map(|error| (*error).clone()).or_else(|| {
        let first = unknown.first()?;
        let message = format!(
            "it knows none of the {asked} lists that were asked for: is this an endpoint of the provider, and does it \
             know the region? The first answer was: {first}"
        );
        Some(CloudError::Refused { code: NOT_EMULATED.to_owned(), message })
    })
}
