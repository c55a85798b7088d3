//! All routes without any network: the hub is a local server, and pip is a script.
#![allow(clippy::unwrap_used, clippy::panic)]

mod dataset;
mod hub;
mod local;
#[cfg(unix)]
mod package;
mod server;
mod support;
