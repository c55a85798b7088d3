//! A client of the hub that the tests play.

use std::time::Duration;

use finetune_hub::Hub;

pub use crate::server::*;

impl FakeHub {
    /// A client of this hub with short pauses, whatever the environment of the test says. A busy machine
    /// may be silent for a while; of whose silence counts see [`impatient`](Self::impatient).
    pub fn client(&self) -> Hub {
        Hub::from_env()
            .cache_dir(self.cache())
            .endpoint(&self.endpoint)
            .token(None)
            .offline(false)
            .timeouts(Duration::from_secs(60), Duration::from_secs(60))
            .patience(3, Duration::from_millis(10), Duration::from_secs(5))
            .packages(Vec::new())
            .datasets_cache_dir(self.cache().join("datasets"))
    }

    /// A client that soon takes silence for a cut.
    pub fn impatient(&self) -> Hub {
        let connect = Duration::from_secs(60);
        self.client().timeouts(connect, Duration::from_millis(300))
    }
}
