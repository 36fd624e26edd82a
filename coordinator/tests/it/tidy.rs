//! House rules that no compiler checks: who may import whom, what a crate must not know, that documents speak of
//! things that exist, that files stay readable, that nothing of one machine gets in.
//!
//! The first part of the file is the rules, as data; then one test a rule; then what they read the tree with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use toml::Table;

/// Crate -> crates it may import, as drawn in ARCHITECTURE.md; what those may import is allowed too.
const ARROWS: &[(&str, &[&str])] = &[
    ("proto", &[]),
    ("protocol", &["proto"]),
    ("rules", &["proto"]),
    ("models", &["proto"]),
    ("state", &["protocol"]),
    ("warehouse", &["protocol"]),
    ("pipeline", &["warehouse", "rules"]),
    ("workers", &["models", "state", "rules", "protocol"]),
    ("coordinator", &["workers", "pipeline", "state", "warehouse"]),
    ("bench", &["coordinator"]),
];

/// Dependency -> the only crates that may name it.
const OWNERS: &[(&str, &[&str])] = &[
    ("sqlx", &["state", "warehouse"]),
    ("redis", &["state"]),
    ("axum", &["coordinator"]),
    ("hyper", &["coordinator"]),
    ("tower-http", &["coordinator"]),
    ("clap", &["coordinator"]),
    ("reqwest", &["coordinator", "pipeline"]),
    ("actix", &["coordinator", "workers"]),
    ("rusqlite", &[]),
];

/// Crates without I/O, clock and runtime, and what would bring one in.
const PURE: &[&str] = &["proto", "protocol", "rules"];
const IMPURE_DEPENDENCIES: &[&str] =
    &["tokio", "sqlx", "redis", "reqwest", "actix", "axum", "hyper", "rand", "fs4", "tempfile"];
const IMPURE_CALLS: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env::",
    "std::process",
    "std::thread",
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "Zoned::now",
    "Uuid::new_v4",
];

/// Features that let a test hang or kill the process; nothing that ships may turn them on.
const TEST_ONLY_FEATURES: &[&str] = &["crash-points", "faults", "conformance"];

/// Above this a file has outgrown its name.
const MAX_LINES: usize = 600;

/// Incidents of the domain are numbered 1 to this.
const LAST_INCIDENT: u32 = 97;

#[test]
fn crates_import_only_along_the_arrows() {
    for member in members() {
        let allowed = reachable(&member);
        let manifest = manifest(&member);
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for dependency in names(&manifest, section) {
                let is_ours = ARROWS.iter().any(|(name, _)| *name == dependency);
                assert!(
                    !is_ours || dependency == member || allowed.contains(dependency.as_str()),
                    "{member} names {dependency} in [{section}], but no arrow of ARCHITECTURE.md leads there"
                );
            }
        }
    }
}

#[test]
fn every_crate_has_its_arrows_and_its_folder_name() {
    let drawn: BTreeSet<String> = ARROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(drawn, members().into_iter().collect(), "workspace members and ARROWS differ");
    for member in members() {
        assert_eq!(
            manifest(&member)["package"]["name"].as_str(),
            Some(member.as_str()),
            "folder and crate name"
        );
    }
}

#[test]
fn only_the_owners_of_a_library_name_it() {
    for member in members() {
        let dependencies = names(&manifest(&member), "dependencies");
        for (library, owners) in OWNERS {
            assert!(
                !dependencies.contains(*library) || owners.contains(&member.as_str()),
                "{member} depends on {library}; only {owners:?} may"
            );
        }
    }
}

#[test]
fn pure_crates_do_no_io_and_read_no_clock() {
    for member in PURE {
        let dependencies = names(&manifest(member), "dependencies");
        for library in IMPURE_DEPENDENCIES {
            assert!(!dependencies.contains(*library), "{member} depends on {library}, it must stay pure");
        }
        let sources = format!("{member}/src/");
        for (path, text) in texts().iter().filter(|(path, _)| path.starts_with(&sources)) {
            for (number, line) in code_lines(text) {
                for call in IMPURE_CALLS {
                    assert!(!line.contains(call), "{path}:{number} uses {call}, {member} must stay pure");
                }
            }
        }
    }
}

