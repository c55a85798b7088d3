//! Word vectors from files in GloVe's text format.

mod line;
mod source;
mod vocabulary;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use self::line::Line;
use self::source::{Source, with_source};
use self::vocabulary::Vocabulary;
use crate::{Error, Note, Result, TextTokenizer};

/// Vectors for the tokens of a vocabulary that are words.
#[derive(Clone, Debug, PartialEq)]
pub struct WordVectors {
    /// The vectors by token id, all of the width that was asked for.
    pub by_token: BTreeMap<u32, Vec<f32>>,
    /// Number of tokens that are words: neither special tokens nor pieces within words.
    pub words: usize,
    /// Number of words that were found only in lower case.
    pub lowercased: usize,
    /// Number of vectors in the file.
    pub in_file: u64,
    /// What the user should know.
    pub notes: Vec<Note>,
}

impl WordVectors {
    /// Reads the vectors of a tokenizer's words from a file with a word and `width` numbers per line,
    /// as GloVe and fastText publish them: plain, in gzip or in a zip archive, of which the file with
    /// vectors of this width is read. word2vec's header line is accepted. A word that the file does not
    /// have gets the vector of its lower-case form, if that is there. Only the vectors of the
    /// vocabulary are kept in memory.
    ///
    /// # Errors
    /// Fails if the file cannot be read, with the line for a vector of another width, a number that is
    /// none or not finite, and a word that occurs twice; and if no word of the vocabulary is in it.
    pub fn read(path: &Path, tokenizer: &TextTokenizer, width: usize) -> Result<Self> {
        let vocabulary = Vocabulary::of(tokenizer);
        with_source(path, width, |source| {
            Self::collect(source, &vocabulary, width)
        })
    }

    fn collect(mut source: Source<'_>, vocabulary: &Vocabulary, width: usize) -> Result<Self> {
        let mut found: HashMap<String, (Vec<f32>, u64)> = HashMap::new();
        let mut numbers = Vec::with_capacity(width);
        let mut in_file = 0;
        while let Some(line) = source.next_line()? {
            let path = line.path;
            let Line { word, number } = line.parse(width, &mut numbers)?;
            in_file += 1;
            let Some(word) = word.filter(|word| vocabulary.wants(word)) else {
                continue;
            };
            if let Some((_, before)) = found.get(word) {
                return Err(Error::Line {
                    path: path.to_path_buf(),
                    line: number,
                    message: format!(
                        "the word {word:?} has a vector on line {before} already; remove one of them"
                    ),
                });
            }
            found.insert(word.to_owned(), (numbers.clone(), number));
        }
        source.check_count(in_file)?;
        let mut vectors = Self {
            by_token: BTreeMap::new(),
            words: vocabulary.len(),
            lowercased: 0,
            in_file,
            notes: source.notes,
        };
        for (id, word) in vocabulary.words() {
            let own = found.get(word);
            let vector = own.or_else(|| found.get(&word.to_lowercase()));
            if let Some((vector, _)) = vector {
                vectors.lowercased += usize::from(own.is_none());
                vectors.by_token.insert(id, vector.clone());
            }
        }
        match vectors.by_token.is_empty() {
            true => Err(Error::WordVectors {
                path: source.path,
                message: format!(
                    "none of its {in_file} words is among the {} words of the vocabulary; is it for another language, or for texts in lower case?",
                    vectors.words
                ),
            }),
            false => Ok(vectors),
        }
    }
}
