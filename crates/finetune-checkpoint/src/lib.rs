#![doc = include_str!("../README.md")]

mod background;
mod best;
mod checkpoint;
mod content;
mod directory;
mod error;
mod file_name;
mod hashing;
mod manifest;
mod partial;
mod retention;
mod saved;
mod space;
mod store;

pub use background::BackgroundWriter;
pub use checkpoint::Checkpoint;
pub use content::{BytesFile, CheckpointFile, Content, CopiedFile};
pub use directory::{CheckpointDirectory, Found};
pub use error::CheckpointError;
pub use manifest::{FORMAT, MANIFEST};
pub use retention::Retention;
pub use saved::{Note, Saved};
pub use store::CheckpointStore;