#[test]
fn nothing_that_ships_turns_on_a_test_feature() {
    for member in members() {
        let manifest = manifest(&member);
        let default = manifest.get("features").and_then(|features| features.get("default"));
        let default = default.map(ToString::to_string).unwrap_or_default();
        let dependencies = manifest.get("dependencies").map(ToString::to_string).unwrap_or_default();
        for feature in TEST_ONLY_FEATURES {
            let quoted = format!("\"{feature}\"");
            assert!(!default.contains(feature), "{member} has {feature} among its default features");
            assert!(!dependencies.contains(&quoted), "{member} turns on {feature} of a dependency");
        }
    }
}

#[test]
fn the_architecture_names_every_crate_and_only_what_exists() {
    let text = read(Path::new("ARCHITECTURE.md"));
    for member in members() {
        let named = [format!("`{member}`"), format!("`{member}/`"), format!("{member}/ ")];
        assert!(named.iter().any(|name| text.contains(name)), "ARCHITECTURE.md does not name {member}");
    }
    let gone: Vec<_> = paths_named_in(&text).into_iter().filter(|path| !root().join(path).exists()).collect();
    assert_eq!(gone, [""; 0], "ARCHITECTURE.md names what does not exist");
}

#[test]
fn no_source_file_outgrows_its_name() {
    let is_source = |path: &str| [".rs", ".py", ".sh", ".lua", ".mjs"].iter().any(|end| path.ends_with(end));
    for (path, text) in texts().iter().filter(|(path, _)| is_source(path)) {
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{path} has {lines} lines, at most {MAX_LINES}: is a noun missing?");
    }
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    for (path, text) in texts() {
        for (number, line) in text.lines().enumerate() {
            let found = machine_path(line);
            assert!(found.is_none(), "{path}:{} holds a path of one machine: {line}", number + 1);
        }
    }
}

#[test]
fn tests_named_after_incidents_carry_their_numbers() {
    let mut seen = BTreeSet::new();
    for (path, text) in texts().iter().filter(|(path, _)| path.ends_with(".rs")) {
        for name in text.lines().filter_map(named_incident) {
            let number = number_of(name);
            assert!(
                number.is_some(),
                "{path}: `{name}` should be named incident_NN_what_holds, NN from 1 to 97"
            );
            seen.extend(number);
        }
    }
    assert!(!seen.is_empty(), "no incident test was found: the search is broken");
}

#[test]
fn the_readers_of_text_find_what_they_should() {
    let text =
        "`state/src/lib.rs` and `docs/decisions/`, not `/status`, `PUT /workers`, `a::b/c`, `sqlite:a/b`";
    assert_eq!(paths_named_in(text), ["state/src/lib.rs", "docs/decisions/"]);
    assert_eq!(paths_named_in("```\nproto/x `y\n```\n`crates/gone`"), ["crates/gone"]);
    assert_eq!(named_incident("    fn incident_07_a_thing() {"), Some("incident_07_a_thing"));
    assert_eq!(named_incident("    async fn incident_7() {"), Some("incident_7"));
    assert_eq!(named_incident("    // see incident_07_a"), None);
    assert_eq!(number_of("incident_07_a_thing"), Some(7));
    for wrong in ["incident_0_a", "incident_98_a", "incident_7", "incident_x_a"] {
        assert_eq!(number_of(wrong), None, "{wrong}");
    }
    assert!(machine_path(concat!("cd /ro", "ot/.cache")).is_some());
    for fine in ["GET /workers", concat!("see ../wo", "rk/x"), concat!("frame/ro", "ot/x")] {
        assert!(machine_path(fine).is_none(), "{fine}");
    }
    let code: Vec<_> = code_lines("a\n// std::fs\nb\n#[cfg(test)]\nmod tests {\n").map(|(n, _)| n).collect();
    assert_eq!(code, [1, 3]);
}

