//! One optimizer step: loss, gradients, optimizer, learning rate.

pub(crate) mod batch;
pub(crate) mod clipping;
pub(crate) mod contrastive;
pub(crate) mod distillation;
pub(crate) mod ema;
pub(crate) mod facts;
pub(crate) mod gradient;
pub(crate) mod gradients;
pub(crate) mod learner;
pub(crate) mod losses;
pub(crate) mod optimizer;
pub(crate) mod schedule;
pub(crate) mod total;
pub(crate) mod trial;
pub(crate) mod unread;
