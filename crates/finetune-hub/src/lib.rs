#![doc = include_str!("../README.md")]

mod blob;
mod cache;
mod checksum;
mod client;
mod environment;
mod error;
mod files;
mod hub;
mod local;
mod lock;
mod name;
mod package;
mod pip;
mod progress;
mod remote;
mod transfer;
mod weights;

pub use error::HubError;
pub use files::{FoundModel, ModelFiles, Source, WEIGHTS};
pub use hub::Hub;
pub use package::PackagedModel;
pub use progress::Progress;

/// The model that is fine-tuned when none is named: 22.7 million parameters, 6 layers.
pub const DEFAULT_MODEL: &str = "sentence-transformers/all-MiniLM-L6-v2";
/// The revision that is taken when none is named.
pub const DEFAULT_REVISION: &str = "main";
/// The hub that is asked when `HF_ENDPOINT` is not set.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";
