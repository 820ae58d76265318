//! A law over the whole command line: an absurd value of any argument ends with a message and code 6, never with success.
//! The arguments are taken from the program itself, so that a new one is judged without a line here.

use std::collections::BTreeSet;

use clap::{Arg, Command, CommandFactory};
use rgctl::cli::command::Cli;
use rgctl::cli::exit::Exit;

use crate::cli::{Place, SMALL};

/// What nothing is called, and no number, time or address: once as no name can be, once as one could be.
const ABSURD: [&str; 2] = ["zz no such thing", "zz-no-such-thing"];

/// A line of each command that succeeds, or fails only for what the world lacks.
const LINES: &[(&str, &[&str])] = &[
    ("apply", &["-f", "game.yaml", "--dry-run"]),
    ("capacity", &["-f", "game.yaml"]),
    ("catalog classes", &[]),
    ("catalog limits", &[]),
    ("catalog prices", &[]),
    ("catalog refresh", &["--minutes-max", "1", "--price-list-host", "http://127.0.0.1:9"]),
    ("completions", &["bash"]),
    ("cost", &["-f", "game.yaml"]),
    ("destroy", &["-f", "game.yaml", "--dry-run"]),
    ("doctor", &["--region", "us-east-1"]),
    ("drift", &["-f", "game.yaml"]),
    ("approve", &["game-0123456789ab", "-n", "games", "--context", "none"]),
    ("agent orders", &["--account", "aws/123456789012"]),
    ("agent pause", &["game"]),
    ("agent reconcile", &["game"]),
    ("agent resume", &["game"]),
    ("agent run", &["-f", "game.yaml", "--once", "--no-listen"]),
    ("explain", &["blueprint"]),
    ("history", &["game"]),
    ("history migrate", &["game", "--to", "elsewhere"]),
    ("iam-policy", &["-f", "game.yaml"]),
    ("import", &["--region", "us-east-1"]),
    ("operator chart", &["charts"]),
    ("operator manifests", &[]),
    ("operator run", &["--no-listen", "--context", "none"]),
    ("outputs", &["-f", "game.yaml"]),
    ("plan", &["-f", "game.yaml"]),
    ("region hold-out", &["us-east-1", "--reason", "a", "-f", "game.yaml"]),
    ("region list", &["-f", "game.yaml"]),
    ("region release", &["us-east-1", "--reason", "a", "-f", "game.yaml"]),
    ("scale backtest", &["--trace", "load.csv"]),
    ("scale list", &["-f", "game.yaml"]),
    ("scale set", &["ranking", "--replicas", "1", "--for", "3h", "--reason", "a", "-f", "game.yaml"]),
    ("scale unset", &["ranking", "--reason", "a", "-f", "game.yaml"]),
    ("schema", &["blueprint"]),
    ("sim advance", &["1m"]),
    ("sim create", &["us-east-1/rds.subnet_group/a", "description=a", "subnets=[\"a\",\"b\"]"]),
    ("sim delete", &["us-east-1/rds.subnet_group/a"]),
    ("sim edit", &["us-east-1/rds.subnet_group/a", "description=a"]),
    ("sim fault add", &["throttle"]),
    ("sim fault clear", &["1"]),
    ("sim kill-region", &["us-east-1"]),
    ("sim load", &["us-east-1/rds.subnet_group/a"]),
    ("sim reset", &[]),
    ("sim start", &["us-east-1/aurora.cluster/a"]),
    ("sim stop", &["us-east-1/aurora.cluster/a"]),
    ("sim status", &["us-east-1/rds.subnet_group/a", "available"]),
    ("sim trail", &[]),
    ("sim tag", &["us-east-1/rds.subnet_group/a", "a=b"]),
    ("status", &["-f", "game.yaml"]),
    ("template render", &["game.tera", "--set", "game=a"]),
    ("validate", &["-f", "game.yaml"]),
];

