//! A single run in a storm.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use finetune_files::is_partial;
use serde_json::Value;

use super::{End, Field, VARIANTS};

/// Maximum number of disturbed sessions per run.
const SESSIONS: u64 = 6;

/// Files that must equal those of the undisturbed run bit for bit.
const WEIGHTS: [&str; 2] = ["model.safetensors", "adapter_model.safetensors"];

pub(super) struct Run<'a> {
    field: &'a Field,
    variant: usize,
    name: String,
    random: Random,
    /// Everything that happened, for the message if it ends badly.
    story: Vec<String>,
    damaged: Vec<String>,
    /// Everything that the sessions printed.
    said: String,
}

/// Generates numbers that look random but are the same every time (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}

impl<'a> Run<'a> {
    pub(super) fn new(field: &'a Field, seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x2545_F491_4F6C_DD1D));
        Self {
            field,
            variant: random.below(VARIANTS.len() as u64) as usize,
            name: format!("stormy-{seed}"),
            random,
            story: Vec::new(),
            damaged: Vec::new(),
            said: String::new(),
        }
    }

    fn path(&self) -> PathBuf {
        self.field.folder.join(&self.name)
    }

    pub(super) fn weather(mut self) -> Result<End> {
        let end = self.all_sessions();
        let end = end.map_err(|error| error.context(self.story.join("\n  ")))?;
        fs::remove_dir_all(self.path()).ok();
        Ok(end)
    }

    fn all_sessions(&mut self) -> Result<End> {
        for _ in 0..1 + self.random.below(SESSIONS) {
            let output = self.session(true)?;
            self.check(&output)?;
            if self.path().join("results.json").exists() {
                break;
            }
            if self.random.below(3) == 0 {
                self.damage()?;
            }
        }
        let output = self.session(false)?;
        self.check(&output)?;
        match output.status.code() {
            Some(0) => self.compare(),
            Some(2) if self.names_damage(&output) => Ok(End::Refused),
            _ => bail!("it cannot be resumed: {}", text(&output)),
        }
    }

    /// Starts or resumes the run, with or without a disturbance.
    fn session(&mut self, disturbed: bool) -> Result<Output> {
        let mut command = self.field.command(&self.name);
        let begun = self.path().join("plan.toml").exists();
        match begun && self.random.below(2) == 0 {
            true => command.args(["resume", &self.name, "--json"]),
            false => command.args(self.field.train(self.variant, &self.name)),
        };
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let calls = self.field.undisturbed[self.variant].1;
        let mut by_time = None;
        if disturbed {
            // Later sessions have fewer calls left, so early ones are chosen more often.
            let span = 1 + self.random.below(calls);
            let call = (1 + self.random.below(span)).to_string();
            match self.random.below(6) {
                0 | 1 => {
                    command.env("STORM_KILL", &call);
                    if self.random.below(2) == 0 {
                        command.env("STORM_TORN", "1");
                    }
                    self.story.push(format!("killed at call {call}"));
                }
                kind @ 2..=4 => {
                    let (number, name) =
                        [(28, "ENOSPC"), (5, "EIO"), (122, "EDQUOT")][kind as usize - 2];
                    command
                        .env("STORM_ERROR", &call)
                        .env("STORM_ERRNO", number.to_string());
                    if kind == 2 && self.random.below(2) == 0 {
                        command.env("STORM_ALWAYS", "1");
                    }
                    self.story.push(format!("{name} at call {call}"));
                }
                _ => {
                    let delay = Duration::from_millis(self.random.below(400));
                    self.story.push(format!("killed after {delay:?}"));
                    by_time = Some(delay);
                }
            }
        }
        let mut child = command.spawn()?;
        if let Some(delay) = by_time {
            thread::sleep(delay);
            child.kill()?;
        }
        let output = child.wait_with_output()?;
        self.story
            .push(format!("  {}: {}", output.status, last_line(&output)));
        self.said += &text(&output);
        Ok(output)
    }

    /// Checks what must hold after each session.
    fn check(&self, output: &Output) -> Result<()> {
        let ended = output
            .status
            .code()
            .is_some_and(|code| (0..=2).contains(&code));
        let killed = output.status.signal() == Some(9);
        ensure!(
            ended || killed,
            "a session ended with {}: {}",
            output.status,
            text(output)
        );
        let text = text(output);
        for word in ["panicked", "internal error"] {
            ensure!(!text.contains(word), "a session panicked: {text}");
        }
        if output.status.code() == Some(2) {
            ensure!(
                self.names_damage(output)
                    || !self.damaged.is_empty()
                    || text.contains("as the run directory"),
                "a session was refused without damage: {text}"
            );
        }
        let results = self.path().join("results.json");
        if results.exists() {
            let whole = serde_json::from_slice::<Value>(&fs::read(&results)?).is_ok();
            ensure!(whole, "results.json is half-written");
            ensure!(
                self.path().join("model/config.json").exists(),
                "there are results, and no model"
            );
        }
        Ok(())
    }

