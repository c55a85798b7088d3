//! Cross-entropy over a vocabulary. The logits of a chunk of rows are turned into their gradients in
//! place, so that memory for no more than a chunk is needed, and each is computed once.

use rayon::prelude::*;

use super::{
    math::exp,
    multiversion::multiversion,
    norm,
    sum::{folded, sum},
};
use crate::{
    Precision,
    matmul::{self, Epilogue, Matrix, Right},
    memory::Piece,
    ops::vocabulary::rows_per_chunk,
};

/// Number of words whose rows of the table's gradient are computed by one multiplication: its left
/// operand, the transposed gradients of their logits, is packed in the cache.
const WORDS: usize = 3072;
/// Number of columns that a thread sums at a time.
const COLUMNS: usize = 1024;
/// Number of exponentials that are summed in f32.
const SUMMED: usize = 1024;

/// The operands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CrossEntropy<'a> {
    /// `[rows, width]`
    pub(crate) x: &'a [f32],
    /// `[vocab_size, width]`
    pub(crate) table: &'a [f32],
    /// `[vocab_size]`
    pub(crate) bias: &'a [f32],
    /// `[rows]`
    pub(crate) targets: &'a [u32],
    pub(crate) width: usize,
    pub(crate) precision: Precision,
}

/// Memory for the wanted gradients among those of x, table, and bias.
pub(crate) type Gradients<'a> = [Option<&'a mut [f32]>; 3];

impl CrossEntropy<'_> {
    /// Returns the summed losses of all rows.
    pub(crate) fn loss(self) -> f64 {
        self.in_chunks(self.chunk(), None)
    }

    /// Returns the summed losses of all rows, and writes the wanted gradients of their multiple by
    /// `factor`.
    pub(crate) fn loss_and_gradients(self, factor: f32, gradients: Gradients<'_>) -> f64 {
        self.in_chunks(self.chunk(), Some((factor, gradients)))
    }

    fn chunk(&self) -> usize {
        rows_per_chunk(self.targets.len(), self.bias.len())
    }

    fn in_chunks(self, chunk: usize, mut wanted: Option<(f32, Gradients<'_>)>) -> f64 {
        let (width, words) = (self.width, self.bias.len());
        if let Some((_, [_, table, bias])) = &mut wanted
            && self.targets.is_empty()
        {
            let unread = [table, bias].into_iter().flatten();
            unread.for_each(|gradient| gradient.fill(0.0));
        }
        let mut memory = Piece::new(chunk.min(self.targets.len()) * words);
        let mut loss = 0.0;
        for (index, targets) in self.targets.chunks(chunk).enumerate() {
            let x = &self.x[index * chunk * width..][..targets.len() * width];
            let x = Matrix::new(x, targets.len(), width);
            let logits = &mut memory.as_mut_slice()[..targets.len() * words];
            self.logits(x, logits);
            let factor = wanted.as_ref().map(|(factor, _)| *factor);
            let losses: Vec<f64> = logits
                .par_chunks_exact_mut(words)
                .zip(targets)
                .map(|(row, &target)| row_loss(row, target as usize, factor))
                .collect();
            // In the order of the rows.
            loss += losses.iter().sum::<f64>();
            if let Some((_, [x_gradient, table, bias])) = &mut wanted {
                let grad = Matrix::new(logits, targets.len(), words);
                if let Some(gradient) = x_gradient {
                    let own = &mut gradient[index * chunk * width..][..targets.len() * width];
                    self.x_gradient(grad, own);
                }
                if let Some(gradient) = table {
                    self.table_gradient(grad, x, gradient, index > 0);
                }
                if let Some(gradient) = bias {
                    bias_gradient(grad, gradient, index > 0);
                }
            }
        }
        loss
    }

    /// Computes `x · tableᵀ + bias` for a chunk of x.
    fn logits(&self, x: Matrix<'_>, logits: &mut [f32]) {
        let epilogue = Epilogue {
            bias: Some(self.bias),
            ..Epilogue::default()
        };
        let table = Right::Plain(self.words().transpose());
        matmul::multiply(logits, x, table, epilogue, self.precision);
    }

    /// Computes `grad · table` from the gradient of a chunk's logits.
    fn x_gradient(&self, grad: Matrix<'_>, gradient: &mut [f32]) {
        let table = Right::Plain(self.words());
        matmul::multiply(gradient, grad, table, Epilogue::default(), self.precision);
    }

    /// Computes `gradᵀ · x` from the gradient of a chunk's logits.
    fn table_gradient(
        &self,
        grad: Matrix<'_>,
        x: Matrix<'_>,
        gradient: &mut [f32],
        accumulate: bool,
    ) {
        let parts = gradient.chunks_mut(WORDS * self.width);
        for (index, part) in parts.enumerate() {
            let (first, words) = (index * WORDS, part.len() / self.width);
            let grad = Matrix::strided(&grad.data[first..], grad.rows, words, grad.cols);
            let epilogue = Epilogue {
                accumulate,
                // Unless there are more chunks, it is not read before the backward pass is complete.
                streamed: true,
                ..Epilogue::default()
            };
            let (grad, x) = (grad.transpose(), Right::Plain(x));
            matmul::multiply(part, grad, x, epilogue, self.precision);
        }
    }

    fn words(&self) -> Matrix<'_> {
        Matrix::new(self.table, self.bias.len(), self.width)
    }
}

