//! Documents of accounts: what they may say, and what becomes of it.

use rgctl::cli::identities::Identities;
use rgctl_blueprint::document::ParsedDocuments;
use rgctl_model::overlay::Decisions;
use rgctl_model::sizes::Sizes;
use rgctl_schema::diagnostic::Source;

use rgctl_testkit::fixtures::NOW;
use rgctl_testkit::shipped::catalog;

const BLUEPRINT: &str = "apiVersion: rgctl.dev/v1alpha1\nkind: Blueprint\nmetadata: { name: game }\nspec:\n  demand:\n    \
    players: { peakConcurrent: 20k }\n    requestsPerPlayerPerMinute: 30\n    hotData: { size: 200GiB }\n  objectives: { \
    availability: 99%, p99: 100ms, rto: 2d, rpo: 2d }\n";

fn region(code: &str, rest: &str) -> String {
    let partition = if code.starts_with("cn-") { "aws-cn" } else { "aws" };
    let currency = if code.starts_with("cn-") { "CNY" } else { "USD" };
    format!(
        "apiVersion: rgctl.dev/v1alpha1\nkind: Region\nmetadata: {{ name: {code} }}\nspec: {{ title: T, partition: {partition}, \
         currency: {currency}, zones: [{code}a, {code}b], network: {{ subnets: [s-1, s-2], securityGroups: [sg] }}{rest} }}\n"
    )
}

fn account(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: rgctl.dev/v1alpha1\nkind: Account\nmetadata: {{ name: {name} }}\nspec: {{ {spec} }}\n"
    )
}

fn read(documents: &[String]) -> ParsedDocuments {
    let mut reading =
        ParsedDocuments::with_built_in_regions(&[Source::new("all.yaml", documents.join("---\n"))]);
    reading.check(&catalog(), NOW);
    reading
}

/// What is wrong, in a line each.
fn problems(documents: &[String]) -> Vec<String> {
    read(documents)
        .diagnostics
        .iter()
        .map(|one| format!("{} {}: {}", one.code, one.path, one.message))
        .collect()
}

const CHINA: &str = "id: '111111111111', partition: aws-cn, role: 'arn:aws-cn:iam::111111111111:role/rgctl'";

#[test]
fn what_an_account_says_wrongly_is_told_all_at_once() {
    let found = problems(&[
        region("us-east-1", ", account: wrong"),
        account(
            "wrong",
            "id: '12', partition: aws-cn, role: 'arn:aws:iam::999999999999:user/me', regions: [us-west-2]",
        ),
    ]);
    let about = |what: &str| found.iter().any(|line| line.contains(what));
    assert!(found.iter().all(|line| line.starts_with("RG0310")), "{found:#?}");
    assert!(about("spec.id: `12` is no number of an account"), "{found:#?}");
    assert!(about("spec.role: `user/me` is no role"), "{found:#?}");
    assert!(about("the role is of partition `aws`, the account of `aws-cn`"), "{found:#?}");
    assert!(about("the role is of account 999999999999, the document of 12"), "{found:#?}");
    assert!(about("spec.regions[0]: `us-west-2` is in partition `aws`"), "{found:#?}");
    assert!(
        about("spec.account: `us-east-1` is in partition `aws`, the account `wrong` in `aws-cn`"),
        "{found:#?}"
    );
}

#[test]
fn a_region_names_an_account_that_is_described_and_allows_it() {
    let missing = problems(&[region("cn-north-1", ", account: chyna"), account("china", CHINA)]);
    assert!(missing.iter().any(|line| line.contains("the account `chyna` is not described")), "{missing:#?}");
    assert!(missing.iter().any(|line| line.contains("no region names the account `china`")), "{missing:#?}");
    let elsewhere = problems(&[
        region("cn-north-1", ", account: china"),
        account("china", &format!("{CHINA}, regions: [cn-northwest-1]")),
    ]);
    assert!(elsewhere.iter().any(|line| line.contains("may not be used in `cn-north-1`")), "{elsewhere:#?}");
    let right = problems(&[region("cn-north-1", ", account: china"), account("china", CHINA)]);
    assert_eq!(right, [] as [String; 0]);
    let alone = problems(&[
        region("cn-north-1", ", account: china"),
        account("china", "id: '111111111111', partition: aws-cn, externalId: x"),
    ]);
    assert!(alone.iter().any(|line| line.contains("an external id without a role")), "{alone:#?}");
    let twice = problems(&[
        region("cn-north-1", ", account: china"),
        account("china", CHINA),
        account("china", CHINA),
    ]);
    assert!(twice.iter().any(|line| line.contains("the account `china` is described twice")), "{twice:#?}");
}

