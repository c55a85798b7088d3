#![doc = include_str!("../README.md")]

pub mod arrow;
mod batch;
mod error;
mod labels;
mod note;
mod read;
mod rows;
mod tokens;
mod vectors;

pub use batch::packed::PackedBatch;

/// The tokens of a batch, from `finetune-batch`.
pub use finetune_batch::{Offsets, PackedTokens};

/// What the labels of a data set mean, from `finetune-task`.
pub use finetune_task::{Labels, ProblemType, Task};

pub use batch::permutation::Permutation;
pub use batch::sampler::{BatchSize, Batches, PaddingReport, Sampler, SamplerOptions};
pub use error::{Error, Place, Result};
pub use labels::cells::{IntegerLists, LabelCells};
pub use labels::decoder::LabelDecoder;
pub use labels::inference::infer_task;
pub use labels::inferred::Inferred;
pub use labels::name_matching::{
    MatchRule, NameList, NameMatch, are_numbers, match_names, mismatch, name_numbers,
};
pub use labels::name_notes::{NameNotes, NamesOf};
pub use labels::skip_invalid::Skipped;
pub use note::Note;
pub use read::csv_options::{
    CsvComment, CsvDelimiter, CsvEncoding, CsvEscape, CsvOptions, CsvQuoting,
};
pub use read::options::{CsvHeader, ReadOptions, Stop, TextRows};
#[cfg(feature = "parquet")]
pub use read::parquet_sink::{ParquetSink, ParquetStream, write_parquet};
pub use read::regular_file::regular_file;
pub use read::typed::{labels_argument, shell_word};
pub use read::{JSON_TEXT, is_text_file};
pub use rows::columns::Columns;
pub use rows::dataset::Dataset;
pub use rows::discover::{default_split, find_split, is_data_file};
pub use rows::split::{RowBatch, Split};
pub use rows::split_expr::splits_in;
pub use rows::texts::{RowsWithTexts, TextRow, text_lines};
pub use tokens::caught::panic_is_caught;
pub use tokens::extension::{ExtendedTokenizer, NewToken};
pub use tokens::masking_vocabulary::MaskingVocabulary;
pub use tokens::text_encoder::{Encoded, EncodedPlaces, TextEncoder, TokenPlace};
pub use tokens::tokenized::{
    BuildReport, CacheSource, LengthSummary, TokenizeOptions, TokenizedDataset,
};
pub use tokens::tokenizer::TextTokenizer;
pub use tokens::tokenizer_directory::{has_tokenizer, model_max_length};
pub use tokens::training::{
    Coverage, Example, SPECIAL_TOKENS, TokenizerKind, TokenizerTraining, TrainedTokenizer,
};
pub use tokens::truncation::{TruncationSide, TruncationStrategy};
pub use vectors::WordVectors;