/// Arguments whose value is free, so that no value is absurd, each with its reason.
const FREE: &[(&str, &str)] = &[
    ("state-dir", "a folder that is made when missing"),
    ("out", "a file that is written"),
    ("folder", "the same"),
    ("namespace", "a namespace that is made"),
    ("namespaces", "one that is made later is followed then"),
    ("image", "the cluster fetches it, and says when there is none"),
    ("arguments", "what the operator is given, which judges it when it begins"),
    ("path-out", "a folder that is made when missing"),
    ("charts-out", "a folder that is made when missing"),
    ("price-list-host", "an address; a host that does not answer is an error, but of the network"),
    ("price-list-host-cn", "the same"),
    ("role-arn", "refused with the embedded cloud, whatever it names; AWS judges it"),
    ("endpoint-url", "the same"),
    ("blueprint", "a blueprint without a record is no error: nothing was done for it, and that is said"),
    ("name", "the name of a blueprint that is written"),
    ("final-snapshot", "the name of a snapshot that is made"),
    ("reason", "whatever somebody has to say"),
    ("word", "a status word, also one that nobody has heard of: that is what it is for"),
];

fn commands(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let path = format!("{path} {}", sub.get_name()).trim().to_owned();
        if sub.has_subcommands() {
            commands(sub, &path, found);
        }
        if !sub.has_subcommands() || !sub.is_subcommand_required_set() {
            found.push((path, sub.clone()));
        }
    }
}

/// The line with an argument added, or put in the place of the one that stands there.
fn absurd_line(
    path: &str,
    base: &[&str],
    argument: &Arg,
    positionals: &[String],
    absurd: &str,
) -> Vec<String> {
    let mut line: Vec<String> = path.split(' ').map(str::to_owned).collect();
    let words = base.iter().map(|word| (*word).to_owned());
    let Some(long) = argument.get_long() else {
        let place = positionals.iter().position(|name| name == argument.get_id().as_str()).unwrap();
        let mut words: Vec<String> = words.collect();
        let is_saved_plan = path == "apply";
        if is_saved_plan {
            words = vec!["--dry-run".to_owned()];
        }
        if place < words.len() && !is_saved_plan {
            absurd.clone_into(&mut words[place]);
        } else {
            words.push(absurd.to_owned());
        }
        line.extend(words);
        return line;
    };
    let flag = format!("--{long}");
    let short = argument.get_short().map(|letter| format!("-{letter}"));
    let mut skip = false;
    for word in words {
        if std::mem::take(&mut skip) {
            continue;
        }
        skip = word == flag || Some(&word) == short.as_ref();
        if !skip {
            line.push(word);
        }
    }
    line.extend([flag, absurd.to_owned()]);
    line
}

