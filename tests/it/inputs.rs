//! Hostile inputs through the real binary: each ends at once, with a documented exit code and a message that says what to
//! do. What would take the full time of a bound is shown through the library, with a short one.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rgctl::cli::exit::Exit;
use rgctl_blueprint::template::Values;
use rgctl_machine::child::ChildLimits;
use rgctl_machine::inputs::{DOCUMENT_BYTES_MAX, InputBudget, InputError};
use rgctl_schema::diagnostic::Source;
use rgctl_templates::RenderError;

use crate::cli::{Left, Place, SMALL};

/// Long enough for a process to begin, too short to be noticed.
const MOMENT: Duration = Duration::from_millis(300);

fn program() -> &'static Path {
    Path::new(assert_cmd::cargo::cargo_bin!("rgctl"))
}

fn refused(left: &Left, about: &str, says: &[&str]) {
    assert_eq!(left.code, Exit::BadInput.code(), "{about}: {}{}", left.data, left.talk);
    let text = left.talk.clone() + &left.data;
    for word in says {
        assert!(text.contains(word), "{about}: `{word}` is not in {text}");
    }
    assert!(!text.contains("panicked"), "{about}: {text}");
    assert!(text.len() < 100_000, "{about}: {} bytes are said", text.len());
}

#[test]
fn hostile_documents_are_refused_with_the_reason_and_the_remedy() {
    let place = Place::new();
    let utf16: Vec<u8> = SMALL.encode_utf16().fold(vec![0xff, 0xfe], |mut bytes, unit| {
        bytes.extend(unit.to_le_bytes());
        bytes
    });
    let bomb = (1..9).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, n| {
        let all = vec![format!("*a{}", n - 1); 9].join(", ");
        text + &format!("a{n}: &a{n} [{all}]\n")
    });
    let huge = format!("{SMALL}# {}\n", "x".repeat(2 << 20));
    let scalar = SMALL.replace("name: game", &format!("name: {}", "g".repeat(900_000)));
    let cases: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("flow.yaml", "[".repeat(200_000).into(), &["nested"]),
        ("maps.yaml", "{a: ".repeat(100_000).into(), &["nested"]),
        ("lists.yaml", "- ".repeat(100_000).into(), &["nested"]),
        ("keys.yaml", "? ".repeat(100_000).into(), &["nested"]),
        (
            "blocks.yaml",
            (0..1_000).fold(String::new(), |t, n| t + &" ".repeat(n) + "a:\n").into(),
            &["nested"],
        ),
        ("bomb.yaml", bomb.into(), &["aliases"]),
        ("huge.yaml", huge.into(), &["more than 1048576 bytes", "split it"]),
        ("scalar.yaml", scalar.into(), &["error"]),
        ("utf16.yaml", utf16, &["UTF-16", "save it as UTF-8"]),
        ("latin.yaml", b"name: caf\xe9\n".to_vec(), &["not UTF-8", "byte 9"]),
        ("nul.yaml", b"kind: \0\n".to_vec(), &["error"]),
    ];
    for (name, bytes, says) in cases {
        std::fs::write(place.path().join(name), bytes).unwrap();
        refused(&place.run(&["validate", "-f", name]), name, says);
        refused(&place.run(&["plan", "-f", name]), name, says);
        refused(&place.run(&["--price-book", name, "cost", "-f", "none.yaml"]), name, &["error"]);
        refused(&place.run(&["apply", name, "--yes"]), name, &["error"]);
        refused(&place.run(&["scale", "backtest", "--trace", name]), name, &["error"]);
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    place.write("deep.json", &format!("{{\"format\":\"rgctl.dev/saved-plan/v4\",\"plan\":{deep}}}"));
    refused(&place.run(&["apply", "deep.json", "--yes"]), "deep.json", &["is not a saved plan"]);
    assert!(!place.path().join(".rgctl").exists(), "nothing was opened");
}

