//! All routes, without any network: the hub is a server on this machine, pip a script.
#![allow(clippy::unwrap_used, clippy::panic)]

mod dataset;
mod hub;
mod local;
#[cfg(unix)]
mod package;
mod server;
mod support;
