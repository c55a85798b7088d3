//! Tests on the file system: saves, damage, retention, full disks, kills.
#![allow(clippy::unwrap_used, clippy::panic)]

mod background;
mod damage;
mod full_disk;
mod kill;
mod retention;
mod saving;
mod support;
