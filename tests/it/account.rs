//! Commands about the account, as a shell sees them: permissions, checks, and what a new user is told.

use serde_json::Value;

use crate::cli::{Left, Place};

fn place() -> Place {
    let place = Place::new();
    let root = env!("CARGO_MANIFEST_DIR");
    let text = std::fs::read_to_string(format!("{root}/blueprints/light-game.yaml")).unwrap();
    place.write("game.yaml", &text);
    place
}

fn json(left: &Left) -> Value {
    serde_json::from_str(&left.data).unwrap_or_else(|error| panic!("{error}: {}\n{}", left.data, left.talk))
}

#[test]
fn a_policy_is_the_bare_document_as_text_and_named_by_its_format_elsewhere() {
    let place = place();
    let bare = json(&place.run(&["iam-policy", "-f", "game.yaml"]));
    assert_eq!(bare["Version"], "2012-10-17");
    assert!(bare.get("format").is_none(), "IAM refuses fields that it does not know");
    let told = json(&place.run(&["iam-policy", "-f", "game.yaml", "-o", "json"]));
    assert_eq!(told["format"], "rgctl.dev/iam-policy/v2");
    assert_eq!(told["policies"][0]["policy"], bare);
    let yaml = place.run(&["iam-policy", "-f", "game.yaml", "-o", "yaml"]);
    assert!(yaml.data.contains("rgctl.dev/iam-policy/v2"), "{}", yaml.data);
    let markdown = place.run(&["iam-policy", "-f", "game.yaml", "--read-only", "-o", "markdown"]);
    assert!(markdown.data.starts_with("## Permissions to observe light-game"), "{}", markdown.data);
}

#[test]
fn a_policy_covers_the_record_where_it_is_kept() {
    let place = place();
    let policy = |extra: &[&str]| {
        place
            .run(&[&["iam-policy", "-f", "game.yaml", "--store", "s3://team-records/games"], extra].concat())
            .data
    };
    let all = policy(&[]);
    assert!(all.contains("arn:aws:s3:::team-records/games/*") && all.contains("s3:PutObject"), "{all}");
    assert!(!policy(&["--read-only"]).contains("s3:PutObject"));
    assert!(!place.run(&["iam-policy", "-f", "game.yaml"]).data.contains("s3:"));
}

#[test]
fn the_embedded_cloud_needs_no_doctor() {
    let left = place().run(&["doctor", "-f", "game.yaml"]);
    assert_eq!((left.code, left.data.as_str()), (6, ""), "{}", left.talk);
    assert!(left.talk.contains("--cloud aws"), "{}", left.talk);
}

#[cfg(not(feature = "aws"))]
#[test]
fn a_program_without_the_provider_says_how_to_get_one() {
    for line in
        [&["doctor", "-f", "game.yaml", "--cloud", "aws"][..], &["plan", "-f", "game.yaml", "--cloud", "aws"]]
    {
        let left = place().run(line);
        assert_eq!(left.code, 6, "{}", left.talk);
        assert!(
            left.talk.contains("has no AWS in it") && left.talk.contains("feature `aws`"),
            "{}",
            left.talk
        );
    }
}

/// Nothing in the environment, no files, and no machine's metadata: a new user's first try.
#[cfg(feature = "aws")]
fn without_credentials(place: &Place, line: &[&str]) -> Left {
    let mut command = place.command(line);
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", place.path());
    let output = command.output().unwrap();
    Left {
        code: u8::try_from(output.status.code().unwrap()).unwrap(),
        data: String::from_utf8(output.stdout).unwrap(),
        talk: String::from_utf8(output.stderr).unwrap(),
    }
}

#[cfg(feature = "aws")]
#[test]
fn a_new_user_without_credentials_is_told_what_to_do_and_nothing_is_recorded() {
    for line in [
        &["plan", "-f", "game.yaml", "--cloud", "aws", "--store", "local"][..],
        &["apply", "-f", "game.yaml", "--cloud", "aws", "--store", "local", "--yes"],
        &["import", "--region", "us-east-1", "--cloud", "aws", "--store", "local"],
        &["import", "-f", "game.yaml", "--cloud", "aws", "--store", "local", "--take-over"],
    ] {
        let place = place();
        let left = without_credentials(&place, line);
        assert_eq!((left.code, left.data.as_str()), (1, ""), "{line:?}: {}", left.talk);
        assert!(left.talk.contains("no usable credentials"), "{line:?}: {}", left.talk);
        assert!(left.talk.contains("hint: name a profile"), "{line:?}: {}", left.talk);
        let history = place.run(&["history", "light-game"]);
        assert!(history.talk.contains("nothing is on record"), "{line:?}: {}", history.talk);
    }
}

#[cfg(feature = "aws")]
#[test]
fn on_aws_the_store_is_named_and_its_record_is_read_without_credentials() {
    let place = place();
    for line in [
        &["plan", "-f", "game.yaml"][..],
        &["apply", "-f", "game.yaml", "--yes"],
        &["destroy", "-f", "game.yaml", "--yes"],
        &["status", "-f", "game.yaml"],
        &["drift", "-f", "game.yaml"],
        &["import", "-f", "game.yaml", "--take-over"],
        &["history", "light-game"],
    ] {
        let left = without_credentials(&place, &[&["--cloud", "aws"], line].concat());
        assert_eq!((left.code, left.data.as_str()), (6, ""), "{line:?}: {}", left.talk);
        assert!(left.talk.contains("--store s3://bucket/prefix"), "{line:?}: {}", left.talk);
        assert!(left.talk.contains("--store local"), "{line:?}: {}", left.talk);
    }
    let read = ["--cloud", "aws", "--store", "local", "history", "light-game"];
    let left = without_credentials(&place, &read);
    assert!(left.code == 0 && left.talk.contains("nothing is on record"), "{}", left.talk);
    assert_eq!(without_credentials(&place, &["--cloud", "aws", "explain", "RG0102"]).code, 0);
}

#[cfg(feature = "aws")]
#[test]
fn the_doctor_tells_a_new_user_the_same_in_every_form() {
    let place = place();
    let line = ["doctor", "-f", "game.yaml", "--cloud", "aws"];
    let text = without_credentials(&place, &line);
    assert_eq!(text.code, 1, "{}", text.talk);
    assert!(text.data.starts_with("wrong  credentials"), "{}", text.data);
    assert!(text.data.contains("-> name a profile"), "{}", text.data);
    let told = without_credentials(&place, &[&line[..], &["-o", "json"]].concat());
    let value = json(&told);
    assert_eq!(
        (value["format"].as_str(), &value["able"]),
        (Some("rgctl.dev/doctor/v1"), &Value::Bool(false))
    );
    assert_eq!(value["findings"][0]["verdict"], "wrong");
    let markdown = without_credentials(&place, &[&line[..], &["-o", "markdown"]].concat());
    assert!(markdown.data.starts_with("## rgctl cannot work here yet"), "{}", markdown.data);
    let by_region = without_credentials(&place, &["doctor", "--region", "us-east-1", "--cloud", "aws"]);
    assert_eq!(by_region.code, 1, "{}", by_region.talk);
}