/// Sums the columns of the gradient of a chunk's logits.
fn bias_gradient(grad: Matrix<'_>, gradient: &mut [f32], accumulate: bool) {
    let parts = gradient.par_chunks_mut(COLUMNS).enumerate();
    parts.for_each(|(index, sums)| {
        if !accumulate {
            sums.fill(0.0);
        }
        for row in grad.data.chunks_exact(grad.cols) {
            norm::add(sums, &row[index * COLUMNS..][..sums.len()]);
        }
    });
}

/// Returns the loss of a row of logits. With a factor, replaces them by that multiple of its gradients.
fn row_loss(row: &mut [f32], target: usize, factor: Option<f32>) -> f64 {
    let logit = f64::from(row[target]);
    let (largest, sum) = exponentials(row);
    if let Some(factor) = factor {
        multiply(row, (f64::from(factor) / sum) as f32);
        row[target] -= factor;
    }
    sum.ln() + (f64::from(largest) - logit)
}

multiversion! {
    /// Replaces each logit by the exponential of its distance from the largest. Returns the largest, and
    /// the sum of the exponentials.
    fn exponentials(row: &mut [f32]) -> (f32, f64) {
        let largest = largest(row);
        let mut total = 0.0;
        for piece in row.chunks_mut(SUMMED) {
            for x in piece.iter_mut() {
                *x = exp::<FMA>(*x - largest);
            }
            total += f64::from(sum(piece));
        }
        (largest, total)
    }
}

multiversion! {
    fn multiply(row: &mut [f32], factor: f32) {
        for x in row {
            *x *= factor;
        }
    }
}

