//! The machine and the software versions of a measurement.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

use xtask::workspace;

/// Instruction sets that matter to the kernels, by their names in Linux.
const FEATURES: [&str; 10] = [
    "avx2",
    "fma",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_bf16",
    "asimd",
    "asimdhp",
    "bf16",
    "sve",
];

/// The description of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Number of hardware threads.
    pub cores: usize,
    /// Memory in bytes; 0 if the system does not report it.
    pub memory_bytes: u64,
    /// The instruction sets that matter to the kernels.
    pub features: Vec<String>,
    /// Operating system and architecture.
    pub system: String,
}

impl Machine {
    /// Describes this machine. Fields that only Linux reports are empty elsewhere.
    #[must_use]
    pub fn this() -> Self {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            cpu: cpu_name(&cpu),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_bytes: field(&memory, "MemTotal")
                .and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok())
                .unwrap_or(0)
                * 1024,
            features: features(&cpu),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let gibibytes = self.memory_bytes as f64 / f64::from(1 << 30);
        let Self { cpu, cores, .. } = self;
        write!(f, "{cpu}, {cores} cores, {gibibytes:.0} GiB of memory, ")?;
        write!(f, "{} ({})", self.system, self.features.join(" "))
    }
}

/// Returns the value of the first line `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(key, _)| key.trim() == name)?;
    Some(value.trim())
}

/// Returns the processor's name with family and model, since virtual machines often hide part of the
/// name.
fn cpu_name(cpuinfo: &str) -> String {
    let name = field(cpuinfo, "model name").unwrap_or("unknown processor");
    match (field(cpuinfo, "cpu family"), field(cpuinfo, "model")) {
        (Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
        _ => name.to_owned(),
    }
}

fn features(cpuinfo: &str) -> Vec<String> {
    let all = field(cpuinfo, "flags").or_else(|| field(cpuinfo, "Features"));
    let all: Vec<&str> = all.unwrap_or_default().split_whitespace().collect();
    let known = FEATURES.into_iter().filter(|name| all.contains(name));
    known.map(str::to_owned).collect()
}

/// Returns the versions of the project, with its commit, and of the compiler.
#[must_use]
pub fn versions() -> BTreeMap<String, String> {
    let mut git = Command::new("git");
    git.current_dir(workspace::root());
    let commit = first_line(git.args(["describe", "--always", "--dirty", "--exclude=*"]));
    let version = env!("CARGO_PKG_VERSION");
    let ours = commit.map_or_else(
        || version.to_owned(),
        |commit| format!("{version} ({commit})"),
    );
    let compiler = first_line(Command::new("rustc").arg("--version"));
    let compiler = compiler.and_then(|line| Some(line.split_whitespace().nth(1)?.to_owned()));
    let compiler = compiler.map(|version| ("rustc".to_owned(), version));
    std::iter::once(("finetune".to_owned(), ours))
        .chain(compiler)
        .collect()
}

/// Returns the first line of a program's output, if it runs.
fn first_line(command: &mut Command) -> Option<String> {
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(|line| line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_is_read() {
        let cpuinfo = "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n\
                       flags\t\t: fpu avx2 avx512f avx512_bf16 smap\n\nprocessor\t: 1\n";
        assert_eq!(cpu_name(cpuinfo), "AMD EPYC (family 25, model 17)");
        assert_eq!(features(cpuinfo), ["avx2", "avx512f", "avx512_bf16"]);
        assert_eq!(cpu_name(""), "unknown processor");
    }

    #[test]
    fn a_machine_is_one_line() {
        let machine = Machine {
            cpu: "AMD EPYC".to_owned(),
            cores: 2,
            memory_bytes: 24 << 30,
            features: vec!["avx2".to_owned(), "fma".to_owned()],
            system: "linux x86_64".to_owned(),
        };
        assert_eq!(
            machine.to_string(),
            "AMD EPYC, 2 cores, 24 GiB of memory, linux x86_64 (avx2 fma)"
        );
    }
}
