//! Description of the machine and the program, for the manifest.

use std::{env, fs, num::NonZero, thread};

use finetune_kernels::may_use;

use crate::{MachineFacts, ProgramFacts};

/// A program that does not describe itself: this crate's version, and an unknown commit.
impl Default for ProgramFacts {
    fn default() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            git_commit: "unknown".into(),
        }
    }
}

impl MachineFacts {
    /// Describes this machine; `device` is the name of the model's device.
    pub fn here(device: &str) -> Self {
        Self {
            os: match read("/proc/sys/kernel/osrelease") {
                Some(release) => format!("{} {}", env::consts::OS, release.trim()),
                None => env::consts::OS.into(),
            },
            architecture: env::consts::ARCH.into(),
            cpu: cpu().unwrap_or_else(|| "unknown".into()),
            cpu_features: cpu_features(),
            threads: threads(),
            device: device.into(),
        }
    }
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// Returns the processor's name, where Linux reports it.
fn cpu() -> Option<String> {
    let text = read("/proc/cpuinfo")?;
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    let (_, name) = fields.find(|(key, _)| key.trim() == "model name")?;
    Some(name.trim().into())
}

/// Returns the number of threads that Rayon uses.
fn threads() -> usize {
    let set = env::var("RAYON_NUM_THREADS").ok();
    let set = set.and_then(|number| number.parse().ok());
    let available = || thread::available_parallelism().map_or(1, NonZero::get);
    set.filter(|&number| number > 0).unwrap_or_else(available)
}

/// Lists the given features that this processor has. The detection macro accepts literals only.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! detected {
    ($detect:path: $($name:tt)+) => {
        [$(($name, {
            use $detect as detect;
            detect!($name)
        })),+]
        .into_iter()
        .filter(|(name, found)| *found && may_use(name))
        .map(|(name, _)| name.to_string())
        .collect()
    };
}

#[cfg(target_arch = "x86_64")]
fn cpu_features() -> Vec<String> {
    detected!(std::is_x86_feature_detected:
        "sse4.2" "avx" "avx2" "fma" "f16c" "avx512f" "avx512bw" "avx512dq" "avx512vl"
        "avx512vnni" "avx512bf16" "avxvnni")
}

#[cfg(target_arch = "aarch64")]
fn cpu_features() -> Vec<String> {
    detected!(std::arch::is_aarch64_feature_detected:
        "neon" "fp16" "dotprod" "bf16" "i8mm" "sve")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn cpu_features() -> Vec<String> {
    Vec::new()
}