/// Everything that can be reached from a crate along the arrows.
fn reachable(from: &str) -> BTreeSet<&'static str> {
    let arrows: BTreeMap<&str, &[&'static str]> = ARROWS.iter().copied().collect();
    let mut found = BTreeSet::new();
    let mut ahead: Vec<&'static str> = arrows.get(from).copied().unwrap_or_default().to_vec();
    while let Some(next) = ahead.pop() {
        if found.insert(next) {
            ahead.extend_from_slice(arrows.get(next).copied().unwrap_or_default());
        }
    }
    found
}

/// Lines that are compiled into the crate: no comments, nothing from the first test module on.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let shipped = numbered.take_while(|(_, line)| !line.trim_start().starts_with("#[cfg(test)]"));
    shipped.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Code spans that look like a path of this repository: a slash inside, none in front, nothing a path lacks.
fn paths_named_in(markdown: &str) -> Vec<String> {
    let mut in_block = false;
    let mut paths = Vec::new();
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            let spans = line.split('`').skip(1).step_by(2);
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
            let paths_here = spans
                .filter(|span| span.contains('/') && !span.starts_with('/') && span.chars().all(is_plain));
            paths.extend(paths_here.map(str::to_owned));
        }
    }
    paths
}

/// The name of the incident test that a line begins, if it does.
fn named_incident(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("async ").unwrap_or(line);
    let name = line.strip_prefix("fn ")?.split(['(', '<']).next()?;
    name.starts_with("incident_").then_some(name)
}

/// The number in `incident_NN_what_holds`, if it is one of the list.
fn number_of(name: &str) -> Option<u32> {
    let (number, _) = name.strip_prefix("incident_")?.split_once('_')?;
    number.parse().ok().filter(|number| (1..=LAST_INCIDENT).contains(number))
}

/// The first absolute path into somebody's own folders; written in two halves so as not to find itself.
fn machine_path(line: &str) -> Option<&str> {
    let folders = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/fa", "rm/")];
    folders.iter().find_map(|folder| {
        let (before, _) = line.split_once(folder)?;
        // What has a name or dots in front is relative to something.
        let goes_on = before.ends_with(|c: char| c.is_ascii_alphanumeric() || "._-~$}".contains(c));
        (!goes_on).then(|| &line[before.len()..])
    })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(root().join(path))
        .unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

fn members() -> Vec<String> {
    let manifest: Table = read(Path::new("Cargo.toml")).parse().expect("the root Cargo.toml is TOML");
    let members = manifest["workspace"]["members"].as_array().expect("workspace.members is a list");
    members.iter().map(|member| member.as_str().expect("a member is a string").to_owned()).collect()
}

fn manifest(member: &str) -> Table {
    read(&Path::new(member).join("Cargo.toml")).parse().expect("a Cargo.toml is TOML")
}

/// Names in a section of a manifest; cargo ignores nothing, so an absent section is an empty one.
fn names(manifest: &Table, section: &str) -> BTreeSet<String> {
    let section = manifest.get(section).and_then(toml::Value::as_table);
    section.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

/// Path and text of every file that git tracks or would track; what is not text is left out.
fn texts() -> Vec<(String, String)> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git is installed");
    assert!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let paths = String::from_utf8(listed.stdout).expect("paths of this repository are plain text");
    let text_of = |path: &str| {
        let bytes = std::fs::read(root().join(path)).ok()?;
        String::from_utf8(bytes).ok().map(|text| (path.to_owned(), text))
    };
    let texts: Vec<_> = paths.split_terminator('\0').filter_map(text_of).collect();
    assert!(texts.len() > 50, "only {} files were found: the listing is broken", texts.len());
    texts
}
