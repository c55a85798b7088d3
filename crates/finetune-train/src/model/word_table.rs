//! Fills a model's word table with word vectors from a file.

use std::path::Path;

use burn::{
    Tensor,
    tensor::{Device, TensorData},
};
use finetune_data::{TextTokenizer, WordVectors};
use finetune_files::IoContext;
use finetune_infer::load_tokenizer;
use finetune_kernels::{Stream, random};
use finetune_models::{
    Described, LoadReport, ModelConfig, Parameter, ParameterId, ParameterMap, Role, map_parameters,
    parameters,
};

use crate::{BaseModel, FileFacts, ModelPlan, TrainError, TrainPlan};

/// Replaces the word table of a model by the vectors that the plan names, if it names any. A row without a
/// vector is drawn from normal distributions with the mean and the standard deviation that the vectors have
/// in each dimension, as a function of the seed and the row. The notes say how much of the vocabulary is
/// covered; a table without weights in the files is no longer reported as fresh.
///
/// # Errors
/// Fails if the file cannot be read or is not the plan's, or if its vectors do not fit the model.
pub(crate) fn with_word_vectors<M: Described>(
    model: M,
    plan: &TrainPlan,
    base: &BaseModel,
    device: &Device,
    report: &mut LoadReport,
    notes: &mut Vec<String>,
) -> Result<M, TrainError> {
    let Some(path) = plan.model.vectors.as_deref().map(Path::new) else {
        return Ok(model);
    };
    check_unchanged(path, &plan.model.vectors_sha256)?;
    let tokenizer = load_tokenizer(&base.directory, &base.config)?;
    let mut fill = Fill {
        path,
        tokenizer: &tokenizer,
        seed: plan.seed,
        device,
        result: Ok(Vec::new()),
    };
    let model = map_parameters(model, &mut fill);
    notes.extend(fill.result?);
    let table = table_of(&base.config).map(|table| table.name);
    report.fresh.retain(|name| Some(name) != table.as_ref());
    Ok(model)
}

/// Says what a frozen word table is, if the plan has one.
pub(crate) fn frozen_note(plan: &ModelPlan, config: &ModelConfig) -> Option<String> {
    let table = table_of(config).filter(|_| plan.freeze_embeddings)?;
    Some(format!(
        "the word table stays as it is ({}, {} parameters); positions, token types and the norm of the embeddings are not part of it",
        table.name,
        table.num_elements()
    ))
}

fn table_of(config: &ModelConfig) -> Option<Parameter> {
    let mut all = parameters(config).into_iter();
    all.find(|parameter| parameter.role == Role::WordTable)
}

/// Checks that a file still has the content that the plan was made with.
fn check_unchanged(path: &Path, sha256: &str) -> Result<(), TrainError> {
    if sha256.is_empty() {
        return Ok(());
    }
    let now = FileFacts::of(path).context("read", path)?.sha256;
    match now == sha256 {
        true => Ok(()),
        false => Err(TrainError::ChangedVectors {
            path: path.into(),
            was: sha256.into(),
            now,
        }),
    }
}

struct Fill<'a> {
    path: &'a Path,
    tokenizer: &'a TextTokenizer,
    seed: u64,
    device: &'a Device,
    /// Notes, or the error because of which the table is unchanged.
    result: Result<Vec<String>, finetune_data::Error>,
}

impl ParameterMap for Fill<'_> {
    fn wants(&mut self, id: &ParameterId) -> bool {
        id.role == Role::WordTable
    }

    fn map(&mut self, _: &ParameterId, shape: &[usize], values: Tensor<1>) -> Tensor<1> {
        let &[rows, width] = shape else {
            return values;
        };
        match WordVectors::read(self.path, self.tokenizer, width) {
            Ok(vectors) => {
                let filled = table(&vectors, rows, width, self.seed);
                self.result = Ok(describe(self.path, &vectors, rows));
                Tensor::from_data(TensorData::new(filled, [rows * width]), self.device)
            }
            Err(error) => {
                self.result = Err(error);
                values
            }
        }
    }
}

