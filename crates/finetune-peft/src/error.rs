//! The error type of this crate.

use std::path::{Path, PathBuf};

use finetune_files::{ErrorKind, FileError};

/// An error of an adapter's configuration or files.
#[derive(Debug, thiserror::Error)]
pub enum PeftError {
    /// A key of the configuration has an unusable value.
    #[error("{key}: {problem}")]
    Config {
        /// The key, by peft's name.
        key: String,
        /// What was found and what was expected.
        problem: String,
    },
    /// `target_modules` matches nothing in the model.
    #[error(
        "target_modules {targets} matches no linear layer of this {model_type} model; the nearest names are {near}"
    )]
    NoTarget {
        /// The value of `target_modules`.
        targets: String,
        /// The family's `model_type`.
        model_type: String,
        /// Similar names that exist.
        near: String,
    },
    /// `target_modules` matches a module that takes no adapter.
    #[error(
        "target_modules {targets} matches {module}, which is not a linear layer; name linear layers only, or exclude it with exclude_modules"
    )]
    NotLinear {
        /// The value of `target_modules`.
        targets: String,
        /// The module.
        module: String,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// `adapter_config.json` is invalid or does not fit the model.
    #[error("{path}: {problem}")]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// `adapter_model.safetensors` is damaged.
    #[error("{path} is not a valid safetensors file: {problem}; fetch or save it again")]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A tensor of `adapter_model.safetensors` is unusable.
    #[error("{path}: tensor {tensor}: {problem}")]
    WeightsContent {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// What is wrong.
        problem: String,
    },
    /// The weights are in a pickle, which can contain a program.
    #[error(
        "{pickle} is a pickle, which is not read; with PyTorch and safetensors installed,\n  python -c 'import sys, torch, safetensors.torch as s; d = sys.argv[1]; s.save_file({{k: v.contiguous() for k, v in torch.load(d + \"/adapter_model.bin\", map_location=\"cpu\", weights_only=True).items()}}, d + \"/adapter_model.safetensors\")' {directory}\nwrites adapter_model.safetensors beside it"
    )]
    Pickle {
        /// The file.
        pickle: PathBuf,
        /// The adapter's directory.
        directory: PathBuf,
    },
    /// The adapter belongs to another model.
    #[error(
        "the adapter {path} does not fit this {model_type} model; it was made for {base}:\n{}", lines(.problems)
    )]
    OtherBase {
        /// The adapter's directory.
        path: PathBuf,
        /// The family's `model_type`.
        model_type: String,
        /// `base_model_name_or_path` of the adapter.
        base: String,
        /// One line per weight: its name, what was found and what was expected.
        problems: Vec<String>,
    },
    /// No adapter has this name.
    #[error("the model has no adapter \"{name}\"; it has: {found}")]
    UnknownAdapter {
        /// The name that was given.
        name: String,
        /// The names of the existing adapters.
        found: String,
    },
    /// Merging would give weights that are not finite.
    #[error(
        "merging the adapter gives a weight of {module} that is not finite; the adapter or the model is damaged"
    )]
    NotFinite {
        /// The module.
        module: String,
    },
}

impl PeftError {
    /// Classifies the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Config { .. }
            | Self::NoTarget { .. }
            | Self::NotLinear { .. }
            | Self::ConfigFile { .. }
            | Self::Weights { .. }
            | Self::WeightsContent { .. }
            | Self::Pickle { .. }
            | Self::OtherBase { .. }
            | Self::UnknownAdapter { .. }
            | Self::NotFinite { .. } => ErrorKind::Input,
        }
    }

    pub(crate) fn config(key: &str, problem: impl Into<String>) -> Self {
        Self::Config {
            key: key.into(),
            problem: problem.into(),
        }
    }

    pub(crate) fn file<'a>(
        action: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |source| FileError::new(action, path, source).into()
    }
}

/// Formats items one per line, indented, and no more than fit on a screen. Shared with the errors of
/// `finetune-models`.
pub fn lines(items: &[String]) -> String {
    const SHOWN: usize = 10;
    let mut text: Vec<_> = items
        .iter()
        .take(SHOWN)
        .map(|item| format!("  {item}"))
        .collect();
    if items.len() > SHOWN {
        text.push(format!("  … and {} more", items.len() - SHOWN));
    }
    text.join("\n")
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn an_adapter_that_is_not_there_or_wrong_is_input_and_a_full_disk_is_not() {
        let kind =
            |kind: io::ErrorKind| PeftError::file("write", Path::new("a"))(kind.into()).kind();
        assert_eq!(kind(io::ErrorKind::NotFound), ErrorKind::Input);
        assert_eq!(kind(io::ErrorKind::StorageFull), ErrorKind::Environment);
        assert_eq!(PeftError::config("r", "is 0").kind(), ErrorKind::Input);
    }
}