#[inline(always)]
fn largest(row: &[f32]) -> f32 {
    // `max` is slower. A NaN reaches the exponentials anyway.
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let mut lanes = [f32::NEG_INFINITY; 32];
    let (pieces, rest) = row.as_chunks::<32>();
    for piece in pieces {
        for (lane, x) in lanes.iter_mut().zip(piece) {
            *lane = larger(*lane, *x);
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane = larger(*lane, *x);
    }
    folded(lanes, larger)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Stream, random};

    const WIDTH: usize = 5;

    /// Computes loss and gradients by their definition in f64.
    fn definition(operation: CrossEntropy<'_>, factor: f64) -> (f64, [Vec<f64>; 3]) {
        let at = |values: &[f32], index: usize| f64::from(values[index]);
        let words = operation.bias.len();
        let (x, table) = (operation.x, operation.table);
        let mut loss = 0.0;
        let mut gradients = [x.len(), table.len(), words].map(|length| vec![0.0; length]);
        for (row, &target) in operation.targets.iter().enumerate() {
            let logit = |word: usize| {
                let products =
                    (0..WIDTH).map(|i| at(x, row * WIDTH + i) * at(table, word * WIDTH + i));
                products.sum::<f64>() + at(operation.bias, word)
            };
            let logits: Vec<f64> = (0..words).map(logit).collect();
            let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
            loss += sum.ln() - logits[target as usize];
            for (word, logit) in logits.iter().enumerate() {
                let right = f64::from(u8::from(word == target as usize));
                let gradient = factor * (logit.exp() / sum - right);
                for i in 0..WIDTH {
                    gradients[0][row * WIDTH + i] += gradient * at(table, word * WIDTH + i);
                    gradients[1][word * WIDTH + i] += gradient * at(x, row * WIDTH + i);
                }
                gradients[2][word] += gradient;
            }
        }
        (loss, gradients)
    }

    fn close(found: &[f32], expected: &[f64]) -> bool {
        let mut pairs = found.iter().zip(expected);
        found.len() == expected.len()
            && pairs.all(|(a, b)| (f64::from(*a) - b).abs() < 1e-5 * (1.0 + b.abs()))
    }

    /// Chunks of one row, of some, with a shorter last one, and of all; more words than one
    /// multiplication and one thread handle; any set of gradients.
    #[test]
    fn chunks_add_up_to_the_definition() {
        let (rows, words) = (11, WORDS + 2 * COLUMNS + 13);
        let draw = |stream, length, size| random::normal(9, Stream(stream), length, size);
        let x = draw(0, rows * WIDTH, 2.0);
        let table = draw(1, words * WIDTH, 1.5);
        let bias = draw(2, words, 1.0);
        let targets: Vec<u32> = (0..rows).map(|row| (row * 1931 % words) as u32).collect();
        let operation = CrossEntropy {
            x: &x,
            table: &table,
            bias: &bias,
            targets: &targets,
            width: WIDTH,
            precision: Precision::F32,
        };
        let (expected, gradients) = definition(operation, 0.25);
        for chunk in [1, 4, 11, 100] {
            let loss = operation.in_chunks(chunk, None);
            assert!(
                (loss - expected).abs() < 1e-5 * expected,
                "{loss} {expected}"
            );
            for mask in 0..8 {
                let mut found = gradients.each_ref().map(|all| vec![f32::NAN; all.len()]);
                let mut index = 0;
                let wanted = found.each_mut().map(|all| {
                    index += 1;
                    (mask >> (index - 1) & 1 == 1).then_some(&mut all[..])
                });
                let again = operation.in_chunks(chunk, Some((0.25, wanted)));
                assert_eq!(again, loss);
                for (index, (found, expected)) in found.iter().zip(&gradients).enumerate() {
                    let is_wanted = mask >> index & 1 == 1;
                    match is_wanted {
                        true => assert!(close(found, expected), "{index} in chunks of {chunk}"),
                        false => assert!(found.iter().all(|value| value.is_nan())),
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_masked_has_no_loss_and_no_gradient() {
        let operation = CrossEntropy {
            x: &[],
            table: &[1.0; 3 * WIDTH],
            bias: &[0.5; 3],
            targets: &[],
            width: WIDTH,
            precision: Precision::F32,
        };
        let (mut table, mut bias) = ([f32::NAN; 3 * WIDTH], [f32::NAN; 3]);
        let gradients = [Some(&mut [][..]), Some(&mut table[..]), Some(&mut bias[..])];
        assert_eq!(operation.loss_and_gradients(1.0, gradients), 0.0);
        assert_eq!((table, bias), ([0.0; 3 * WIDTH], [0.0; 3]));
    }

    /// Distances beyond the range of the exponential, and equal logits.
    #[test]
    fn extreme_logits_have_finite_losses() {
        let mut row = [1e4, -1e4, 0.0, 1e4];
        assert_eq!(row_loss(&mut row, 0, Some(2.0)), 2f64.ln());
        assert_eq!(row, [-1.0, 0.0, 0.0, 1.0]);
        let mut row = [3.0, -1e4];
        assert_eq!(row_loss(&mut row, 1, None), 10_003.0);
    }
}
