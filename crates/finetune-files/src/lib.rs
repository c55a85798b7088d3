#![doc = include_str!("../README.md")]

mod error;
mod kind;
mod leftovers;
mod lock;
mod locked_file;
mod new_directory;
mod new_file;
mod partial_name;
mod steps;
mod sync;

pub use error::{FileError, IoContext};
pub use kind::ErrorKind;
pub use leftovers::remove_leftovers;
pub use lock::{DirectoryLock, Holder, LockError};
pub use locked_file::open_locked;
pub use new_directory::{NewDirectory, publish_directory};
pub use new_file::{NewFile, create_file, rename_file, replace_file};
pub use partial_name::{PARTIAL, is_partial};
pub use sync::{sync_directory, sync_tree};