#[test]
fn an_absurd_value_of_any_argument_is_refused_with_a_message() {
    let place = Place::new();
    place.write("game.yaml", SMALL);
    place.write("game.tera", "name: {{ game }}\n");
    let rows = (0..3_000)
        .fold("timestamp,value\n".to_owned(), |text, n| text + &format!("{},{}\n", n * 60, n % 7 + 1));
    place.write("load.csv", &rows);
    let mut all = Vec::new();
    let mut cli = Cli::command();
    cli.build();
    commands(&cli, "", &mut all);
    let (mut judged, mut wrong, mut free) = (0, Vec::new(), BTreeSet::new());
    let has_values = |command: &Command| {
        let mut own = command.get_arguments().filter(|argument| !argument.is_global_set());
        own.any(|argument| argument.get_action().takes_values())
    };
    for (path, command) in all.iter().filter(|(_, command)| has_values(command)) {
        let Some((_, base)) = LINES.iter().find(|(name, _)| name == path) else {
            panic!("`{path}` has no line here; add one");
        };
        let positionals: Vec<String> =
            command.get_positionals().map(|argument| argument.get_id().to_string()).collect();
        for argument in command.get_arguments().filter(|argument| argument.get_action().takes_values()) {
            let name = argument.get_long().unwrap_or(argument.get_id().as_str());
            // Global options mean the same everywhere: they are judged with one command.
            if argument.is_global_set() && path != "plan" {
                continue;
            }
            if FREE.iter().any(|(known, _)| *known == name) {
                free.insert(name.to_owned());
                continue;
            }
            for absurd in ABSURD {
                let line = absurd_line(path, base, argument, &positionals, absurd);
                let words: Vec<&str> = line.iter().map(String::as_str).collect();
                let left = place.run(&words);
                judged += 1;
                let is_silent = left.talk.trim().is_empty() && left.data.trim().is_empty();
                if left.code != Exit::BadInput.code() || is_silent {
                    wrong.push(format!("{line:?} ended with {}: {}{}", left.code, left.data, left.talk));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {judged}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(judged > 120, "only {judged} were judged");
    let idle: Vec<&&str> = FREE.iter().map(|(name, _)| name).filter(|name| !free.contains(**name)).collect();
    assert!(idle.is_empty(), "nothing is called {idle:?} any more");
}

#[test]
fn an_unknown_store_or_region_is_no_reason_to_do_nothing() {
    let place = Place::new();
    place.write("game.yaml", SMALL);
    let cases: &[(&[&str], &str)] = &[
        (&["plan", "-f", "game.yaml", "--target", "rankin"], "no store `rankin`; did you mean `ranking`?"),
        (&["apply", "-f", "game.yaml", "--yes", "--target", "rankin"], "did you mean `ranking`?"),
        (&["destroy", "-f", "game.yaml", "--yes", "--target", "rankin"], "did you mean `ranking`?"),
        (&["capacity", "-f", "game.yaml", "--target", "rankin"], "did you mean `ranking`?"),
        (
            &["apply", "-f", "game.yaml", "--yes", "--allow", "delete:rankin@us-east-1"],
            "did you mean `ranking`?",
        ),
        (&["plan", "-f", "game.yaml", "--allow", "delete:ranking@us-esat-1"], "did you mean `us-east-1`?"),
        (&["sim", "kill-region", "us-esat-1"], "did you mean `us-east-1`?"),
        (&["sim", "fault", "add", "throttle", "--region", "us-esat-1"], "did you mean `us-east-1`?"),
        (&["sim", "fault", "add", "throttle", "--operation", "crate"], "did you mean `create`?"),
        (
            &["sim", "fault", "add", "capacity", "--class", "cache.r6g.larg"],
            "did you mean `cache.r6g.large`?",
        ),
        (&["sim", "fault", "add", "throttle", "--class", "cache.r6g.large"], "of the fault `capacity` only"),
        (&["sim", "fault", "add", "zone-loss", "--zone", "us-east-1x"], "no zone `us-east-1x`"),
        (&["catalog", "prices", "--region", "us-esat-1"], "did you mean `us-east-1`?"),
        (&["catalog", "classes", "--engine", "valky"], "did you mean `valkey`?"),
        (&["import", "--region", "us-esat-1"], "did you mean `us-east-1`?"),
        (
            &["region", "hold-out", "us-esat-1", "--reason", "a", "-f", "game.yaml"],
            "did you mean `us-east-1`?",
        ),
        (&["region", "release", "us-esat-1", "-f", "game.yaml"], "did you mean `us-east-1`?"),
        (&["scale", "backtest", "--trace", "load.csv", "--policy", "rgctrl"], "did you mean `rgctl`?"),
    ];
    for (line, says) in cases {
        let left = place.run(line);
        assert_eq!(left.code, Exit::BadInput.code(), "{line:?}: {}{}", left.data, left.talk);
        assert!(left.talk.contains(says), "{line:?}: {}", left.talk);
    }
    assert_eq!(place.run(&["apply", "-f", "game.yaml", "--yes", "--target", "ranking"]).code, 0);
    let run = place.run(&["history", "game", "--run", "nonsense"]);
    assert_eq!(run.code, Exit::BadInput.code(), "{}", run.talk);
}

#[test]
fn a_store_that_left_the_blueprint_can_still_be_aimed_at() {
    let place = Place::new();
    let two = SMALL.replace(
        "stores: [ ",
        "stores: [ { name: sessions, engine: valkey, class: cache.r6g.large, shards: 1, replicasPerShard: 1 }, ",
    );
    place.write("game.yaml", &two);
    let left = place.run(&["apply", "-f", "game.yaml", "--yes"]);
    assert_eq!(left.code, 0, "{}", left.talk);
    place.write("game.yaml", SMALL);
    let line = ["destroy", "-f", "game.yaml", "--target", "sessions", "--dry-run"];
    let left = place.run(&line);
    assert_eq!(left.code, 0, "{}{}", left.data, left.talk);
    assert!(left.data.contains("sessions") && !left.data.contains("ranking"), "{}", left.data);
}

#[test]
fn a_saved_plan_takes_nothing_beside_it() {
    let place = Place::new();
    place.write("game.yaml", SMALL);
    assert_eq!(place.run(&["plan", "-f", "game.yaml", "--out", "plan.json"]).code, 0);
    let left = place.run(&["apply", "plan.json", "--yes", "--target", "ranking"]);
    assert_eq!(left.code, Exit::BadInput.code(), "{}", left.talk);
    assert!(left.talk.contains("a saved plan carries what it was made with"), "{}", left.talk);
}
