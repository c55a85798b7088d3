//! The order of the crate's modules: each uses only those below it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// The modules of the crate root from bottom to top, as ARCHITECTURE.md lists them.
const ORDER: [&str; 14] = [
    "layout",
    "file_facts",
    "difference",
    "error",
    "plan",
    "masking",
    "watch",
    "model",
    "frozen",
    "step",
    "run",
    "probe",
    "engine",
    "execute",
];

/// Splits a list at the commas outside braces.
fn items(list: &str) -> Vec<&str> {
    let mut depth = 0;
    let split = list.split(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    });
    split
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .collect()
}

/// The names that a use tree brings into scope.
fn names(tree: &str) -> Vec<&str> {
    match tree.split_once('{') {
        None => tree.rsplit("::").take(1).collect(),
        Some((_, rest)) => {
            let list = rest.trim_end().strip_suffix('}').unwrap();
            items(list).into_iter().flat_map(names).collect()
        }
    }
}

fn first_segment(path: &str) -> &str {
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_');
    &path[..end.unwrap_or(path.len())]
}

/// The names at the crate root that `code` uses.
fn used(code: &str) -> Vec<&str> {
    let paths = code.split("crate::").skip(1);
    paths
        .flat_map(|path| match path.strip_prefix('{') {
            None => vec![first_segment(path)],
            Some(rest) => {
                let list = rest.split_once("};").unwrap().0;
                items(list).into_iter().map(first_segment).collect()
            }
        })
        .collect()
}

/// The code of a file without comments and unit tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

#[test]
fn modules_use_only_those_below_them() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let root = code(&source.join("lib.rs"));
    // The re-exports at the crate root, by name, with the module that each comes from.
    let mut exports = BTreeMap::new();
    for statement in root.split(';') {
        if let Some((_, tree)) = statement.split_once(" use ") {
            exports.extend(
                names(tree)
                    .into_iter()
                    .map(|name| (name, first_segment(tree))),
            );
        }
    }
    assert_eq!(exports["TrainPlan"], "plan");
    let rank = |module: &str| ORDER.iter().position(|known| *known == module);
    let mut arrows = 0;
    for path in files(&source) {
        let relative = path.strip_prefix(&source).unwrap().with_extension("");
        let module = relative.iter().next().unwrap().to_str().unwrap();
        if module == "lib" {
            continue;
        }
        let own = rank(module).unwrap_or_else(|| panic!("{module} has no place in ORDER"));
        for name in used(&code(&path)) {
            let target = rank(name).or_else(|| rank(exports.get(name)?));
            // All other names come from other crates.
            if let Some(target) = target {
                assert!(
                    target <= own,
                    "{} uses {name} of {}, which is above it",
                    relative.display(),
                    ORDER[target]
                );
                arrows += 1;
            }
        }
    }
    assert!(arrows > 100, "{arrows}");
}
