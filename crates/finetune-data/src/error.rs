//! The error type of this crate, and the place of a row in a file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use finetune_files::{ErrorKind, FileError};

/// The result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The place of a row: its file, its number in the file, and its line in text formats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// Row in this file, counted from 0 as in `datasets` (`dataset[row]`).
    pub row: u64,
    /// Line in the file, counted from 1, where the format has lines (CSV, JSON lines, text).
    pub line: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, row {}", self.file.display(), self.row)?;
        match self.line {
            Some(line) => write!(f, " (line {line})"),
            None => Ok(()),
        }
    }
}

/// Everything that can go wrong between a file and a batch. Rows count from 0, lines from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No file, directory or match at this path.
    #[error("{}: no such file or directory{hint}", path.display())]
    NotFound {
        /// The path asked for.
        path: PathBuf,
        /// Neighbours with a similar name, or empty.
        hint: String,
    },
    /// The operating system refused.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried, as a verb.
        action: &'static str,
        /// The reason.
        source: std::io::Error,
    },
    /// A directory without a file in a known format.
    #[error(
        "{}: no data file here; expected {expected}, named train, validation or test",
        path.display()
    )]
    NoDataFiles {
        /// The directory or glob.
        path: PathBuf,
        /// The known extensions.
        expected: String,
    },
    /// A directory without data files, several of whose folders have some.
    #[error("{}: several of its folders hold data ({folders}); name one", path.display())]
    SeveralFolders {
        /// The directory.
        path: PathBuf,
        /// The folders, shortened.
        folders: String,
    },
    /// A glob that cannot be parsed.
    #[error("the pattern {pattern:?} is not a valid glob: {message}")]
    Glob {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        message: String,
    },
    /// An extension that no reader claims.
    #[error("{}: unknown format; expected one of {expected}", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// The known extensions.
        expected: String,
    },
    /// A format that this build left out.
    #[error("{}: this build cannot read {format} files; enable the Cargo feature `{feature}` of finetune-data", path.display())]
    FormatDisabled {
        /// The file.
        path: PathBuf,
        /// Name of the format.
        format: &'static str,
        /// The Cargo feature.
        feature: &'static str,
    },
    /// Two files claim the same split and are not shards of one another.
    #[error(
        "several files could be the split `{split}`: {files}; keep one, or name the file or a glob of shards"
    )]
    AmbiguousSplit {
        /// The split.
        split: String,
        /// The files.
        files: String,
    },
    /// A file of zero bytes.
    #[error("{}: the file is empty", path.display())]
    EmptyFile {
        /// The file.
        path: PathBuf,
    },
    /// A file that is damaged or not in the format its name says.
    #[error("{}: not a readable {format} file: {message}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Name of the format.
        format: &'static str,
        /// The reader's complaint, with a hint where there is one.
        message: String,
    },
    /// A line of a text format that cannot be read.
    #[error("{}, line {line}: {message}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// What was expected and what was found.
        message: String,
    },
    /// A record of a text format that cannot be read.
    #[error("{place}: {message}")]
    Record {
        /// Where.
        place: Place,
        /// What was expected and what was found.
        message: String,
    },
    /// A CSV field whose quote is never closed.
    #[error(
        "{}, line {line}: the quote that opens here is never closed; if a quote is a character like others in this file, say --csv-quoting none",
        path.display()
    )]
    OpenQuote {
        /// The file.
        path: PathBuf,
        /// Line of the quote, counted from 1.
        line: u64,
    },
    /// A CSV field with something behind its closing quote.
    #[error(
        "{}, line {line}: broken quote: the quoted field that opens on line {opened} closes at column {column} and is followed by {after:?} instead of a delimiter; {}",
        path.display(),
        match backslash {
            true => "if a backslash stands before quotes inside quotes, say --csv-escape backslash",
            false => "write a quote inside a quoted field twice (\"\"), or, if a quote is a character like others in this file, say --csv-quoting none",
        }
    )]
    BrokenQuote {
        /// The file.
        path: PathBuf,
        /// Line where the field closes, counted from 1.
        line: u64,
        /// Line where it opens.
        opened: u64,
        /// Column of the closing quote, counted from 1.
        column: usize,
        /// What follows it.
        after: String,
        /// Whether a backslash stands before it.
        backslash: bool,
    },
    /// Something that can be named but not read: a pipe, a device, a socket, a directory.
    #[error("{}: this is {kind}, not a file; {advice}", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// What it is, with its article.
        kind: &'static str,
        /// What to do instead.
        advice: &'static str,
    },
    /// Bytes that are not what the file is encoded in.
    #[error(
        "{place}: {what} is not valid {encoding}; convert the file to UTF-8{}",
        named_encoding(place)
    )]
    Utf8 {
        /// Where.
        place: Place,
        /// The column, or the part of the file.
        what: String,
        /// The encoding that was expected.
        encoding: &'static str,
    },
    /// Shards of one split with different columns.
    #[error(
        "{} has the columns {found}, but {} has {expected}; files of one split need the same columns",
        path.display(),
        first.display()
    )]
    SchemaMismatch {
        /// The file that differs.
        path: PathBuf,
        /// The file it was compared with.
        first: PathBuf,
        /// Columns of the first file.
        expected: String,
        /// Columns of the file that differs.
        found: String,
    },
    /// A split expression that cannot be parsed.
    #[error(
        "split expression {expression:?}: {message}; examples: train, train[:1%], train[100:200], train[-10%:], train[:10%]+test"
    )]
    SplitSyntax {
        /// The expression.
        expression: String,
        /// What is wrong.
        message: String,
    },
    /// A split that the data set does not have.
    #[error("there is no split `{name}`; the splits here are {available}")]
    UnknownSplit {
        /// The name asked for.
        name: String,
        /// The splits that exist.
        available: String,
    },
    /// A split expression without a single row.
    #[error("the split {expression:?} selects nothing: {detail}")]
    EmptySplit {
        /// The expression.
        expression: String,
        /// Row counts.
        detail: String,
    },
    /// A column named by flag that does not exist.
    #[error("there is no column `{column}`; the columns are {available}")]
    UnknownColumn {
        /// The name asked for.
        column: String,
        /// Columns with their types.
        available: String,
    },
    /// No convention names the text column.
    #[error(
        "cannot tell which column holds the text (expected {expected}); name it with --text-column; the columns are {available}"
    )]
    NoTextColumn {
        /// The conventional names.
        expected: String,
        /// Columns with their types.
        available: String,
    },
    /// No convention names the label column.
    #[error(
        "cannot tell which column holds the label (expected {expected}); name it with --label-column; the columns are {available}"
    )]
    NoLabelColumn {
        /// The conventional names.
        expected: String,
        /// Columns with their types.
        available: String,
    },
    /// Several columns fit the convention equally well.
    #[error("{candidates} could all be the {role} column; name one with --{role}-column")]
    AmbiguousColumn {
        /// `text` or `label`.
        role: &'static str,
        /// The columns.
        candidates: String,
    },
    /// A column of a type that cannot serve.
    #[error("column `{column}` has type {found}, but {role} needs {expected}")]
    ColumnType {
        /// The column.
        column: String,
        /// What it is needed for.
        role: String,
        /// Types that can serve.
        expected: String,
        /// The type it has.
        found: String,
    },
    /// A wrong set of column flags.
    #[error("{message}")]
    Columns {
        /// What is wrong and what to do.
        message: String,
    },
    /// A label column with a list per row, where there should be one label.
    #[error(
        "label column `{column}` holds a list per row ({found}), but {wanted} one label per row; choose another column, or --problem-type multi_label_classification"
    )]
    UnexpectedList {
        /// The column.
        column: String,
        /// Its type.
        found: String,
        /// What needs one label per row, with its verb.
        wanted: &'static str,
    },
    /// A label without a list, where each row needs one.
    #[error(
        "{place}: label {found:?} in column `{column}` is not a list; expected a list column, or a list as text: [0, 3], [\"joy\", \"anger\"] or [0.5, 1.0]; where something separates the labels in a cell, name it: --label-separator ';'"
    )]
    NotAList {
        /// Where.
        place: Place,
        /// The column.
        column: String,
        /// The label.
        found: String,
    },
    /// Lists of numbers whose lengths differ.
    #[error(
        "{place}: the list in column `{column}` has {found} values where {expected} are expected; every row needs as many"
    )]
    ListLength {
        /// Where.
        place: Place,
        /// The column.
        column: String,
        /// Length of the list.
        found: usize,
        /// Number of outputs.
        expected: usize,
    },
    /// A class that a row names twice.
    #[error(
        "{place}: the list in column `{column}` names the class {found:?} twice; integers in a list are class indices: write a row of zeros and ones as floats (0.0, 1.0), as booleans, or as one column per class"
    )]
    RepeatedLabel {
        /// Where.
        place: Place,
        /// The column.
        column: String,
        /// The class.
        found: String,
    },
    /// A value other than 0 and 1, where a column says yes or no for a class.
    #[error(
        "{place}: label {found:?} in column `{column}` is not 0 or 1 (or true or false), by which multi-label data say which classes a row has; for numbers to predict, train with --problem-type regression"
    )]
    NotAnIndicator {
        /// Where.
        place: Place,
        /// The column.
        column: String,
        /// The value.
        found: String,
    },
    /// A null where a text is needed.
    #[error(
        "{place}: column `{column}` is null; every row needs a text (write an empty string if that is meant, or leave such rows out with --skip-invalid)"
    )]
    NullText {
        /// Where.
        place: Place,
        /// The column.
        column: String,
    },
    /// A null where a label is needed.
    #[error(
        "{place}: column `{column}` is null or blank; every row needs a label: leave such rows out with --skip-invalid"
    )]
    NullLabel {
        /// Where.
        place: Place,
        /// The column.
        column: String,
    },
    /// A label that is not in the class list.
    #[error("{place}: label {found:?} in column `{column}` is not one of the {classes}")]
    UnknownLabel {
        /// Where.
        place: Place,
        /// The column.
        column: String,
        /// The label.
        found: String,
        /// `2 classes (a, b)`, shortened, and the nearest names.
        classes: String,
    },
    /// A class index beyond the class list.
    #[error(
        "{place}: class index {found} in column `{column}` is outside 0..{count}: the column has {count} classes {classes}"
    )]
    ClassIndex {
        /// Where.
        place: Place,
        /// The column.
        column: String,
        /// The index.
        found: i64,
        /// Number of classes.
        count: usize,
        /// The classes, shortened, in parentheses; and what to do if the index is counted from 1.
        classes: String,
    },
    /// `-1`, by which `datasets` marks rows without a label.
    #[error(
        "{place}: label -1 in column `{column}` marks a row without a label (as in hidden test sets); choose a split with labels"
    )]
    Unlabelled {
        /// Where.
        place: Place,
        /// The column.
        column: String,
    },
    /// Fractional labels where classes are meant.
    #[error(
        "{place}: label {found} in column `{column}` is a floating-point number, but classes are meant; use integer or string labels, or train for numbers with --problem-type regression"
    )]
    FloatLabel {
        /// Where.
        place: Place,
        /// The column.
        column: String,
        /// The label.
        found: String,
    },
    /// A label that is not a finite number, for regression.
    #[error(
        "{place}: label {found:?} in column `{column}` is not a finite number, which regression needs; {}, or, if labels are classes, train with --problem-type classification",
        way_to_a_number(found)
    )]
    NotANumber {
        /// Where.
        place: Place,
        /// The column.
        column: String,
        /// The label.
        found: String,
    },
    /// A text or NaN that stands for no value, among numbers.
    #[error(
        "{place}: label {found:?} in column `{column}` is no number, but other labels are; leave such rows out with --skip-invalid, or, if each text is a class, say --problem-type classification"
    )]
    MissingNumber {
        /// Where.
        place: Place,
        /// The column.
        column: String,
        /// The label.
        found: String,
    },
    /// A list of zeros and ones with no or several ones, where a row has one class.
    #[error(
        "{place}: the list {found} in column `{column}` does not have a single 1 among zeros, as a row of one class has; for any number of classes a row choose --problem-type multi_label"
    )]
    NotOneHot {
        /// Where.
        place: Place,
        /// The column.
        column: String,
        /// The list.
        found: String,
    },
    /// `-1` beside the integers `0` to `n-1`.
    #[error(
        "{place}: label -1 in column `{column}`: if it is a class like the others, list them: --labels {found}; if it marks rows without a label, take these rows out of the file"
    )]
    MinusOne {
        /// Where.
        place: Place,
        /// The column.
        column: String,
        /// The integers, comma-separated.
        found: String,
    },
    /// Integer labels that are not `0, 1, .., n-1` and have no names.
    #[error(
        "the labels in column `{column}` are the integers {found}, which are not 0 to n-1; if each is a class, list them: --labels {found}; for numbers to predict choose --problem-type regression"
    )]
    IntegerLabels {
        /// The column.
        column: String,
        /// The integers, comma-separated.
        found: String,
    },
    /// Too few or too many classes, or a class named twice.
    #[error("{message}")]
    Classes {
        /// What is wrong and what to do.
        message: String,
    },
    /// A stratified split that cannot be made.
    #[error("{message}")]
    Stratify {
        /// What is wrong and what to do.
        message: String,
    },
    /// tokenizer.json cannot be read.
    #[error("{origin}: not a usable tokenizer.json: {message}")]
    Tokenizer {
        /// The file, or `tokenizer` when it came from memory.
        origin: String,
        /// The reader's complaint.
        message: String,
    },
    /// Other files of a tokenizer that cannot be used, or that are not there.
    #[error("{}: {message}", path.display())]
    TokenizerFiles {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },
    /// A text that the tokenizer refuses.
    #[error("{place}: the tokenizer failed: {message}")]
    Tokenize {
        /// Where.
        place: String,
        /// The tokenizer's complaint.
        message: String,
    },
    /// A maximum length that leaves no room for text.
    #[error(
        "max_length is {max_length}, which leaves no room for text: expected at least {}, {} and {added} special tokens, which the tokenizer adds",
        added + texts,
        match texts {
            1 => "one token of text".to_owned(),
            texts => format!("one token of each of {texts} texts"),
        }
    )]
    MaxLength {
        /// The length asked for.
        max_length: usize,
        /// Special tokens added to every row.
        added: usize,
        /// Texts per row.
        texts: usize,
    },
    /// A vocabulary that cannot be trained or extended.
    #[error("{message}")]
    Vocabulary {
        /// What is wrong and what to do.
        message: String,
    },
    /// A file of word vectors that cannot be used.
    #[error("{}: {message}", path.display())]
    WordVectors {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        message: String,
    },
    /// Neither the cache directory nor the one for temporary files can be written.
    #[error(
        "there is no place for the tokens: {cache}; nor {temporary}; set TMPDIR to a directory with room"
    )]
    NoPlaceForTokens {
        /// What happened in the cache directory.
        cache: String,
        /// What happened in the directory for temporary files.
        temporary: String,
        /// The same, as an error.
        source: Box<Error>,
    },
    /// The token cache could not be read back.
    #[error("{}: the token cache is damaged: {message}; delete it and run again", path.display())]
    Cache {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        message: String,
    },
    /// Fewer or more rows than the first look at the files promised.
    #[error(
        "`{name}` gave {found} rows where {expected} were expected; did a file change meanwhile?"
    )]
    RowCount {
        /// The split.
        name: String,
        /// Rows expected.
        expected: u64,
        /// Rows read.
        found: u64,
    },
    /// A row number outside the tokenized data set.
    #[error("row {row} was asked for, but there are {len} rows")]
    RowOutOfRange {
        /// The row asked for.
        row: u64,
        /// Number of rows.
        len: u64,
    },
    /// Nothing was given to tokenize.
    #[error("there are no texts to tokenize")]
    NoTexts,
    /// Of labelled rows and rows without labels, one has pairs of texts and the other single ones.
    #[error(
        "the labelled rows have the text columns {}, and the unlabelled ones {}; both have to be single texts, or both pairs",
        labelled.join(" and "), unlabelled.join(" and ")
    )]
    PairsAndTexts {
        /// Text columns of the labelled rows.
        labelled: Vec<String>,
        /// Text columns of the others.
        unlabelled: Vec<String>,
    },
    /// The texts of windows were asked for.
    #[error("windows of texts are not rows, so their texts cannot be read again")]
    WindowTexts,
    /// A tokenizer for masked language modelling has no mask token.
    #[error(
        "the tokenizer has no mask token, which masked language modelling needs: its files name no mask_token, and neither [MASK] nor <mask> is in its vocabulary"
    )]
    NoMaskToken,
    /// A vocabulary has nothing that could be masked.
    #[error("the tokenizer has special tokens only, so there is nothing to mask or to learn")]
    OnlySpecialTokens,
    /// A batch too large for 32-bit offsets.
    #[error("a batch of {tokens} tokens is too large; use a smaller batch")]
    BatchTooLarge {
        /// Tokens in the batch.
        tokens: u64,
    },
    /// A sampler option without meaning.
    #[error("{message}")]
    Sampler {
        /// What is wrong and what to do.
        message: String,
    },
    /// The progress callback asked to stop.
    #[error("stopped on request; nothing was kept")]
    Stopped,
    /// A record batch that Arrow refuses.
    #[error("{context}: {message}")]
    Arrow {
        /// What was being done.
        context: String,
        /// Arrow's complaint.
        message: String,
    },
}

