//! Limits the instruction sets in use, so that the code for older processors can be tested on newer
//! ones.

use std::sync::LazyLock;

/// An environment variable for tests: `avx2` excludes AVX-512 and AMX, and `baseline` everything beyond
/// the architecture's baseline. Any other value has no effect.
const VARIABLE: &str = "FINETUNE_CPU";

/// The upper limit of the instruction sets that kernels may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Limit {
    Baseline,
    Avx2,
    Everything,
}

impl Limit {
    pub(crate) fn of_process() -> Self {
        static LIMIT: LazyLock<Limit> =
            LazyLock::new(|| Limit::named(std::env::var(VARIABLE).ok().as_deref()));
        *LIMIT
    }

    fn named(name: Option<&str>) -> Self {
        match name {
            Some("baseline") => Self::Baseline,
            Some("avx2") => Self::Avx2,
            _ => Self::Everything,
        }
    }

    fn allows(self, feature: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Avx2 => {
                matches!(feature, "avx" | "avx2" | "fma" | "f16c") || Self::Baseline.allows(feature)
            }
            Self::Baseline => !feature.starts_with("avx") && !matches!(feature, "fma" | "f16c"),
        }
    }
}

/// Returns whether kernels may use a processor feature, given by its name in Rust, if the processor has
/// it. The environment variable `FINETUNE_CPU`, set to `avx2` or `baseline`, forbids some for tests.
pub fn may_use(feature: &str) -> bool {
    Limit::of_process().allows(feature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_by_name() {
        let allowed = |name: Option<&str>| {
            let features = ["sse4.2", "avx", "avx2", "fma", "avx512f", "avx512bf16"];
            let limit = Limit::named(name);
            features.map(|feature| u8::from(limit.allows(feature)))
        };
        assert_eq!(allowed(None), [1, 1, 1, 1, 1, 1]);
        assert_eq!(allowed(Some("other")), [1, 1, 1, 1, 1, 1]);
        assert_eq!(allowed(Some("avx2")), [1, 1, 1, 1, 0, 0]);
        assert_eq!(allowed(Some("baseline")), [1, 0, 0, 0, 0, 0]);
    }
}
