//! `cargo xtask train ARGS…`: runs `finetune train ARGS…` after building its data set and the
//! binary.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use anyhow::Result;

use crate::datasets::{Catalog, DEFAULT};
use crate::{binary, workspace};

/// Cargo features required by values of `--device`; the CPU backend is always there.
const DEVICE_FEATURES: [&str; 3] = ["cuda", "ndarray", "wgpu"];

/// Numbers of rows for a first run, by keys of the plan: enough for a run of a quarter of a minute.
/// With another data set, or without these, all rows are used.
const LESSON: [(&str, u64); 2] = [("train_rows", 1000), ("eval_rows", 200)];

/// Names of the option, both ours and those of transformers' scripts.
const DATASET_FLAGS: [&str; 5] = [
    "--dataset",
    "--dataset-name",
    "--dataset_name",
    "--train-file",
    "--train_file",
];

/// Runs training with `args`.
///
/// # Errors
/// Fails if the data set or the binary cannot be built, or if the binary cannot be started. A
/// failure of the training itself is in the status.
pub fn train(args: &[OsString]) -> Result<ExitStatus> {
    let catalog = Catalog::new(workspace::datasets());
    let request = Request::read(args);
    let mut args = args.to_vec();
    let here = std::env::current_dir()?;
    if let Some(name) = request.data_set(&catalog, &here)? {
        let built = catalog.build(&name, false)?;
        if built.fresh {
            eprintln!("Built the data set {name}:\n{}", built.stamp.table());
        }
        let folder = PathBuf::from(workspace::display(&built.folder));
        args = with_dataset(&args, folder.as_os_str());
        if request.dataset.is_none() {
            args.extend(request.lesson_rows());
        }
    }
    let features: Vec<&str> = DEVICE_FEATURES
        .into_iter()
        .filter(|feature| {
            request
                .device
                .as_deref()
                .is_some_and(|device| device.starts_with(feature))
        })
        .collect();
    let binary = binary::build("finetune", &features)?;
    args.insert(0, "train".into());
    binary::run(&binary, &args)
}

/// The arguments that matter here; the binary reads and checks all others.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    dataset: Option<String>,
    device: Option<String>,
    /// Whether the number of training rows, and that of validation rows, is given.
    rows_given: [bool; 2],
    /// Whether help is requested or a plan file cannot be read, in which case nothing is added.
    leave_alone: bool,
}

impl Request {
    fn read(args: &[OsString]) -> Self {
        let mut request = Self {
            dataset: DATASET_FLAGS.iter().find_map(|name| flag(args, name)),
            device: flag(args, "--device"),
            rows_given: LESSON.map(|(key, _)| is_set(args, key)),
            leave_alone: args.iter().any(|arg| arg == "-h" || arg == "--help"),
        };
        // Flags override the plan file.
        for path in args.iter().map(Path::new) {
            if path.extension().is_some_and(|ending| ending == "toml") {
                let text = fs::read_to_string(path).unwrap_or_default();
                match text.parse::<toml::Table>() {
                    Ok(plan) => {
                        let key = |name| plan.get(name)?.as_str().map(str::to_owned);
                        request.dataset = request.dataset.or_else(|| key("dataset"));
                        request.device = request.device.or_else(|| key("device"));
                        for (given, (key, _)) in request.rows_given.iter_mut().zip(LESSON) {
                            *given |= plan.contains_key(key);
                        }
                    }
                    Err(_) => request.leave_alone = true,
                }
            }
        }
        request
    }

    /// Returns the numbers of rows of the first run, unless others are given.
    fn lesson_rows(&self) -> impl Iterator<Item = OsString> + use<> {
        let rows = LESSON.into_iter().zip(self.rows_given);
        let rows = rows.filter(|(_, given)| !given);
        rows.map(|((key, rows), _)| format!("--{}={rows}", key.replace('_', "-")).into())
    }

    /// Returns the data set of this project that is requested by name or by folder, or the default.
    fn data_set(&self, catalog: &Catalog, here: &Path) -> Result<Option<String>> {
        if self.leave_alone {
            return Ok(None);
        }
        let Some(asked) = &self.dataset else {
            return Ok(Some(DEFAULT.to_owned()));
        };
        let path = here.join(asked);
        let names = catalog.names()?;
        let is_asked = |name: &String| {
            let folder = catalog
                .locate(name)
                .and_then(|path| Ok(path.canonicalize()?));
            let same_folder = path
                .canonicalize()
                .is_ok_and(|path| folder.is_ok_and(|folder| folder == path));
            // If the current folder contains something of that name, the user means that.
            same_folder || (name == asked && !path.exists())
        };
        Ok(names.into_iter().find(is_asked))
    }
}

