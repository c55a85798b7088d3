//! The suggestions in messages work when typed.

mod bad_files;
mod ways_out;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use crate::{
    cases::{each, files},
    command::{Run, Scratch, argument, split},
    fixtures::{self, root},
    samples::{self, Example},
};
use ways_out::WAYS_OUT;

/// A flag, or several, that a message names, and what shows that it works.
struct WayOut {
    /// Source file of the message, below `crates`.
    file: &'static str,
    /// A piece of the message as it stands there and as it is printed.
    words: &'static str,
    /// The flags, with blanks between; `finetune` is a command line in backquotes.
    flags: &'static str,
    proof: Proof,
}

enum Proof {
    /// Done here: on these files in `data` the command has the message, and works when the flags are
    /// typed. Words of the command that begin with `!` are left out then.
    Typed(fn(&Path, &[Example]), &'static str, Typed),
    /// Done by another test.
    Test(&'static str),
    /// The flag that is wrong or that the message is about: no way out.
    Subject,
    /// Where to turn, with a value that only the machine or the data can tell, or that nobody can
    /// bring about in a test.
    Direction,
}

/// What is typed.
enum Typed {
    /// Flag and value as the message has them.
    Printed,
    /// The flag alone.
    Alone,
    /// The flag with a value that people have to know.
    With(&'static str),
    /// The command without the flag.
    Without,
}

/// Crates whose messages reach the users of the program.
const CRATES: [&str; 13] = [
    "finetune",
    "finetune-check",
    "finetune-compare",
    "finetune-data",
    "finetune-files",
    "finetune-hub",
    "finetune-infer",
    "finetune-metrics",
    "finetune-models",
    "finetune-peft",
    "finetune-sweep",
    "finetune-task",
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
    for command in commands.chain(["tokenizer train", "tokenizer extend"]) {
        let help = scratch.run(&[&split(command)[..], &["--help"]].concat());
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

/// Every flag that a message names stands in the table: who adds a message says what shows that its
/// advice works.
#[test]
fn every_suggestion_is_in_the_table() {
    let mut used = vec![false; WAYS_OUT.len()];
    let mut missing = Vec::new();
    for name in CRATES {
        let crates = root().join("crates");
        each_source(&crates.join(name).join("src"), &mut |path, source| {
            let file = path.strip_prefix(&crates).unwrap().to_str().unwrap();
            for line in messages(source).filter(|line| !line.trim_start().starts_with("///")) {
                for flag in suggested(line) {
                    let entry = |way: &WayOut| {
                        way.file == file.replace('\\', "/")
                            && line.contains(way.words)
                            && way.flags.split(' ').any(|listed| listed == flag)
                    };
                    let found: Vec<_> = (0..WAYS_OUT.len())
                        .filter(|&index| entry(&WAYS_OUT[index]))
                        .collect();
                    if found.is_empty() && !FOREIGN.contains(&flag) {
                        missing.push(format!("{file}: {flag} in {}", line.trim()));
                    }
                    found.into_iter().for_each(|index| used[index] = true);
                }
            }
        });
    }
    assert!(missing.is_empty(), "in no list:\n{}", missing.join("\n"));
    let stale = WAYS_OUT.iter().zip(used).filter(|(_, used)| !used);
    let stale: Vec<_> = stale.map(|(way, _)| (way.file, way.words)).collect();
    assert!(stale.is_empty(), "no message has these: {stale:#?}");
    for way in WAYS_OUT {
        if let Proof::Test(name) = way.proof {
            let (file, function) = name.split_once("::").unwrap();
            let source = fs::read_to_string(root().join(format!("tests/it/{file}.rs"))).unwrap();
            let test = format!("#[test]\nfn {function}()");
            assert!(source.contains(&test), "no test {name}");
        }
    }
}

/// The flags in a line of a source, but for those that are words of a command which it makes.
fn suggested(line: &str) -> impl Iterator<Item = &str> {
    let commands = line.match_indices("`finetune ").map(|_| "finetune");
    let flags = flags(line).filter(|flag| !line.contains(&format!("\"{flag}\"")));
    commands.chain(flags)
}

/// Every way out of the table that can be brought about is typed.
#[test]
fn what_a_message_suggests_works_when_typed() {
    let models = Models::default();
    each(WAYS_OUT, |way| {
        if let Proof::Typed(make, command, typed) = &way.proof {
            check(way, *make, command, typed, &models);
        }
    });
}

/// Models that commands of the table name, trained when one is first wanted.
#[derive(Default)]
struct Models {
    classes: OnceLock<Scratch>,
    pairs: OnceLock<Scratch>,
    adapter: OnceLock<Scratch>,
}

impl Models {
    /// What stands in a command for itself, or for a model.
    fn word(&self, word: &str) -> String {
        let (trained, make, options): (_, fn(&Path, &[Example]), _) = match word {
            "TINY" => return argument(&fixtures::path("tiny_bert")).into(),
            "CLASSES" => (&self.classes, files::clean, "--strategy head"),
            "PAIRS" => (&self.pairs, files::mnli, "--strategy head"),
            "ADAPTER" => (&self.adapter, files::clean, "--strategy lora"),
            word => return word.into(),
        };
        let train = || {
            let scratch = with_data(make);
            let fixed = split("--dataset data --max-steps 1");
            scratch
                .train(&[&fixed[..], &split(options)].concat())
                .succeeded();
            scratch
        };
        argument(&trained.get_or_init(train).path("run/model")).into()
    }
}

fn with_data(make: fn(&Path, &[Example])) -> Scratch {
    let scratch = Scratch::new();
    let data = scratch.path("data");
    fs::create_dir(&data).unwrap();
    make(&data, &samples::examples(64));
    scratch
}

fn check(way: &WayOut, make: fn(&Path, &[Example]), command: &str, typed: &Typed, models: &Models) {
    let scratch = with_data(make);
    let words: Vec<_> = split(command)
        .into_iter()
        .map(|word| match word.strip_prefix('!') {
            Some(word) => (true, models.word(word)),
            None => (false, models.word(word)),
        })
        .collect();
    let all = words.iter().map(|(_, word)| word.clone()).collect();
    let before = run(&scratch, all, "first");
    let what = format!("{} {}: {before}", way.file, way.flags);
    assert!(before.stderr.contains(way.words), "no such message: {what}");
    assert!(matches!(before.code, Some(0 | 2)), "{what}");
    let line = before.stderr.lines().find(|line| line.contains(way.words));
    let kept = words.iter().filter(|(dropped, _)| !dropped);
    let mut line_typed: Vec<_> = kept.map(|(_, word)| word.clone()).collect();
    for flag in way.flags.split(' ') {
        without(&mut line_typed, flag);
        match typed {
            Typed::Without => {}
            Typed::Alone => line_typed.push(flag.into()),
            Typed::With(value) => {
                line_typed.push(flag.into());
                line_typed.extend(split(value).into_iter().map(String::from));
            }
            Typed::Printed => {
                let line = line.unwrap();
                // Behind the words or among them.
                let start = line.find(way.words).unwrap();
                let value = printed(&line[start..], flag)
                    .unwrap_or_else(|| panic!("no {flag} with a value: {what}"));
                line_typed.extend([flag.into(), value]);
            }
        }
    }
    let after = run(&scratch, line_typed, "typed");
    assert_eq!(
        after.code,
        Some(0),
        "the way out of {what}\nis none: {after}"
    );
    assert!(!after.stderr.contains(way.words), "{after}");
}

/// A command, with what makes a training quick, and a directory of its own where none is named.
fn run(scratch: &Scratch, mut words: Vec<String>, output: &str) -> Run {
    if words[0] == "train" {
        for (flag, value) in [
            ("--model", argument(&fixtures::path("tiny_bert"))),
            ("--output", output),
            ("--max-steps", "1"),
            ("--strategy", "head"),
        ] {
            let named = words.iter().any(|word| word == flag)
                || flag == "--strategy" && words.iter().any(|word| word == "--adapter");
            if !named {
                words.extend([flag.into(), value.into()]);
            }
        }
    }
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    scratch.run(&words)
}

/// Takes a flag out of a command, with its value.
fn without(words: &mut Vec<String>, flag: &str) {
    while let Some(at) = words.iter().position(|word| word == flag) {
        let has_value = words
            .get(at + 1)
            .is_some_and(|word| !word.starts_with("--"));
        words.drain(at..at + 1 + usize::from(has_value));
    }
}

/// The word behind a flag in a message, as a shell would read it: without its quotes, and without the
/// marks of the sentence behind it.
fn printed(message: &str, flag: &str) -> Option<String> {
    let start = message.find(flag)? + flag.len();
    let rest = message[start..].strip_prefix(' ')?;
    let Some(quote) = rest.chars().next().filter(|c| "'\"".contains(*c)) else {
        let word = rest.split_whitespace().next()?;
        return Some(word.trim_end_matches([',', ';', ')', '.', ':']).into());
    };
    Some(rest[1..].split(quote).next()?.into())
}

#[test]
fn words_are_found_behind_a_flag() {
    for (message, expected) in [
        ("say --labels -1,1; for", Some("-1,1")),
        ("(--labels 'not bad,good')", Some("not bad,good")),
        ("none with --labels \"\"", Some("")),
        ("--labels", None),
    ] {
        assert_eq!(
            printed(message, "--labels").as_deref(),
            expected,
            "{message}"
        );
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
