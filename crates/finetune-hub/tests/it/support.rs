//! A hub client for the tests.

use std::time::Duration;

use finetune_hub::Hub;

pub use crate::server::*;

impl FakeHub {
    /// Creates a client of this hub with short pauses, regardless of the environment. A busy
    /// machine may be silent for a while; tests of silence use [`impatient`](Self::impatient).
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

    /// Creates a client that soon treats silence as a broken connection.
    pub fn impatient(&self) -> Hub {
        let connect = Duration::from_secs(60);
        self.client().timeouts(connect, Duration::from_millis(300))
    }
}