/// Returns the values of the word table, `[rows, width]`.
fn table(vectors: &WordVectors, rows: usize, width: usize, seed: u64) -> Vec<f32> {
    let spread = Spread::of(vectors, width);
    // All rows are drawn, so that those without a vector do not depend on which ones have one.
    let mut table = random::normal(seed, Stream::WORD_VECTORS, rows * width, 1.0);
    for (id, row) in (0u32..).zip(table.chunks_exact_mut(width)) {
        match vectors.by_token.get(&id) {
            Some(vector) => row.copy_from_slice(vector),
            None => {
                let spread = spread.mean.iter().zip(&spread.deviation);
                for (value, (mean, deviation)) in row.iter_mut().zip(spread) {
                    *value = (mean + deviation * f64::from(*value)) as f32;
                }
            }
        }
    }
    table
}

/// The mean and the standard deviation in each dimension.
struct Spread {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Spread {
    fn of(vectors: &WordVectors, width: usize) -> Self {
        let number = vectors.by_token.len().max(1) as f64;
        let mean_of = |of: &dyn Fn(usize, f64) -> f64| {
            let mut sums = vec![0.0; width];
            for vector in vectors.by_token.values() {
                for (index, value) in vector.iter().enumerate() {
                    sums[index] += of(index, f64::from(*value));
                }
            }
            sums.iter().map(|sum| sum / number).collect::<Vec<f64>>()
        };
        let mean = mean_of(&|_, value| value);
        let variance = mean_of(&|index, value| (value - mean[index]).powi(2));
        Self {
            deviation: variance.into_iter().map(f64::sqrt).collect(),
            mean,
        }
    }
}

/// Describes how much of the vocabulary has vectors.
fn describe(path: &Path, vectors: &WordVectors, rows: usize) -> Vec<String> {
    let found = vectors.by_token.len();
    let lowercased = match vectors.lowercased {
        0 => String::new(),
        words => format!(", {words} of them by their form in lower case"),
    };
    let notes = vectors.notes.iter().map(ToString::to_string);
    let coverage = format!(
        "{}: it has vectors for {found} of the vocabulary's {} words ({:.1} %{lowercased}); the other {} rows of the word table are drawn with the mean and the standard deviation that the vectors have in each dimension",
        path.display(),
        vectors.words,
        100.0 * found as f64 / vectors.words.max(1) as f64,
        rows.saturating_sub(found)
    );
    notes.chain([coverage]).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn vectors(by_token: BTreeMap<u32, Vec<f32>>) -> WordVectors {
        WordVectors {
            by_token,
            words: 0,
            lowercased: 0,
            in_file: 0,
            notes: Vec::new(),
        }
    }

    #[test]
    fn rows_without_a_vector_have_the_spread_of_the_others_in_each_dimension() {
        // Exact in binary, so that an even number of vectors has exactly this mean and deviation.
        let known = (0..100).map(|id| {
            let sign = if id % 2 == 0 { 1.0 } else { -1.0 };
            (id, vec![5.0 + sign, 0.125 * sign])
        });
        let known: BTreeMap<u32, Vec<f32>> = known.collect();
        let filled = table(&vectors(known.clone()), 4100, 2, 7);
        assert_eq!(filled[..4], [6.0, 0.125, 4.0, -0.125]);
        let drawn = known.len() * 2;
        for (dimension, mean, deviation) in [(0, 5.0, 1.0), (1, 0.0, 0.125)] {
            let values: Vec<f64> = filled[drawn..]
                .iter()
                .skip(dimension)
                .step_by(2)
                .map(|value| f64::from(*value))
                .collect();
            let number = values.len() as f64;
            let found = values.iter().sum::<f64>() / number;
            let squares = values.iter().map(|value| (value - found).powi(2));
            let spread = (squares.sum::<f64>() / number).sqrt();
            // Four standard errors of 4,000 values.
            assert!((found - mean).abs() < 4.0 * deviation / 63.0, "{found}");
            assert!((spread / deviation - 1.0).abs() < 4.0 / 89.0, "{spread}");
        }
        // A drawn row depends on the seed, its own number and the spread, not on which rows are drawn.
        let fewer: BTreeMap<_, _> = known.clone().into_iter().skip(2).collect();
        let with_fewer = table(&vectors(fewer), 200, 2, 7);
        assert_eq!(with_fewer[200..], filled[200..400]);
        assert_ne!(with_fewer[..4], filled[..4]);
        assert_ne!(table(&vectors(known), 200, 2, 8)[200..], filled[200..400]);
    }
}
