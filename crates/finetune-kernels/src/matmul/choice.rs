//! Selects the kernel for this processor.

use super::{
    kernel::Kernel,
    lanes::{Lanes, Plain},
};
#[cfg(target_arch = "x86_64")]
use super::{
    lanes::Avx2,
    x86::{amx::Amx, avx512::Avx512, bf16::Avx512Bf16},
};
use crate::Precision;

/// The kernel of a multiplication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    #[cfg(target_arch = "x86_64")]
    Amx,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx2Rounded,
    Plain,
    PlainRounded,
}

/// Work that can run on any kernel.
pub(super) trait Work {
    type Output;
    fn run<K: Kernel>(self) -> Self::Output;
}

impl Choice {
    /// Selects the fastest kernel that this processor supports.
    pub(super) fn new(precision: Precision) -> Self {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        match precision {
            Precision::F32 if Avx512::is_available() => return Self::Avx512,
            Precision::Bf16 if Amx::is_available() => return Self::Amx,
            Precision::Bf16 if Avx512Bf16::is_available() => return Self::Avx512Bf16,
            Precision::F32 if Avx2::is_available() => return Self::Avx2,
            Precision::Bf16 if Avx2::is_available() => return Self::Avx2Rounded,
            _ => {}
        }
        match precision {
            Precision::F32 => Self::Plain,
            Precision::Bf16 => Self::PlainRounded,
        }
    }

    pub(super) fn run<W: Work>(self, work: W) -> W::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx => work.run::<Amx>(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => work.run::<Avx512>(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => work.run::<Avx512Bf16>(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => work.run::<Lanes<Avx2, false>>(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2Rounded => work.run::<Lanes<Avx2, true>>(),
            Self::Plain => work.run::<Lanes<Plain, false>>(),
            Self::PlainRounded => work.run::<Lanes<Plain, true>>(),
        }
    }
}
