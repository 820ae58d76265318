//! The same blueprint on the embedded cloud and on the emulator: the same plan, word for word.

use rgctl::cli::exit::Exit;

use super::emulator;
use super::shell::{Shell, blueprint, head, store};

const FILE: &[&str] = &["-f", "blueprint.yaml", "--regions", "regions"];

fn plan(shell: &Shell, embedded: bool, more: &[&str]) -> String {
    let line = [&["plan"], FILE, more].concat();
    let left = if embedded { shell.on_the_embedded_cloud(&line) } else { shell.run(&line) };
    assert_eq!(left.code, 0, "{}\n{}", left.data, left.talk);
    left.data
}

/// A plan without what has to differ: the line that says when it was made and from which state (tags of the objects
/// carry the run that made them), and the times in the names of final snapshots. Names, costs, effects and order are the
/// same.
fn timeless(text: &str) -> String {
    let text: String =
        text.lines().filter(|line| !line.starts_with("<sub>Made ")).flat_map(|line| [line, "\n"]).collect();
    let mut parts = text.split("-final-");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |whole, part| {
        let rest = part.trim_start_matches(|one: char| one.is_ascii_digit());
        assert_eq!(part.len() - rest.len(), 14, "a final snapshot is named by its time: {part}");
        format!("{whole}-final-then{rest}")
    })
}

fn same_plan(shell: &Shell, what: &str, more: &[&str]) {
    same_plan_in(shell, &["text"], what, more);
}

fn same_plan_in(shell: &Shell, forms: &[&str], what: &str, more: &[&str]) {
    for form in forms {
        let more = [more, &["-o", form]].concat();
        let (embedded, emulated) = (plan(shell, true, &more), plan(shell, false, &more));
        assert_eq!(timeless(&embedded), timeless(&emulated), "{what} as {form}");
    }
}

fn apply(shell: &Shell) {
    let line = [&["apply"], FILE, &["--yes"]].concat();
    let embedded = shell.on_the_embedded_cloud(&line);
    assert_eq!(embedded.code, 0, "{}\n{}", embedded.data, embedded.talk);
    shell.ends(&line, Exit::Done);
}

#[test]
fn the_embedded_cloud_and_the_emulator_lead_to_the_same_plans() {
    let Some(url) = emulator("the same plan on both clouds") else { return };
    let shell = Shell::new(&url, "twin");
    // Of a world in which nothing is, whatever the families.
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/blueprints/rocket-arena.yaml");
    let line = ["plan", "-f", shipped, "--verbose"];
    let (embedded, emulated) = (shell.on_the_embedded_cloud(&line), shell.run(&line));
    assert_eq!((embedded.code, emulated.code), (0, 0), "{}", emulated.talk);
    assert_eq!(embedded.data, emulated.data);

    // Of a world that has been built, for what the emulator can build.
    let two = |class, readers, days| {
        format!(
            "{}{}{}",
            head("twin"),
            store("accounts", class, readers, days),
            store("payments", class, 1, 7)
        )
    };
    shell.write("blueprint.yaml", &two("db.r7g.large", 2, 7));
    same_plan_in(&shell, &["text", "markdown"], "before the first apply", &["--verbose"]);
    apply(&shell);
    same_plan(&shell, "nothing to do", &[]);
    same_plan(&shell, "removal of everything", &["--destroy", "--verbose"]);
    shell.write("blueprint.yaml", &two("db.r7g.xlarge", 3, 14));
    same_plan(&shell, "another class, a reader more, longer backups", &["--verbose"]);
    shell.write("blueprint.yaml", &blueprint("twin", "db.r7g.large", 1, 7));
    same_plan(&shell, "a store and a reader less", &["--verbose"]);
}
