//! Arrow as this crate's types name it, under the paths of the `arrow` crate.
//!
//! These are the parts of that crate which are needed here. All of it would compile Arrow's arithmetic,
//! row and string kernels too, which nothing calls.

/// Arrays, their builders, and record batches.
pub mod array {
    pub use arrow_array::{builder::*, cast::*, *};
}

/// Buffers of arrays.
pub use arrow_buffer as buffer;

/// Operations on arrays.
pub mod compute {
    pub use arrow_cast::cast::{CastOptions, cast, cast_with_options};
    pub use arrow_select::{filter::filter_record_batch, take::take_record_batch};
}

/// Types of columns, and schemas.
pub mod datatypes {
    pub use arrow_array::types::*;
    pub use arrow_schema::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit};
}

/// Errors of Arrow.
pub mod error {
    pub use arrow_schema::ArrowError;
}

/// Arrow's own files and streams.
#[cfg(feature = "ipc")]
pub use arrow_ipc as ipc;

/// Formatting of values.
pub mod util {
    pub use arrow_cast::display;
}
