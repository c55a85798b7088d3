//! Events of a run, and the observers that record them.

pub(crate) mod ending;
pub(crate) mod event;
pub(crate) mod event_log;
#[cfg(feature = "tensorboard")]
mod logged_event;
pub(crate) mod pause;
#[cfg(feature = "tensorboard")]
pub(crate) mod tensorboard_log;
