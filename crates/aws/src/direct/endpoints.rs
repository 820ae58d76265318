//! Where direct questions go.
//!
//! Goes in: the configuration of a region's clients, a service. Comes out: an address, and the region that signatures
//! name. Facts: the endpoint rules of the services, as they are published with the SDKs (IAM 2010-05-08,
//! Service Quotas 2019-06-24, Secrets Manager 2017-10-17).

use aws_types::SdkConfig;
use aws_types::region::{Region, SigningRegion};
use aws_types::service_config::ServiceConfigKey;

use super::{IAM, QUOTAS, Service};
use rgctl_schema::names::{Partition, RegionId};

/// An address and the region that signs for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub url: String,
    pub signing_region: SigningRegion,
}

/// What a partition adds to the names of its hosts, and where its one IAM is.
struct Zone {
    partition: Partition,
    suffix: &'static str,
    /// For hosts with addresses of both generations.
    dual_suffix: &'static str,
    /// Region that signatures for IAM name.
    home: &'static str,
    iam: &'static str,
    iam_dual: &'static str,
}

const fn zone(
    partition: Partition,
    suffixes: (&'static str, &'static str),
    home: &'static str,
    iam: (&'static str, &'static str),
) -> Zone {
    Zone { partition, suffix: suffixes.0, dual_suffix: suffixes.1, home, iam: iam.0, iam_dual: iam.1 }
}