/// Returns how to name the encoding of a file. JSON and the binary formats have only one.
fn named_encoding(place: &Place) -> &'static str {
    match crate::read::Format::of(&place.file) {
        Some(crate::read::Format::Csv | crate::read::Format::Tsv | crate::read::Format::Text) => {
            ", or name its encoding, such as --csv-encoding windows-1252"
        }
        _ => "",
    }
}

impl Error {
    /// Classifies the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { source, .. } => ErrorKind::of(source),
            Self::NoPlaceForTokens { source, .. } => source.kind(),
            Self::Stopped => ErrorKind::Interrupted,
            Self::RowOutOfRange { .. } | Self::NoTexts | Self::WindowTexts | Self::Arrow { .. } => {
                ErrorKind::Bug
            }
            Self::NoMaskToken
            | Self::PairsAndTexts { .. }
            | Self::OnlySpecialTokens
            | Self::Cache { .. }
            | Self::NotFound { .. }
            | Self::NoDataFiles { .. }
            | Self::SeveralFolders { .. }
            | Self::Glob { .. }
            | Self::UnknownFormat { .. }
            | Self::FormatDisabled { .. }
            | Self::AmbiguousSplit { .. }
            | Self::EmptyFile { .. }
            | Self::Corrupt { .. }
            | Self::Line { .. }
            | Self::Record { .. }
            | Self::OpenQuote { .. }
            | Self::BrokenQuote { .. }
            | Self::NotAFile { .. }
            | Self::Utf8 { .. }
            | Self::SchemaMismatch { .. }
            | Self::SplitSyntax { .. }
            | Self::UnknownSplit { .. }
            | Self::EmptySplit { .. }
            | Self::UnknownColumn { .. }
            | Self::NoTextColumn { .. }
            | Self::NoLabelColumn { .. }
            | Self::AmbiguousColumn { .. }
            | Self::ColumnType { .. }
            | Self::Columns { .. }
            | Self::UnexpectedList { .. }
            | Self::NotAList { .. }
            | Self::ListLength { .. }
            | Self::RepeatedLabel { .. }
            | Self::NotAnIndicator { .. }
            | Self::NullText { .. }
            | Self::NullLabel { .. }
            | Self::UnknownLabel { .. }
            | Self::ClassIndex { .. }
            | Self::Unlabelled { .. }
            | Self::FloatLabel { .. }
            | Self::NotANumber { .. }
            | Self::MissingNumber { .. }
            | Self::NotOneHot { .. }
            | Self::MinusOne { .. }
            | Self::IntegerLabels { .. }
            | Self::Classes { .. }
            | Self::Stratify { .. }
            | Self::Tokenizer { .. }
            | Self::TokenizerFiles { .. }
            | Self::Tokenize { .. }
            | Self::MaxLength { .. }
            | Self::Vocabulary { .. }
            | Self::WordVectors { .. }
            | Self::RowCount { .. }
            | Self::BatchTooLarge { .. }
            | Self::Sampler { .. } => ErrorKind::Input,
        }
    }

    /// Returns the system's error behind what a library for a format reports, if there is one: the fault
    /// is then the disk's and not the file's.
    pub(crate) fn system(
        path: &Path,
        action: &'static str,
        error: &(dyn std::error::Error + 'static),
    ) -> Option<Self> {
        let chain = std::iter::successors(Some(error), |error| error.source());
        let mut found = chain.filter_map(|error| error.downcast_ref::<std::io::Error>());
        let number = found.find_map(std::io::Error::raw_os_error)?;
        let source = std::io::Error::from_raw_os_error(number);
        Some(Self::io(path, action, source))
    }

    pub(crate) fn io(path: &Path, action: &'static str, source: std::io::Error) -> Self {
        Error::Io {
            path: path.to_path_buf(),
            action,
            source,
        }
    }
}

