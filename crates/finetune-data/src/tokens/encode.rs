//! Tokenizes rows on all cores and returns them in order.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, mpsc};

use crate::rows::column::TextArray;
use crate::tokens::text_encoder::{Encoded, TextEncoder};
use crate::{Columns, Error, LabelDecoder, Result, RowBatch, Split};
use finetune_task::Labels;

/// Number of rows that one task encodes: small enough that a thousand rows keep many cores busy.
const TASK_ROWS: usize = 128;

/// A record batch with its texts and labels extracted, shared by the tasks that encode parts of it.
struct Prepared {
    rows: RowBatch,
    first: TextArray,
    second: Option<TextArray>,
    labels: Labels,
}

/// What becomes of a row's texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One row of tokens, cut at the maximum length.
    Row,
    /// Windows of each text by itself, as many as it fills.
    Windows,
}

/// Consecutive rows of a record batch, encoded.
pub(crate) struct EncodedRows {
    prepared: Arc<Prepared>,
    rows: Range<usize>,
    /// Each with the index of its row in the record batch.
    encoded: Vec<(usize, Encoded)>,
}

impl EncodedRows {
    /// Iterates over what the rows became, with their indices in the record batch, which
    /// [`source`](Self::source) and [`labels`](Self::labels) take.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Encoded)> {
        self.encoded
            .iter()
            .map(|(index, encoded)| (*index, encoded))
    }

    /// Returns the number of rows that were encoded.
    pub(crate) fn rows(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Returns the file and the row within it.
    pub(crate) fn source(&self, index: usize) -> (u32, u64) {
        self.prepared.rows.source(index)
    }

    /// Returns the labels of the whole record batch.
    pub(crate) fn labels(&self) -> &Labels {
        &self.prepared.labels
    }
}

/// Encodes all rows on rayon's threads, with a bounded number of tasks in flight, and passes them
/// to `write` in order.
pub(crate) fn encode_all(
    split: &Split,
    columns: &Columns,
    decoder: Option<&LabelDecoder>,
    encoder: &TextEncoder,
    form: Form,
    mut write: impl FnMut(EncodedRows) -> Result<()>,
) -> Result<()> {
    let mut names = columns.texts();
    let labels = decoder.map_or(&[][..], LabelDecoder::columns);
    names.extend(labels.iter().map(String::as_str));
    let mut tasks = split.read(&names)?.flat_map(|rows| {
        let prepared = rows.and_then(|rows| Prepared::new(rows, columns, decoder));
        let (prepared, error) = match prepared {
            Ok(prepared) => (Some(Arc::new(prepared)), None),
            Err(error) => (None, Some(Err(error))),
        };
        let parts = prepared.into_iter().flat_map(|prepared| {
            let rows = prepared.rows.batch.num_rows();
            (0..rows)
                .step_by(TASK_ROWS)
                .map(move |start| Ok((Arc::clone(&prepared), start..rows.min(start + TASK_ROWS))))
        });
        parts.chain(error)
    });
    // A caller that is itself a rayon worker would wait for tasks that wait for it.
    if rayon::current_thread_index().is_some() {
        return tasks.try_for_each(|task| {
            let (prepared, range) = task?;
            write(prepared.encode(range, columns, encoder, form)?)
        });
    }
    let window = 4 * rayon::current_num_threads();
    rayon::in_place_scope(|scope| {
        let mut in_flight: VecDeque<mpsc::Receiver<Result<EncodedRows>>> = VecDeque::new();
        loop {
            while in_flight.len() < window {
                let Some(task) = tasks.next() else { break };
                let (send, receive) = mpsc::sync_channel(1);
                match task {
                    Err(error) => drop(send.send(Err(error))),
                    Ok((prepared, range)) => scope.spawn(move |_| {
                        // After an error nobody is listening, and the result is not needed.
                        let _ = send.send(prepared.encode(range, columns, encoder, form));
                    }),
                }
                in_flight.push_back(receive);
            }
            let Some(next) = in_flight.pop_front() else {
                return Ok(());
            };
            let rows = next.recv().map_err(|_| Error::Tokenize {
                place: split.name().to_owned(),
                message: "a worker thread stopped".to_owned(),
            })?;
            write(rows?)?;
        }
    })
}

impl Prepared {
    fn new(rows: RowBatch, columns: &Columns, decoder: Option<&LabelDecoder>) -> Result<Self> {
        let text = |index: usize| {
            let place = |row| rows.at(row);
            TextArray::new(rows.batch.column(index), &columns.text[index], place)
        };
        let first = text(0)?;
        let second = match columns.is_pair() {
            true => Some(text(1)?),
            false => None,
        };
        let labels = match decoder {
            Some(decoder) => decoder.decode(&rows)?,
            None => Labels::None,
        };
        Ok(Self {
            rows,
            first,
            second,
            labels,
        })
    }

    fn encode(
        self: Arc<Self>,
        range: Range<usize>,
        columns: &Columns,
        encoder: &TextEncoder,
        form: Form,
    ) -> Result<EncodedRows> {
        let mut encoded = Vec::with_capacity(range.len());
        for index in range.clone() {
            let of_row = self.encode_row(index, columns, encoder, form)?;
            encoded.extend(of_row.into_iter().map(|encoded| (index, encoded)));
        }
        Ok(EncodedRows {
            encoded,
            rows: range,
            prepared: self,
        })
    }

    fn encode_row(
        &self,
        index: usize,
        columns: &Columns,
        encoder: &TextEncoder,
        form: Form,
    ) -> Result<Vec<Encoded>> {
        let null = |column: usize| Error::NullText {
            place: self.rows.at(index),
            column: columns.text[column].clone(),
        };
        let first = self.first.get(index).ok_or_else(|| null(0))?;
        let second = match &self.second {
            Some(texts) => Some(texts.get(index).ok_or_else(|| null(1))?),
            None => None,
        };
        let encoded = match form {
            Form::Row => encoder.encode(first, second).map(|row| vec![row]),
            Form::Windows => [Some(first), second]
                .into_iter()
                .flatten()
                .map(|text| encoder.windows(text))
                .collect::<Result<Vec<_>>>()
                .map(|windows| windows.into_iter().flatten().collect()),
        };
        encoded.map_err(|error| match error {
            Error::Tokenize { message, .. } => Error::Tokenize {
                place: self.rows.at(index).to_string(),
                message,
            },
            other => other,
        })
    }
}