/// Returns whether this key of the plan is set by its flag or by `--set`.
fn is_set(args: &[OsString], key: &str) -> bool {
    let of_set = |value: &str| value.split('=').next().is_some_and(|set| set.trim() == key);
    let name = format!("--{}", key.replace('_', "-"));
    let values = args.windows(2).filter(|two| two[0] == "--set");
    let mut values = values.map(|two| two[1].to_string_lossy());
    let mut joined = args.iter().map(|arg| arg.to_string_lossy());
    flag(args, &name).is_some()
        || values.any(|value| of_set(&value))
        || joined.any(|arg| arg.strip_prefix("--set=").is_some_and(of_set))
}

/// Returns the value of the last `--name VALUE` or `--name=VALUE`.
fn flag(args: &[OsString], name: &str) -> Option<String> {
    let mut value = None;
    let mut args = args.iter().map(|arg| arg.to_string_lossy());
    while let Some(arg) = args.next() {
        if arg == name {
            value = args.next().map(|next| next.into_owned());
        } else if let Some(given) = arg
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('='))
        {
            value = Some(given.to_owned());
        }
    }
    value
}

/// Returns the arguments with every data set removed and this one added.
fn with_dataset(args: &[OsString], folder: &OsStr) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy();
        let (name, value) = text
            .split_once('=')
            .map_or((&*text, None), |(n, v)| (n, Some(v)));
        match (DATASET_FLAGS.contains(&name), value) {
            (true, None) => drop(args.next()),
            (true, Some(_)) => {}
            (false, _) => kept.push(arg.clone()),
        }
    }
    kept.extend(["--dataset".into(), folder.to_owned()]);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    /// A checkout with two data sets, and the result for a command line typed in its root.
    fn asked_for(line: &str) -> Option<String> {
        let root = tempfile::tempdir().unwrap();
        let datasets = root.path().join("datasets");
        for name in ["movie_reviews", "tweets"] {
            fs::create_dir_all(datasets.join(name)).unwrap();
            fs::write(datasets.join(name).join("recipe.toml"), "").unwrap();
        }
        fs::create_dir(root.path().join("own")).unwrap();
        let plan = root.path().join("plan.toml");
        fs::write(&plan, "dataset = \"tweets\"\nepochs = 1\n").unwrap();
        fs::write(root.path().join("bare.toml"), "epochs = 1\n").unwrap();
        fs::write(root.path().join("broken.toml"), "epochs = \n").unwrap();
        let line = line.replace("@", &format!("{}/", root.path().display()));
        Request::read(&words(&line))
            .data_set(&Catalog::new(datasets), root.path())
            .unwrap()
    }

    #[test]
    fn the_data_set_is_found_or_left_to_the_binary() {
        for (line, expected) in [
            ("", Some("movie_reviews")),
            ("--epochs 1", Some("movie_reviews")),
            ("--dataset tweets", Some("tweets")),
            ("--dataset=tweets", Some("tweets")),
            ("--dataset_name tweets", Some("tweets")),
            ("--train_file own", None),
            ("--dataset datasets/tweets", Some("tweets")),
            ("--dataset own", None),
            ("--dataset no_such_set", None),
            ("--dataset own --dataset tweets", Some("tweets")),
            ("@plan.toml", Some("tweets")),
            ("@plan.toml --dataset own", None),
            ("@bare.toml", Some("movie_reviews")),
            ("@broken.toml", None),
            ("--help", None),
        ] {
            assert_eq!(asked_for(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn the_folder_replaces_the_name() {
        let args = with_dataset(
            &words("--dataset a --epochs 1 --dataset=b --dataset_name c --json"),
            "F".as_ref(),
        );
        assert_eq!(args, words("--epochs 1 --json --dataset F"));
    }

    #[test]
    fn the_lesson_has_its_rows_unless_others_are_said() {
        let rows = |line: &str| {
            let rows = Request::read(&words(line)).lesson_rows();
            rows.map(|row| row.into_string().unwrap())
                .collect::<Vec<_>>()
        };
        let (train, eval) = ("--train-rows=1000", "--eval-rows=200");
        assert_eq!(rows("--strategy lora"), [train, eval]);
        assert_eq!(rows("--train-rows 0"), [eval]);
        assert_eq!(rows("--train-rows=0 --set eval_rows=5"), [""; 0]);
        assert_eq!(rows("--set=train_rows=7 --set lora.r=2"), [eval]);
        let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        fs::write(file.path(), "eval_rows = 9\n").unwrap();
        assert_eq!(rows(file.path().to_str().unwrap()), [train]);
    }

    #[test]
    fn the_last_flag_counts() {
        assert_eq!(
            flag(&words("--device cpu --device=cuda:1"), "--device").unwrap(),
            "cuda:1"
        );
        assert_eq!(flag(&words("--devices cpu"), "--device"), None);
    }
}
