//! What messages suggest works when typed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::{command::Scratch, fixtures::root};

/// Crates whose messages reach the users of the program.
const CRATES: [&str; 7] = [
    "finetune",
    "finetune-data",
    "finetune-hub",
    "finetune-metrics",
    "finetune-models",
    "finetune-peft",
    "finetune-train",
];

/// Flags of other programs that these crates call or that messages quote.
const FOREIGN: [&str; 13] = [
    // Of the program's own process that trains, and a form in which names are explained.
    "--worker",
    "--name",
    // Cargo, to build with another device.
    "--features",
    "--release",
    // pip, which `finetune-hub` runs.
    "--dest",
    "--disable-pip-version-check",
    "--no-deps",
    "--no-input",
    "--no-binary",
    "--only-binary",
    "--progress-bar",
    "--python-version",
    // A folder of Hugging Face's cache.
    "--organisation--name",
];

#[test]
fn every_flag_that_a_message_names_exists() {
    let known = flags_of_the_program();
    assert!(known.len() > 50, "{known:?}");
    let mut unknown = BTreeMap::<String, PathBuf>::new();
    for name in CRATES {
        each_source(
            &root().join("crates").join(name).join("src"),
            &mut |path, source| {
                for line in messages(source) {
                    for flag in flags(line) {
                        if !known.contains(flag) && !FOREIGN.contains(&flag) {
                            unknown
                                .entry(flag.to_owned())
                                .or_insert_with(|| path.to_path_buf());
                        }
                    }
                }
            },
        );
    }
    assert!(
        unknown.is_empty(),
        "no command has these flags: {unknown:#?}"
    );
}

/// The flags that the help of any command shows.
fn flags_of_the_program() -> BTreeSet<String> {
    let scratch = Scratch::new();
    let overview = scratch.run(&["--help"]).succeeded().stdout;
    let commands = overview
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help");
    let mut known = BTreeSet::from(["--help".to_owned(), "--version".to_owned()]);
    for command in commands {
        let help = scratch.run(&[command, "--help"]);
        if help.code == Some(0) {
            known.extend(help.stdout.lines().flat_map(flags).map(str::to_owned));
        }
    }
    known
}

/// Calls `each` with every source file below a folder.
fn each_source(folder: &Path, each: &mut impl FnMut(&Path, &str)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            each_source(&path, each);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            each(&path, &fs::read_to_string(&path).unwrap());
        }
    }
}

/// The lines of a source that may be part of a message (`///` makes the help): neither other comments
/// nor tests.
fn messages(source: &str) -> impl Iterator<Item = &str> {
    source
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .filter(|line| !line.trim_start().starts_with("//") || line.trim_start().starts_with("///"))
}

/// The `--flags` of a line.
fn flags(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("--").filter_map(|(start, _)| {
        let before = line[..start].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '-' || c == '/') {
            return None;
        }
        let rest = &line[start + 2..];
        let end = rest
            .find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '-')
            .unwrap_or(rest.len());
        let name = rest[..end].trim_end_matches('-');
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase());
        is_name.then(|| &line[start..start + 2 + name.len()])
    })
}

#[test]
fn flags_are_found_in_text() {
    let found: Vec<_> =
        flags("use `--labels -1,1`, --csv-x=1 or --find-thresholds[=A] -- a--b ---").collect();
    assert_eq!(found, ["--labels", "--csv-x", "--find-thresholds"]);
}
