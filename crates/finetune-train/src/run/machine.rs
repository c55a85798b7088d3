//! Description of the machine and the program, for the manifest.

use std::{env, fs};

use finetune_infer::Cpu;

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
        let cpu = Cpu::here();
        Self {
            os: match fs::read_to_string("/proc/sys/kernel/osrelease") {
                Ok(release) => format!("{} {}", env::consts::OS, release.trim()),
                Err(_) => env::consts::OS.into(),
            },
            architecture: env::consts::ARCH.into(),
            cpu: cpu.name.unwrap_or_else(|| "unknown".into()),
            cpu_features: cpu.features,
            threads: cpu.threads,
            device: device.into(),
        }
    }
}