impl From<FileError> for Error {
    fn from(error: FileError) -> Self {
        Self::io(&error.path, error.action, error.source)
    }
}

/// Returns what to do about a text where a number is needed.
fn way_to_a_number(found: &str) -> &'static str {
    match crate::labels::facts::marks_missing_value(found) {
        true => "leave such rows out with --skip-invalid",
        false if found.contains(',') => "write it without a comma, as 1.5 or 1000",
        false => "write a number in its place, or nothing and add --skip-invalid",
    }
}

/// Formats at most `limit` names as `a, b, c, …` for messages.
pub(crate) fn listed<T: AsRef<str>>(names: &[T], limit: usize) -> String {
    let mut out = names
        .iter()
        .take(limit)
        .map(AsRef::as_ref)
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > limit {
        out.push_str(&format!(", … {} more", names.len() - limit));
    }
    out
}

/// Returns `; did you mean a or b?` with the names nearest to `wanted`, or nothing if none is near.
pub(crate) fn nearest<T: AsRef<str>>(wanted: &str, names: &[T]) -> String {
    let mut near: Vec<(f64, &str)> = names
        .iter()
        .map(|name| (strsim::jaro_winkler(wanted, name.as_ref()), name.as_ref()))
        .filter(|(similarity, _)| *similarity > 0.75)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    let names: Vec<_> = near.into_iter().take(3).map(|(_, name)| name).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", names.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn of(kind: io::ErrorKind) -> Error {
        Error::io(Path::new("a"), "read", kind.into())
    }

    #[test]
    fn a_missing_file_is_input_and_a_full_disk_is_not() {
        assert_eq!(of(io::ErrorKind::NotFound).kind(), ErrorKind::Input);
        let full = of(io::ErrorKind::StorageFull);
        assert_eq!(full.kind(), ErrorKind::Environment);
        let nowhere = Error::NoPlaceForTokens {
            cache: String::new(),
            temporary: String::new(),
            source: Box::new(full),
        };
        assert_eq!(nowhere.kind(), ErrorKind::Environment);
        assert_eq!(Error::Stopped.kind(), ErrorKind::Interrupted);
        let damaged = Error::Cache {
            path: "a".into(),
            message: String::new(),
        };
        assert_eq!(damaged.kind(), ErrorKind::Input);
    }

    /// An error reported by a library for a format is damage, unless the system's error is behind it.
    #[cfg(unix)]
    #[test]
    fn the_systems_error_is_found_in_a_librarys() {
        #[derive(Debug, thiserror::Error)]
        #[error("of a library")]
        struct Library(#[source] io::Error);

        let path = Path::new("a");
        // EIO
        let disk = Library(io::Error::from_raw_os_error(5));
        let found = Error::system(path, "read", &disk).unwrap();
        assert_eq!(found.kind(), ErrorKind::Environment);
        let content = Library(io::Error::other("a wrong byte"));
        assert!(Error::system(path, "read", &content).is_none());
    }
}
