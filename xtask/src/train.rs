//! `cargo xtask train ARGS…`: `finetune train ARGS…`, with its data set and the binary built first.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use anyhow::Result;

use crate::datasets::{Catalog, DEFAULT};
use crate::{binary, workspace};

/// Cargo features that a value of `--device` needs; the CPU backend is always there.
const DEVICE_FEATURES: [&str; 2] = ["cuda", "ndarray"];

/// Run training as `args` say.
///
/// # Errors
/// When the data set or the binary cannot be built, or the binary not started. A failure of the
/// training itself is in the status.
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
    let binary = binary::build(&features)?;
    args.insert(0, "train".into());
    binary::run(&binary, &args)
}

/// What of the arguments matters here; everything else is the binary's to read and to refuse.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    dataset: Option<String>,
    device: Option<String>,
    /// Help is asked for, or a plan file cannot be read: nothing is to be added.
    leave_alone: bool,
}

impl Request {
    fn read(args: &[OsString]) -> Self {
        let mut request = Self {
            dataset: flag(args, "--dataset"),
            device: flag(args, "--device"),
            leave_alone: args.iter().any(|arg| arg == "-h" || arg == "--help"),
        };
        // Flags go over the plan file.
        for path in args.iter().map(Path::new) {
            if path.extension().is_some_and(|ending| ending == "toml") {
                let text = fs::read_to_string(path).unwrap_or_default();
                match text.parse::<toml::Table>() {
                    Ok(plan) => {
                        let key = |name| plan.get(name)?.as_str().map(str::to_owned);
                        request.dataset = request.dataset.or_else(|| key("dataset"));
                        request.device = request.device.or_else(|| key("device"));
                    }
                    Err(_) => request.leave_alone = true,
                }
            }
        }
        request
    }

    /// The data set of ours that is asked for, by name or by its folder, or the default.
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
            // Something of that name in the current folder is what the user means.
            same_folder || (name == asked && !path.exists())
        };
        Ok(names.into_iter().find(is_asked))
    }
}

/// Value of the last `--name VALUE` or `--name=VALUE`.
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

/// The arguments with every `--dataset` taken out and this one added.
fn with_dataset(args: &[OsString], folder: &OsStr) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--dataset" {
            args.next();
        } else if !arg.to_string_lossy().starts_with("--dataset=") {
            kept.push(arg.clone());
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

    /// A checkout with two data sets, and the answer for a command line typed in its root.
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
            &words("--dataset a --epochs 1 --dataset=b --json"),
            "F".as_ref(),
        );
        assert_eq!(args, words("--epochs 1 --json --dataset F"));
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