#[test]
fn a_missing_file_is_told_without_an_empty_line_of_it() {
    let place = Place::new();
    place.write("game.yaml", SMALL);
    let left = place.run(&["validate", "-f", "not-there.yaml", "-f", "game.yaml"]);
    refused(
        &left,
        "missing",
        &["cannot read not-there.yaml: No such file", "current folder", "1 error in 2 files"],
    );
    assert!(!left.data.contains("1 |") && !left.data.contains('^'), "{}", left.data);
}

#[cfg(unix)]
#[test]
fn devices_links_and_pipes_are_bounded_wherever_they_are_given() {
    let place = Place::new();
    place.write("game.yaml", SMALL);
    let folder = place.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("game.yaml"), SMALL).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.join("zero.yaml")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.join("dangling.yaml")).unwrap();
    assert!(Command::new("mkfifo").arg(folder.join("pipe.yaml")).status().unwrap().success());
    let left = place.run(&["validate", "-f", "folder"]);
    refused(
        &left,
        "folder",
        &["zero.yaml is a pipe or a device", "pipe.yaml is a pipe", "dangling.yaml: No such"],
    );
    refused(
        &place.run(&["plan", "-f", "game.yaml", "--regions", "folder"]),
        "regions",
        &["is a pipe or a device"],
    );
    let lines: [&[&str]; 8] = [
        &["validate", "-f", "/dev/zero"],
        &["plan", "-f", "folder/zero.yaml"],
        &["plan", "-f", "game.yaml", "--regions", "/dev/zero"],
        &["--price-book", "/dev/zero", "cost", "-f", "game.yaml"],
        &["apply", "/dev/zero", "--yes"],
        &["template", "render", "/dev/zero"],
        &["scale", "backtest", "--trace", "/dev/zero"],
        &["scale", "backtest", "--trace", "game.yaml", "--noise-from", "/dev/zero"],
    ];
    for line in lines {
        refused(&place.run(line), &format!("{line:?}"), &[]);
    }
    for (line, says) in [
        (&["apply", "folder", "--yes"][..], "is a folder"),
        (&["template", "render", "folder"], "is a folder"),
        (&["scale", "backtest", "--trace", "folder"], "is a folder"),
        (&["--price-book", "folder", "cost", "-f", "game.yaml"], "is a folder"),
    ] {
        refused(&place.run(line), &format!("{line:?}"), &[says]);
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_that_nobody_ends_is_given_up() {
    let place = Place::new();
    let pipe = place.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let read = |path: &Path| InputBudget::within(DOCUMENT_BYTES_MAX, MOMENT).text(path, DOCUMENT_BYTES_MAX);
    let nobody = read(&pipe).unwrap_err();
    assert!(matches!(nobody, InputError::TooSlow { .. }), "{nobody}");
    assert!(nobody.remedy().contains("writes to the pipe"), "{}", nobody.remedy());
    // One that writes a little, again and again, and never ends.
    let mut trickle = Command::new("sh")
        .args(["-c", "exec >\"$0\"; while echo x; do sleep 0.01; done"])
        .arg(&pipe)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let trickled = read(&pipe).unwrap_err();
    assert!(matches!(trickled, InputError::TooSlow { .. }), "{trickled}");
    trickle.kill().unwrap();
    trickle.wait().unwrap();
}

#[cfg(unix)]
#[test]
fn pipes_and_standard_input_that_end_are_read_like_files() {
    let place = Place::new();
    place.write("game.yaml", SMALL);
    place.write("game.tera", "name: {{ game }}\n");
    let run = |script: &str| {
        let output = Command::new("sh")
            .current_dir(place.path())
            .args(["-c", script, &program().to_string_lossy()])
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let plain = place.run(&["cost", "-f", "game.yaml"]);
    for script in [
        "cat game.yaml | \"$0\" cost -f -",
        "\"$0\" cost -f /dev/stdin <game.yaml",
        "mkfifo p; cat game.yaml >p & \"$0\" cost -f p",
    ] {
        let (code, data, talk) = run(script);
        assert_eq!((code, data.as_str()), (Some(0), plain.data.as_str()), "{script}: {talk}");
    }
    let (code, data, talk) = run("\"$0\" template render - --set game=a <game.tera");
    assert_eq!((code, data.as_str()), (Some(0), "name: a\n"), "{talk}");
    let (code, _, talk) = run("printf 'kind: [' | \"$0\" validate -f - 2>&1 >/dev/null; true");
    assert_eq!(code, Some(0), "{talk}");
    let left = run("printf 'kind: [' | \"$0\" validate -f -");
    assert!(left.0 == Some(6) && left.1.contains("standard input:1"), "{left:?}");
}

#[test]
fn of_300_megabytes_on_standard_input_only_the_bound_is_read() {
    let place = Place::new();
    for line in [&["plan", "-f", "-"][..], &["template", "render", "-"]] {
        let mut child = Command::new(program())
            .current_dir(place.path())
            .args(line)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let (piece, mut taken) = (vec![b'x'; 1 << 16], 0_usize);
        while taken < 300 << 20 {
            match stdin.write(&piece) {
                Ok(written) => taken += written,
                Err(_) => break,
            }
        }
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let talk = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(6), "{talk}");
        assert!(talk.contains("standard input has more than 1048576 bytes"), "{talk}");
        // The bound, and what the system's pipe holds.
        assert!(taken < 4 << 20, "{taken} bytes were taken");
    }
}

#[test]
fn templates_that_would_not_end_are_stopped_with_the_reason() {
    let place = Place::new();
    let macros = "{% macro m(n) %}{{ self::m(n=n) }}{% endmacro %}{{ self::m(n=1) }}";
    let doubling = "{% set_global x = \"xxxxxxxxxxxxxxxx\" %}{% for i in range(end=25) %}\
                    {% set_global x = x ~ x %}{% endfor %}{{ x | length }}";
    let cases = [
        ("macro", macros.to_owned(), "calls itself without end"),
        ("itself", "{% include \"document\" %}".to_owned(), "calls itself without end"),
        ("ifs", "{% if true %}".repeat(2_000) + &"{% endif %}".repeat(2_000), "tags stand 33 deep"),
        ("brackets", format!("{{{{ {}1{} }}}}", "(".repeat(200), ")".repeat(200)), "brackets stand 6 deep"),
        ("chain", format!("{{{{ {}1 }}}}", "1 + ".repeat(20_000)), "words and signs"),
        ("range", "{% for i in range(end=10000000000) %}x{% endfor %}".to_owned(), "at most 10000 are made"),
        // Half a gibibyte: without the limit it ends well, with a short text.
        ("memory", doubling.to_owned(), "MiB of memory"),
        (
            "output",
            "{% for i in range(end=9999) %}{% for j in range(end=9999) %}xxxxxxxxxx{% endfor %}{% endfor %}"
                .to_owned(),
            "more than 1048576 bytes",
        ),
    ];
    for (name, text, says) in cases {
        place.write(name, &text);
        let left = place.run(&["template", "render", name]);
        refused(&left, name, &["RG0", says, "help:"]);
        assert_eq!(left.data, "", "{name}");
    }
    // What only time can tell, with a short one: loops within loops over lists that the template wrote itself.
    let loops =
        "{% set l = range(end=999) %}".to_owned() + &"{% for i in l %}".repeat(6) + &"{% endfor %}".repeat(6);
    let source = Source::new("loops", loops);
    let bounds = ChildLimits { time: MOMENT, ..rgctl_templates::bounds() };
    match rgctl_templates::render(program(), &source, &Values::default(), bounds) {
        Err(RenderError::Wrong(problem)) => {
            assert!(problem.message.contains("did not end within 300ms"), "{problem}");
            assert_eq!(problem.help.as_deref(), Some("look for loops within loops"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_template_reads_of_the_environment_what_was_named_and_nothing_else() {
    let place = Place::new();
    place.write("t", "{{ get_env(name=\"SECRET\") }} {{ HOME }}");
    let run = |options: &[&str]| {
        let mut command = place.command(&["template", "render", "t"]);
        let output = command.args(options).env("SECRET", "hush").env("HOME", "/home/a").output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, data, talk) = run(&["--env", "HOME"]);
    assert_eq!((code, data.as_str()), (Some(6), ""), "{talk}");
    assert!(talk.contains("name it with `--env SECRET`") && !talk.contains("hush"), "{talk}");
    assert_eq!(run(&["--env", "HOME", "--env", "SECRET"]).1, "hush /home/a");
    let (code, _, talk) =
        run(&["--env", "HOME", "--env", "SECRETS", "--set", "HOM=x", "--set", "HOME=x", "--set", "y"]);
    assert_eq!(code, Some(6), "{talk}");
    for says in [
        "`--env SECRETS`: the template has no value `SECRETS`",
        "`--env SECRETS`: the environment has no variable of that name",
        "`--set HOM`: the template has no value `HOM`; did you mean `HOME`?",
        "`HOME` is given twice",
        "`--set y` is not NAME=VALUE",
    ] {
        assert!(talk.contains(says), "{says}: {talk}");
    }
}

#[test]
fn no_output_overwrites_an_input() {
    let place = Place::new();
    place.write("game.yaml", SMALL);
    std::fs::create_dir(place.path().join("sub")).unwrap();
    std::fs::hard_link(place.path().join("game.yaml"), place.path().join("hard.yaml")).unwrap();
    let mut outs = vec!["game.yaml", "./sub/../game.yaml", "hard.yaml"];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("game.yaml", place.path().join("soft.yaml")).unwrap();
        outs.push("soft.yaml");
    }
    for out in outs {
        let left = place.run(&["plan", "-f", "game.yaml", "--out", out]);
        assert_eq!(left.code, Exit::BadInput.code(), "{out}: {}", left.talk);
        assert!(left.talk.contains("is no saved plan; it was left as it is"), "{out}: {}", left.talk);
        assert_eq!(std::fs::read_to_string(place.path().join("game.yaml")).unwrap(), SMALL, "{out}");
    }
    for _ in 0..2 {
        let left = place.run(&["plan", "-f", "game.yaml", "--out", "plan.json"]);
        assert_eq!(left.code, 0, "an older plan is replaced: {}", left.talk);
    }
    let trace = "timestamp,value\n0,1\n";
    place.write("a.csv", trace);
    let rows = (0..3_000)
        .fold("timestamp,value\n".to_owned(), |text, n| text + &format!("{},{}\n", n * 60, n % 7 + 1));
    place.write("load.csv", &rows);
    let left = place.run(&["scale", "backtest", "--trace", "load.csv", "--path-out", "."]);
    refused(&left, "paths", &["load.csv exists already and is no path of a backtest"]);
    assert_eq!(std::fs::read_to_string(place.path().join("load.csv")).unwrap(), rows);
}

#[test]
fn a_refreshed_price_book_does_not_take_the_place_of_ones_own() {
    let place = Place::new();
    let folder = place.path().join(".rgctl/catalog");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("prices.book"), "mine").unwrap();
    let line = ["catalog", "refresh", "--price-book", ".rgctl/catalog/../catalog/prices.book"];
    refused(&place.run(&line), "refresh", &["is the price book that was given"]);
    assert_eq!(std::fs::read_to_string(folder.join("prices.book")).unwrap(), "mine");
}

#[test]
fn what_a_file_may_say_and_a_custom_resource_may_not_is_told_on_request_with_how_it_is_written() {
    let place = Place::new();
    place.write(
        "game.yaml",
        &SMALL.replace("replicasPerShard: 1", "version: 8.0, replicasPerShard: { min: 1, max: 2 }"),
    );
    let as_a_file = place.run(&["validate", "-f", "game.yaml"]);
    assert_eq!(as_a_file.code, 0, "{}{}", as_a_file.data, as_a_file.talk);
    let for_a_cluster = place.run(&["validate", "--for-cluster", "-f", "game.yaml"]);
    refused(
        &for_a_cluster,
        "game.yaml",
        &["quote it: `\"8.0\"`", "write bounds as one word: `\"1..2\"`", "game.yaml:8:90"],
    );
}
