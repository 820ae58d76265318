//! Circles of files, found in their text: which file uses which, by imports and by paths in the code. What one file hands
//! on of another (`pub use`) is looked for where it stands.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A file as the module that it is: `["planning", "order"]`; the root of a crate is empty.
type Module = Vec<String>;

/// Which file uses which others.
type Uses = BTreeMap<Module, BTreeSet<Module>>;

/// A path that a file names.
struct Named {
    segments: Vec<String>,
    /// The name under which it is handed on, if it is.
    handed_on: Option<String>,
}

/// One line for each way from a file by others back to itself. A file is given by its path below `src/` and its code without
/// comments.
pub(super) fn circles(files: &[(String, String)]) -> Vec<String> {
    let paths: BTreeMap<Module, &str> =
        files.iter().map(|(path, _)| (module_of(path), path.as_str())).collect();
    let uses = uses(files);
    let mut told: BTreeSet<Module> = BTreeSet::new();
    let mut found = Vec::new();
    for module in uses.keys() {
        if told.contains(module) {
            continue;
        }
        if let Some(circle) = circle_through(&uses, module) {
            let names: Vec<&str> = circle.iter().chain([module]).map(|one| paths[one]).collect();
            found.push(names.join(" uses "));
            told.extend(circle);
        }
    }
    found
}

fn module_of(path: &str) -> Module {
    let mut parts: Module = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

fn uses(files: &[(String, String)]) -> Uses {
    let named: BTreeMap<Module, Vec<Named>> =
        files.iter().map(|(path, code)| (module_of(path), named(code))).collect();
    let tree = Tree::of(&named);
    let used = |from: &Module, named: &[Named]| {
        let all = named.iter().filter_map(|one| tree.find(from, &one.segments, 0));
        all.filter(|to| to != from).collect()
    };
    named.iter().map(|(module, named)| (module.clone(), used(module, named))).collect()
}

/// The shortest way from a module back to itself, beginning with it.
fn circle_through(uses: &Uses, start: &Module) -> Option<Vec<Module>> {
    let mut from: BTreeMap<&Module, &Module> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(module) = queue.pop_front() {
        for next in &uses[module] {
            if next == start {
                let mut way = vec![module.clone()];
                while let Some(before) = way.last().and_then(|last| from.get(last)) {
                    way.push((*before).clone());
                }
                way.reverse();
                return Some(way);
            }
            if !from.contains_key(next) {
                from.insert(next, module);
                queue.push_back(next);
            }
        }
    }
    None
}

/// The modules that there are, and what they hand on of others.
struct Tree<'a> {
    modules: BTreeSet<&'a Module>,
    handed_on: BTreeMap<(&'a Module, &'a str), &'a [String]>,
}

/// What is handed on more often than this is not followed further: it may go in a circle itself.
const HANDS_MAX: usize = 8;

impl<'a> Tree<'a> {
    fn of(named: &'a BTreeMap<Module, Vec<Named>>) -> Self {
        let all = named.iter().flat_map(|(module, named)| named.iter().map(move |one| (module, one)));
        let handed_on = all
            .filter_map(|(module, one)| Some(((module, one.handed_on.as_deref()?), one.segments.as_slice())));
        Self { modules: named.keys().collect(), handed_on: handed_on.collect() }
    }

    /// A module below another one. Where a folder is looked at alone, those above it are known by its files.
    fn child(&self, of: &Module, name: &str) -> Option<Module> {
        let child: Module = of.iter().cloned().chain([name.to_owned()]).collect();
        let first = self.modules.range::<Module, _>(&child..).next();
        first.is_some_and(|first| first.starts_with(&child)).then_some(child)
    }

    /// The module in which a path ends that another one names; nothing where it leads out of the files that are known.
    fn find(&self, from: &Module, path: &[String], hands: usize) -> Option<Module> {
        let mut at = from.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => (at, rest) = (Module::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|first| first == "super") {
                    at.pop()?;
                    rest = &rest[1..];
                }
            }
            first => _ = self.child(from, first)?,
        }
        while let Some(child) = rest.first().and_then(|first| self.child(&at, first)) {
            (at, rest) = (child, &rest[1..]);
        }
        let handed_on = rest.first().and_then(|first| self.handed_on.get(&(&at, first.as_str())));
        if let Some(path) = handed_on.filter(|_| hands < HANDS_MAX) {
            let path: Vec<String> = path.iter().chain(&rest[1..]).cloned().collect();
            if let Some(home) = self.find(&at, &path, hands + 1) {
                return Some(home);
            }
        }
        self.modules.contains(&at).then_some(at)
    }
}

/// The paths that a text names.
fn named(code: &str) -> Vec<Named> {
    let tokens = tokens(code);
    let token = |at: usize| tokens.get(at).copied().unwrap_or_default();
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if token(at) == "use" && token(at + 1) != "<" {
            let end =
                tokens[at..].iter().position(|token| *token == ";").map_or(tokens.len(), |end| at + end);
            // `pub use`, `pub(super) use`.
            let is_handed_on = at > 0 && ["pub", ")"].contains(&token(at - 1));
            imported(&[], &tokens[at + 1..end], is_handed_on, &mut found);
            at = end;
        } else if is_name(token(at)) && token(at + 1) == "::" {
            let mut segments = vec![token(at).to_owned()];
            at += 1;
            while token(at) == "::" && is_name(token(at + 1)) {
                segments.push(token(at + 1).to_owned());
                at += 2;
            }
            found.push(Named { segments, handed_on: None });
        } else {
            at += 1;
        }
    }
    found
}

/// The leaves of an import: `a::{self, b::C as D}` gives `a`, and `a::b::C` by the name of `D`.
fn imported(prefix: &[String], tokens: &[&str], is_handed_on: bool, found: &mut Vec<Named>) {
    let mut segments = prefix.to_vec();
    let mut name = None;
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            "::" => {}
            "as" => {
                name = tokens.get(at + 1).map(|name| (*name).to_owned());
                break;
            }
            "{" => {
                for member in members(&tokens[at + 1..]) {
                    imported(&segments, member, is_handed_on, found);
                }
                return;
            }
            other => segments.push(other.to_owned()),
        }
    }
    if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
        segments.pop();
    }
    let handed_on = name.or_else(|| segments.last().cloned()).filter(|_| is_handed_on);
    found.push(Named { segments, handed_on });
}

/// The members of a group, of which the opening brace has been read.
fn members<'a, 'b>(tokens: &'b [&'a str]) -> Vec<&'b [&'a str]> {
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        let ends = match *token {
            "{" => {
                depth += 1;
                false
            }
            "}" if depth > 0 => {
                depth -= 1;
                false
            }
            "}" => true,
            "," => depth == 0,
            _ => false,
        };
        if ends {
            found.extend(Some(&tokens[start..at]).filter(|member| !member.is_empty()));
            start = at + 1;
        }
        if ends && *token == "}" {
            break;
        }
    }
    found
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Names, `::`, and each other letter by itself.
fn tokens(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let name = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let length = if rest.starts_with("::") { 2 } else { name.max(first.len_utf8()) };
        let (token, after) = rest.split_at(length);
        if !token.trim().is_empty() {
            found.push(token);
        }
        rest = after;
    }
    found
}
