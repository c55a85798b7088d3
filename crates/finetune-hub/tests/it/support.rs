//! A client of the hub that the tests play.

use std::time::Duration;

use finetune_hub::Hub;

pub use crate::server::*;

impl FakeHub {
    /// A client of this hub with short pauses, whatever the environment of the test says.
    pub fn client(&self) -> Hub {
        Hub::from_env()
            .cache_dir(self.cache())
            .endpoint(&self.endpoint)
            .token(None)
            .offline(false)
            .timeouts(Duration::from_secs(2), Duration::from_millis(300))
            .patience(3, Duration::from_millis(10), Duration::from_secs(5))
            .packages(Vec::new())
            .datasets_cache_dir(self.cache().join("datasets"))
    }
}
