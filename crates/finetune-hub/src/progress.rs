//! Progress reports while files are fetched.

use std::fmt;

/// A report from a call that takes time. The crate itself prints nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Bytes of a file have arrived. The first report on a resumed file starts above 0.
    Bytes {
        /// Name of the file, such as `model.safetensors`.
        file: String,
        /// Number of bytes received so far.
        done: u64,
        /// Size of the file, if known.
        total: Option<u64>,
    },
    /// A sentence worth showing, for instance which route is taken or why the call waits.
    Note(String),
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MIB: f64 = (1 << 20) as f64;
        match self {
            Self::Bytes {
                file,
                done,
                total: Some(total),
            } => write!(
                f,
                "{file}: {:.1} of {:.1} MiB",
                *done as f64 / MIB,
                *total as f64 / MIB
            ),
            Self::Bytes {
                file,
                done,
                total: None,
            } => {
                write!(f, "{file}: {:.1} MiB", *done as f64 / MIB)
            }
            Self::Note(note) => f.write_str(note),
        }
    }
}

/// A callback for progress reports.
pub(crate) type Report<'a> = &'a mut dyn FnMut(Progress);