const ZONES: &[Zone] = &[
    zone(
        Partition::Aws,
        ("amazonaws.com", "api.aws"),
        "us-east-1",
        ("iam.amazonaws.com", "iam.global.api.aws"),
    ),
    zone(
        Partition::AwsCn,
        ("amazonaws.com.cn", "api.amazonwebservices.com.cn"),
        "cn-north-1",
        ("iam.cn-north-1.amazonaws.com.cn", "iam.global.api.amazonwebservices.com.cn"),
    ),
    zone(
        Partition::AwsUsGov,
        ("amazonaws.com", "api.aws"),
        "us-gov-west-1",
        ("iam.us-gov.amazonaws.com", "iam.us-gov.api.aws"),
    ),
    zone(
        Partition::AwsEusc,
        ("amazonaws.eu", "api.amazonwebservices.eu"),
        "eusc-de-east-1",
        ("iam.eusc-de-east-1.amazonaws.eu", "iam.global.api.amazonwebservices.eu"),
    ),
    zone(
        Partition::AwsIso,
        ("c2s.ic.gov", "api.aws.ic.gov"),
        "us-iso-east-1",
        ("iam.us-iso-east-1.c2s.ic.gov", "iam.api.aws.ic.gov"),
    ),
    zone(
        Partition::AwsIsoB,
        ("sc2s.sgov.gov", "api.aws.scloud"),
        "us-isob-east-1",
        ("iam.us-isob-east-1.sc2s.sgov.gov", "iam.api.aws.scloud"),
    ),
    zone(
        Partition::AwsIsoE,
        ("cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
        "eu-isoe-west-1",
        ("iam.eu-isoe-west-1.cloud.adc-e.uk", "iam.api.cloud-aws.adc-e.uk"),
    ),
    zone(
        Partition::AwsIsoF,
        ("csp.hci.ic.gov", "api.aws.hci.ic.gov"),
        "us-isof-south-1",
        ("iam.us-isof-south-1.csp.hci.ic.gov", "iam.api.aws.hci.ic.gov"),
    ),
];

/// The endpoint of a service: the one that the user names, or Amazon's.
pub fn of(sdk: &SdkConfig, service: Service) -> Endpoint {
    let region = sdk.region().map_or("us-east-1", AsRef::as_ref);
    if let Some(url) = named_by_the_user(sdk, service) {
        return Endpoint { url, signing_region: SigningRegion::from(Region::new(region.to_owned())) };
    }
    let (fips, dual) = (sdk.use_fips().unwrap_or(false), sdk.use_dual_stack().unwrap_or(false));
    amazons(region, service, fips, dual)
}

/// An address from the options, or from the environment and the shared configuration, where one may be set for all
/// services or for one.
fn named_by_the_user(sdk: &SdkConfig, service: Service) -> Option<String> {
    let of_all = || sdk.endpoint_url().map(str::to_owned);
    if sdk.get_origin("endpoint_url").is_client_config() {
        return of_all();
    }
    let key = ServiceConfigKey::builder()
        .service_id(service.id)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    sdk.service_config().and_then(|config| config.load_config(key)).or_else(of_all)
}

fn amazons(region: &str, service: Service, fips: bool, dual: bool) -> Endpoint {
    let partition = RegionId::new(region).map_or(Partition::Aws, |region| Partition::of(&region));
    let zone = ZONES.iter().find(|zone| zone.partition == partition).unwrap_or(&ZONES[0]);
    let suffix = if dual { zone.dual_suffix } else { zone.suffix };
    let is_gov = partition == Partition::AwsUsGov;
    let (host, signing) = if service.signing == IAM.signing {
        let host = match (fips, dual) {
            // All endpoints of that partition are certified.
            _ if is_gov && dual => zone.iam_dual.to_owned(),
            _ if is_gov => zone.iam.to_owned(),
            (true, true) if partition == Partition::Aws => "iam-fips.global.api.aws".to_owned(),
            (true, _) => format!("iam-fips.{suffix}"),
            (false, true) => zone.iam_dual.to_owned(),
            (false, false) => zone.iam.to_owned(),
        };
        (host, zone.home)
    } else {
        // All endpoints of Service Quotas in that partition are certified.
        let is_certified = is_gov && !dual && service.signing == QUOTAS.signing;
        let certified = if fips && !is_certified { "-fips" } else { "" };
        (format!("{}{certified}.{region}.{suffix}", service.signing), region)
    };
    Endpoint {
        url: format!("https://{host}"),
        signing_region: SigningRegion::from(Region::new(signing.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::SECRETS;
    use super::*;

    #[test]
    fn iam_is_one_for_a_partition_and_signed_for_its_home() {
        for (region, fips, dual, host, signing) in [
            ("eu-west-1", false, false, "iam.amazonaws.com", "us-east-1"),
            ("eu-west-1", true, false, "iam-fips.amazonaws.com", "us-east-1"),
            ("eu-west-1", false, true, "iam.global.api.aws", "us-east-1"),
            ("eu-west-1", true, true, "iam-fips.global.api.aws", "us-east-1"),
            ("cn-northwest-1", false, false, "iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("cn-northwest-1", true, true, "iam-fips.api.amazonwebservices.com.cn", "cn-north-1"),
            ("us-gov-east-1", false, false, "iam.us-gov.amazonaws.com", "us-gov-west-1"),
            ("us-gov-east-1", true, false, "iam.us-gov.amazonaws.com", "us-gov-west-1"),
            ("us-gov-east-1", true, true, "iam.us-gov.api.aws", "us-gov-west-1"),
            ("eusc-de-east-1", false, false, "iam.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
            ("us-iso-west-1", false, false, "iam.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
        ] {
            let found = amazons(region, IAM, fips, dual);
            let wanted = (format!("https://{host}"), signing);
            assert_eq!((found.url, found.signing_region.as_ref()), wanted, "{region} {fips} {dual}");
        }
    }

    #[test]
    fn quotas_are_asked_in_their_region() {
        for (region, fips, dual, host) in [
            ("eu-west-1", false, false, "servicequotas.eu-west-1.amazonaws.com"),
            ("eu-west-1", true, false, "servicequotas-fips.eu-west-1.amazonaws.com"),
            ("eu-west-1", false, true, "servicequotas.eu-west-1.api.aws"),
            ("cn-north-1", false, false, "servicequotas.cn-north-1.amazonaws.com.cn"),
            ("us-gov-west-1", true, false, "servicequotas.us-gov-west-1.amazonaws.com"),
            ("us-gov-west-1", true, true, "servicequotas-fips.us-gov-west-1.api.aws"),
        ] {
            let found = amazons(region, QUOTAS, fips, dual);
            let wanted = (format!("https://{host}"), region);
            assert_eq!((found.url, found.signing_region.as_ref()), wanted, "{region} {fips} {dual}");
        }
    }

    #[test]
    fn secrets_are_kept_in_their_region() {
        for (region, fips, dual, host) in [
            ("eu-west-1", false, false, "secretsmanager.eu-west-1.amazonaws.com"),
            ("cn-north-1", false, false, "secretsmanager.cn-north-1.amazonaws.com.cn"),
            ("us-gov-west-1", true, false, "secretsmanager-fips.us-gov-west-1.amazonaws.com"),
            ("eu-west-1", false, true, "secretsmanager.eu-west-1.api.aws"),
        ] {
            assert_eq!(amazons(region, SECRETS, fips, dual).url, format!("https://{host}"));
        }
    }

    #[test]
    fn every_partition_has_its_zone() {
        for region in ["us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1", "us-iso-east-1", "cn-north-1"] {
            let partition = Partition::of(&RegionId::new(region).unwrap());
            assert!(ZONES.iter().any(|zone| zone.partition == partition), "{region}");
        }
    }
}
