#![doc = include_str!("../README.md")]

mod batch;
mod caught;
mod cell;
mod class_counts;
mod class_folders;
mod class_index;
mod column;
mod columns;
mod csv_options;
mod dataset;
mod discover;
mod encode;
mod error;
#[cfg(feature = "parquet")]
mod hf_features;
mod hf_metadata;
mod hidden_labels;
mod inferred;
mod label_array;
mod label_cells;
mod label_columns;
mod label_decoder;
mod label_facts;
mod label_inference;
mod label_lists;
mod label_names;
mod label_union;
mod label_values;
mod name_matching;
mod name_notes;
mod note;
mod overlap;
#[cfg(feature = "parquet")]
mod parquet_sink;
mod permutation;
mod positioned;
mod python_list;
mod read_options;
mod regular_file;
mod row_set;
mod safe_cut;
mod sampler;
mod skip_invalid;
mod source;
mod split;
mod split_expr;
mod stratify;
mod template;
mod text_encoder;
mod texts;
mod token_cache;
mod tokenized;
mod tokenizer;
mod tokenizer_directory;
mod truncation;
mod typed;
mod value;

/// The Arrow version of this crate's record batches.
pub use arrow;

pub use batch::PackedBatch;

/// Of `finetune-task`: what the labels of a data set mean.
pub use finetune_task::{Labels, ProblemType, Task};

pub use caught::panic_is_caught;
pub use columns::Columns;
pub use csv_options::{CsvComment, CsvDelimiter, CsvEncoding, CsvEscape, CsvOptions, CsvQuoting};
pub use dataset::Dataset;
pub use discover::{default_split, find_split};
pub use error::{Error, Place, Result};
pub use inferred::Inferred;
pub use label_cells::{IntegerLists, LabelCells};
pub use label_decoder::LabelDecoder;
pub use label_inference::infer_task;
pub use name_matching::{
    MatchRule, NameList, NameMatch, are_numbers, match_names, mismatch, name_numbers,
};
pub use name_notes::{NameNotes, NamesOf};
pub use note::Note;
#[cfg(feature = "parquet")]
pub use parquet_sink::{ParquetSink, ParquetStream, write_parquet};
pub use permutation::Permutation;
pub use read_options::{ReadOptions, Stop};
pub use regular_file::regular_file;
pub use sampler::{BatchSize, Batches, PaddingReport, Sampler, SamplerOptions};
pub use skip_invalid::Skipped;
pub use source::JSON_TEXT;
pub use split::{RowBatch, Split};
pub use split_expr::splits_in;
pub use text_encoder::{Encoded, TextEncoder};
pub use texts::{RowsWithTexts, TextRow, text_lines};
pub use tokenized::{BuildReport, CacheSource, LengthSummary, TokenizeOptions, TokenizedDataset};
pub use tokenizer::TextTokenizer;
pub use tokenizer_directory::{has_tokenizer, model_max_length};
pub use truncation::{TruncationSide, TruncationStrategy};
pub use typed::{labels_argument, shell_word};
