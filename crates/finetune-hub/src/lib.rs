#![doc = include_str!("../README.md")]

mod answer;
mod blob;
mod cache;
mod card;
mod card_csv;
mod checksum;
mod client;
mod data_files;
mod dataset;
mod dataset_route;
mod environment;
mod error;
mod files;
mod hub;
mod local;
mod local_dataset;
mod lock;
mod name;
mod package;
mod pattern;
mod pip;
mod prepared;
mod progress;
mod remote;
mod remote_file;
mod repository;
mod space;
mod transfer;
mod tree;
mod weights;
mod yaml;

pub use card_csv::CsvSettings;
pub use dataset::{DatasetFiles, FoundDataset, is_dataset_name};
pub use error::HubError;
pub use files::{FoundModel, ModelFiles, Source, WEIGHTS};
pub use hub::Hub;
pub use local_dataset::LocalDataset;
pub use package::PackagedModel;
pub use progress::Progress;

/// The model that is fine-tuned by default: 22.7 million parameters, 6 layers.
pub const DEFAULT_MODEL: &str = "sentence-transformers/all-MiniLM-L6-v2";
/// The default revision.
pub const DEFAULT_REVISION: &str = "main";
/// The hub used if `HF_ENDPOINT` is not set.
pub const DEFAULT_ENDPOINT: &str = "https://huggingface.co";
