//! Where training pauses, to be resumed later.

use std::{ffi::OsString, num::NonZeroU64};

use clap::Args;
use finetune_train::PausePoint;

#[derive(Clone, Copy, Debug, Default, Args)]
pub struct PauseArguments {
    /// Pause after this many steps, with a checkpoint; `resume` goes on from there, with the same result as without a pause
    #[arg(long, value_name = "STEPS", conflicts_with = "pause_after_epoch")]
    pub pause_after_step: Option<NonZeroU64>,

    /// Pause after this many epochs, as --pause-after-step
    #[arg(long, value_name = "EPOCHS")]
    pub pause_after_epoch: Option<NonZeroU64>,
}

impl PauseArguments {
    /// Returns the point, if there is one.
    pub fn point(self) -> Option<PausePoint> {
        let step = self.pause_after_step.map(PausePoint::Step);
        step.or(self.pause_after_epoch.map(PausePoint::Epoch))
    }

    /// Returns the arguments that say the same.
    pub fn options(self) -> Vec<OsString> {
        match self.point() {
            None => Vec::new(),
            Some(PausePoint::Step(step)) => {
                vec!["--pause-after-step".into(), step.to_string().into()]
            }
            Some(PausePoint::Epoch(epoch)) => {
                vec!["--pause-after-epoch".into(), epoch.to_string().into()]
            }
        }
    }
}
