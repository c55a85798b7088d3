//! Runs the built binary in a temporary folder.

use std::{
    collections::BTreeSet,
    env::consts::EXE_SUFFIX,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::fixtures;

/// The `finetune` that Cargo put beside the tests.
fn binary() -> PathBuf {
    // TARGET/PROFILE/deps/it-HASH, wherever the target directory is.
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().unwrap().parent().unwrap();
    let path = profile.join(format!("finetune{EXE_SUFFIX}"));
    assert!(
        path.exists(),
        "{} is not built; build it first: cargo build --release --workspace --bins",
        path.display()
    );
    path
}

/// Variables of one's own that the program reads, or its libraries do.
const OF_A_USER: [&str; 8] = [
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NO_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "RUST_LOG",
    "COLUMNS",
];

/// A folder that goes away with the test; commands run in it, with caches of their own and offline.
pub struct Scratch(TempDir);

impl Scratch {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, with its folders.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.read(name)).unwrap()
    }

    /// The objects of a JSON lines file.
    pub fn json_lines(&self, name: &str) -> Vec<Value> {
        json_lines(&String::from_utf8(self.read(name)).unwrap())
    }

    /// A model directory of the fixtures, copied to `model`.
    pub fn copy_model(&self, fixture: &str) -> PathBuf {
        let target = self.path("model");
        fs::create_dir(&target).unwrap();
        for name in ["config.json", "model.safetensors", "tokenizer.json"] {
            fs::copy(fixtures::path(fixture).join(name), target.join(name)).unwrap();
        }
        target
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        // Whatever the user has set for himself.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            let is_of_a_hub = ["HF_", "HUGGING", "TRANSFORMERS_", "XDG_"]
                .iter()
                .any(|start| text.starts_with(start));
            if is_of_a_hub || OF_A_USER.contains(&&*text) {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env("FINETUNE_CACHE", self.path("cache"))
            .env("HF_HOME", self.path("huggingface"))
            .env("HF_HUB_OFFLINE", "1")
            // A panic would show.
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        Run::new(arguments, self.command(arguments).output().unwrap())
    }

    pub fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Run {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The inputs of these tests fit into the pipe; who refuses to read them is no failure here.
        let _ = child.stdin.take().unwrap().write_all(input);
        Run::new(arguments, child.wait_with_output().unwrap())
    }

    /// `train` of a tiny model into `run`.
    pub fn train(&self, arguments: &[&str]) -> Run {
        self.trained_by("train", arguments)
    }

    /// `pretrain` of a tiny model into `run`.
    pub fn pretrain(&self, arguments: &[&str]) -> Run {
        self.trained_by("pretrain", arguments)
    }

    fn trained_by(&self, command: &str, arguments: &[&str]) -> Run {
        let model = fixtures::path("tiny_bert");
        let model = model.to_str().unwrap();
        self.run(&[&[command, "--model", model, "--output", "run"], arguments].concat())
    }

    /// Asserts that the command is refused: exit code 2, one message that has `words`, nothing on
    /// standard output, and no file or folder that was not there before.
    #[track_caller]
    pub fn refuses(&self, arguments: &[&str], words: &[&str]) {
        let before = self.entries();
        self.run(arguments).refused(words);
        self.unchanged_since(&before);
    }

    /// Asserts that `train` with these arguments is refused, as [`refuses`](Self::refuses).
    #[track_caller]
    pub fn refuses_train(&self, arguments: &[&str], words: &[&str]) {
        let before = self.entries();
        self.train(arguments).refused(words);
        self.unchanged_since(&before);
    }

    #[track_caller]
    pub fn unchanged_since(&self, before: &BTreeSet<PathBuf>) {
        let left: Vec<_> = self.entries().difference(before).cloned().collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }

    /// Every file and folder; of the token cache, which may stay, only what is not whole.
    pub fn entries(&self) -> BTreeSet<PathBuf> {
        let cache = self.path("cache");
        let mut entries = BTreeSet::new();
        let mut folders = vec![self.0.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path.clone());
                }
                let partial = path.extension().is_some_and(|end| end == "partial");
                if partial || !path.starts_with(&cache) {
                    entries.insert(path);
                }
            }
        }
        entries
    }
}

/// What a command said.
pub struct Run {
    line: String,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn new(arguments: &[&str], output: Output) -> Self {
        Self {
            line: format!("finetune {}", arguments.join(" ")),
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    #[track_caller]
    pub fn refused(&self, words: &[&str]) {
        self.failed(2, words);
        // What was noticed on the way to the error may be said before it.
        let mut lines = self.stderr.lines();
        let first = lines.find(|line| !line.starts_with("note: "));
        assert!(
            first.is_some_and(|line| line.starts_with("error: ")),
            "{self}"
        );
        assert_eq!(self.stdout, "", "{self}");
    }

    /// Asserts an exit code and one error that has `words`.
    #[track_caller]
    pub fn failed(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self}");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in: {self}");
        }
        for word in ["panicked", "internal error", "stack backtrace"] {
            assert!(!self.stderr.contains(word), "{self}");
        }
        let errors = self.stderr.lines().filter(|line| line.starts_with("error"));
        assert_eq!(errors.count(), 1, "{self}");
    }

    /// The one JSON object on standard output.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.stdout.lines().count(), 1, "{self}");
        let value: Value = serde_json::from_str(&self.stdout).unwrap();
        assert!(value.is_object(), "{self}");
        value
    }

    pub fn json_lines(&self) -> Vec<Value> {
        json_lines(&self.stdout)
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            line,
            code,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "{line}\nexit code {code:?}\nstandard output:\n{stdout}\nstandard error:\n{stderr}"
        )
    }
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The arguments of a command line without quotes.
pub fn split(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// A path as an argument.
pub fn argument(path: &Path) -> &str {
    path.to_str().unwrap()
}
