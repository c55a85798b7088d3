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
        let is_rounded = precision == Precision::Bf16;
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        match is_rounded {
            false if Avx512::is_available() => return Self::Avx512,
            true if Amx::is_available() => return Self::Amx,
            true if Avx512Bf16::is_available() => return Self::Avx512Bf16,
            false if Avx2::is_available() => return Self::Avx2,
            true if Avx2::is_available() => return Self::Avx2Rounded,
            _ => {}
        }
        match is_rounded {
            false => Self::Plain,
            true => Self::PlainRounded,
        }
    }

    /// Returns the name of the instruction set, for people.
    pub(super) fn instruction_set(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx => "AMX",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => "AVX512-BF16",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 | Self::Avx2Rounded => "AVX2",
            Self::Plain | Self::PlainRounded => "baseline",
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
