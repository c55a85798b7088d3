//! Functions that are compiled once per instruction set, with the version selected at run time: the
//! workspace targets any x86-64, with vectors of 4 elements and without fused multiply-add.

/// The instruction sets that functions are compiled for, beyond the target's own.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InstructionSet {
    Avx512,
    Avx2,
    Baseline,
}

#[cfg(target_arch = "x86_64")]
impl InstructionSet {
    /// Returns the best instruction set of this processor, which is detected once.
    pub(crate) fn detected() -> Self {
        use std::sync::LazyLock;
        static DETECTED: LazyLock<InstructionSet> = LazyLock::new(InstructionSet::detect);
        *DETECTED
    }

    fn detect() -> Self {
        use crate::processor::Limit;
        use std::is_x86_feature_detected as has;

        let limit = Limit::of_process();
        if limit < Limit::Avx2 || !(has!("avx2") && has!("fma")) {
            return Self::Baseline;
        }
        match limit == Limit::Everything
            && has!("avx512f")
            && has!("avx512bw")
            && has!("avx512dq")
            && has!("avx512vl")
        {
            true => Self::Avx512,
            false => Self::Avx2,
        }
    }
}

/// Makes a function run the best version of its body for this processor. In the body, `FMA` is whether
/// `f32::mul_add` is a single instruction (otherwise it is a call). Functions called by the body must be
/// `#[inline(always)]` to be compiled with it.
macro_rules! multiversion {
    (
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?
        $body:block
    ) => {
        $(#[$attribute])*
        #[allow(unsafe_code)]
        $visibility fn $name($($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            fn body<const FMA: bool>($($argument: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            {
                use $crate::cpu::multiversion::InstructionSet;

                #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
                fn avx512($($argument: $type),*) $(-> $result)? {
                    body::<true>($($argument),*)
                }

                #[target_feature(enable = "avx2,fma")]
                fn avx2($($argument: $type),*) $(-> $result)? {
                    body::<true>($($argument),*)
                }

                match InstructionSet::detected() {
                    // SAFETY: the processor has the features that the function is compiled for.
                    InstructionSet::Avx512 => unsafe { avx512($($argument),*) },
                    // SAFETY: as above.
                    InstructionSet::Avx2 => unsafe { avx2($($argument),*) },
                    InstructionSet::Baseline => body::<false>($($argument),*),
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            body::<{ cfg!(target_arch = "aarch64") }>($($argument),*)
        }
    };
}

pub(crate) use multiversion;