#[test]
fn all_regions_of_a_cell_are_in_one_account() {
    let with = |regions: &str, west: &str| {
        problems(&[
            format!(
                "{BLUEPRINT}  regions: {regions}\n  stores:\n    - {{ name: accounts, engine: aurora-mysql }}\n"
            ),
            region("us-east-1", ", account: one"),
            region("us-west-2", west),
            account("one", "id: '111111111111'"),
            account("two", "id: '222222222222'"),
        ])
    };
    let pair = "{ primary: us-east-1, secondaries: [us-west-2] }";
    let across =
        |found: &[String]| found.iter().any(|line| line.contains("RG0310 spec.regions.secondaries[0]"));
    assert!(across(&with(pair, ", account: two")));
    assert!(across(&with(pair, "")), "whoever the environment says is another account until it is known");
    assert!(!across(&with(pair, ", account: one")));
}

#[test]
fn the_home_of_a_record_is_the_account_of_the_first_primary_region_and_not_of_the_first_by_name() {
    let reading = read(&[
        format!(
            "{BLUEPRINT}  regions:\n    cells:\n      - {{ name: west, primary: us-west-2, demandShare: 50% }}\n      - {{ name: east, \
             primary: us-east-1, demandShare: 50% }}\n  stores:\n    - {{ name: accounts, engine: aurora-mysql }}\n"
        ),
        region("us-east-1", ", account: one"),
        region("us-west-2", ", account: two"),
        account("one", "id: '111111111111'"),
        account("two", "id: '222222222222'"),
    ]);
    let blueprint = &reading.blueprints[0].blueprint;
    let built = rgctl_blueprint::desired::build(
        blueprint,
        &reading.regions,
        &catalog(),
        (&Decisions::default(), &Sizes::default()),
        NOW,
    );
    let desired = built.unwrap().desired;
    assert_eq!(desired.home.as_ref().map(ToString::to_string).as_deref(), Some("us-west-2"));
    assert_eq!(desired.regions.first().map(ToString::to_string).as_deref(), Some("us-east-1"));
}

/// Changing any field of an account's specification changes as whom a region is worked in, or is refused.
#[test]
fn every_field_of_an_account_has_a_reader() {
    let with = |spec: &str| {
        let reading = read(&[region("cn-north-1", ", account: china"), account("china", spec)]);
        let problems = reading.diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>();
        (Identities::of(&reading), problems)
    };
    let base = with(CHINA);
    assert_eq!((base.0.0.len(), base.1.len()), (1, 0));
    for changed in [
        "id: '222222222222', partition: aws-cn, role: 'arn:aws-cn:iam::222222222222:role/rgctl'",
        "id: '111111111111', partition: aws, role: 'arn:aws:iam::111111111111:role/rgctl'",
        "id: '111111111111', partition: aws-cn, role: 'arn:aws-cn:iam::111111111111:role/other'",
        &format!("{CHINA}, externalId: x"),
        &format!("{CHINA}, profile: china"),
        &format!("{CHINA}, regions: [cn-northwest-1]"),
    ] {
        assert_ne!(with(changed), base, "{changed}");
    }
    // A region that the blueprint has left may still hold something: it is looked at as whoever made it.
    let reading = read(&[region("cn-north-1", ", account: china"), account("china", CHINA)]);
    assert_eq!(Identities::of(&reading).0.len(), 1, "no blueprint is needed for it");
    let elsewhere = std::iter::once(rgctl_testkit::fixtures::region("us-east-1")).collect();
    assert_eq!(Identities::of(&reading).in_use(&elsewhere).count(), 0);
}
