//! The processor.

use std::{env, fs, num::NonZero, thread};

use finetune_kernels::may_use;

/// What the system says of the processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// Its name, where Linux reports it.
    pub name: Option<String>,
    /// Its features that computations may use; `FINETUNE_CPU` may exclude some.
    pub features: Vec<String>,
    /// Number of threads that share the work; `RAYON_NUM_THREADS` may limit it.
    pub threads: usize,
    /// The machine's memory in bytes, where Linux reports it.
    pub memory: Option<u64>,
}

impl Cpu {
    /// Describes this machine's.
    pub fn here() -> Self {
        Self {
            name: field("/proc/cpuinfo", "model name"),
            features: features(),
            threads: threads(),
            memory: field("/proc/meminfo", "MemTotal").and_then(|size| {
                let kibibytes: u64 = size.split_whitespace().next()?.parse().ok()?;
                Some(kibibytes * 1024)
            }),
        }
    }
}

/// Returns the first value of a key in a file of `KEY : VALUE` lines.
fn field(path: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(found, _)| found.trim() == key)?;
    Some(value.trim().into())
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
fn features() -> Vec<String> {
    detected!(std::is_x86_feature_detected:
        "sse4.2" "avx" "avx2" "fma" "f16c" "avx512f" "avx512bw" "avx512dq" "avx512vl"
        "avx512vnni" "avx512bf16" "avxvnni")
}

#[cfg(target_arch = "aarch64")]
fn features() -> Vec<String> {
    detected!(std::arch::is_aarch64_feature_detected:
        "neon" "fp16" "dotprod" "bf16" "i8mm" "sve")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> Vec<String> {
    Vec::new()
}