    fn names_damage(&self, output: &Output) -> bool {
        let text = text(output);
        self.damaged.iter().any(|file| {
            let name = Path::new(file)
                .file_name()
                .unwrap_or_default()
                .to_string_lossy();
            text.contains(&*name) || text.contains("in the run, now") && name == "plan.toml"
        })
    }

    /// Truncates, changes or removes a file of the run.
    fn damage(&mut self) -> Result<()> {
        let files = files(&self.path());
        if files.is_empty() {
            return Ok(());
        }
        let path = &files[self.random.below(files.len() as u64) as usize];
        let mut bytes = fs::read(path)?;
        let at = self.random.below(bytes.len() as u64) as usize;
        let what = match self.random.below(3) {
            0 if !bytes.is_empty() => {
                bytes[at] ^= 1 << self.random.below(8);
                fs::write(path, bytes)?;
                format!("a bit of byte {at} flipped")
            }
            1 => {
                fs::write(path, &bytes[..at])?;
                format!("cut to {at} bytes")
            }
            _ => {
                fs::remove_file(path)?;
                "removed".to_owned()
            }
        };
        let name = path.strip_prefix(self.path()).unwrap_or(path);
        let name = name.display().to_string();
        self.story.push(format!("damaged {name}: {what}"));
        self.damaged.push(name);
        Ok(())
    }

    /// Compares the end with that of the undisturbed run.
    fn compare(&self) -> Result<End> {
        let (run, whole) = (self.path(), &self.field.undisturbed[self.variant].0);
        let results = json(&run.join("results.json"))?;
        let left: Vec<_> = files(&run)
            .into_iter()
            .filter(|path| path.components().any(|part| is_leftover(part.as_os_str())))
            .collect();
        ensure!(left.is_empty(), "left behind: {left:?}");
        if results["lost_best"].is_object() {
            ensure!(
                !self.damaged.is_empty(),
                "the best model is lost without damage"
            );
            ensure!(
                results["best_step"] != results["lost_best"]["step"],
                "the lost model is named"
            );
            return Ok(End::LostBest);
        }
        if self.said.contains("from here on") {
            return Ok(End::Announced);
        }
        for name in WEIGHTS {
            let (ours, theirs) = (
                fs::read(run.join("model").join(name)),
                fs::read(whole.join("model").join(name)),
            );
            ensure!(ours.ok() == theirs.ok(), "model/{name} differs");
        }
        ensure!(
            lasting(&results) == lasting(&json(&whole.join("results.json"))?),
            "results.json differs"
        );
        let (ours, theirs) = (events(&run)?, events(whole)?);
        for (number, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            ensure!(ours == theirs, "event {number} is {ours}, not {theirs}");
        }
        ensure!(
            ours.len() == theirs.len(),
            "{} events, not {}",
            ours.len(),
            theirs.len()
        );
        Ok(End::Same)
    }
}

fn is_leftover(name: &OsStr) -> bool {
    is_partial(name) || name.as_encoded_bytes().starts_with(b".removed")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn last_line(output: &Output) -> String {
    text(output).lines().last().unwrap_or_default().to_owned()
}

/// Lists all files of a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path().is_dir() {
            true => all.extend(files(&entry.path())),
            false => all.push(entry.path()),
        }
    }
    all.sort();
    all
}

fn json(path: &Path) -> Result<Value> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

fn events(run: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(run.join("events.jsonl"))?;
    let lines = text.lines();
    lines
        .map(|line| Ok(lasting(&serde_json::from_str(line)?)))
        .collect()
}

/// Removes times, speeds and the name of the run from a JSON value.
fn lasting(value: &Value) -> Value {
    let volatile = |key: &str| {
        let others = ["samples_per_second", "peak_memory_bytes", "output"];
        key.ends_with("seconds") || others.contains(&key)
    };
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(key, _)| !volatile(key));
            kept.map(|(key, value)| (key.clone(), lasting(value)))
                .collect()
        }
        Value::Array(values) => values.iter().map(lasting).collect(),
        other => other.clone(),
    }
}
