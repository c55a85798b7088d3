//! The divergence of a student's attention from its teacher's, and the gradients of the student's queries
//! and keys. Each sequence is a task.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    math::{exp, mul_add},
    multiversion::multiversion,
    softmax::{LANES, largest},
    sum::total,
};
use crate::{
    Offsets, Precision,
    matmul::{Matrix, multiply_here},
    memory::Piece,
};

/// A score whose exponential is 0.
const NOTHING: f32 = -200.0;

/// The operands of attention transfer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfer<'a> {
    pub(crate) student: Projections<'a>,
    pub(crate) teacher: Projections<'a>,
    pub(crate) offsets: &'a Offsets,
    pub(crate) heads: usize,
}

/// The queries and keys of one side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Projections<'a> {
    /// `[tokens, width]`
    pub(crate) query: &'a [f32],
    /// `[tokens, width]`
    pub(crate) key: &'a [f32],
    /// Number of columns of all heads together.
    pub(crate) width: usize,
}

/// Memory for the wanted gradients of the student's queries and keys, `[tokens, width]` each.
type Wanted<'a> = [Option<&'a mut [f32]>; 2];

impl Transfer<'_> {
    /// Returns the sum of the divergences of all heads and queries, and computes the wanted gradients of
    /// its product with `factor`.
    pub(crate) fn divergence(&self, factor: f32, gradients: Wanted<'_>) -> f64 {
        let mut rest = gradients;
        let mut tasks = Vec::new();
        for tokens in self.offsets.ranges() {
            let length = tokens.len() * self.student.width;
            let own = rest.each_mut().map(|rest| {
                let (own, others) = rest.take()?.split_at_mut(length);
                *rest = Some(others);
                Some(own)
            });
            tasks.push((tokens, own));
        }
        let tasks = tasks.into_par_iter().with_max_len(1);
        let sums: Vec<f64> = tasks
            .map(|(tokens, gradients)| self.of_sequence(tokens, factor, gradients))
            .collect();
        sums.into_iter().sum()
    }

    /// Does the same for the tokens of a sequence.
    fn of_sequence(&self, tokens: Range<usize>, factor: f32, mut gradients: Wanted<'_>) -> f64 {
        let count = tokens.len();
        if count == 0 {
            return 0.0;
        }
        let stride = count.next_multiple_of(LANES);
        let mut memory = Piece::new(2 * count * stride);
        let (student, teacher) = memory.as_mut_slice().split_at_mut(count * stride);
        let wanted = gradients.iter().any(Option::is_some);
        let size = self.student.width / self.heads;
        let mut sum = 0.0;
        for head in 0..self.heads {
            let scale = self.student.scores(self.heads, head, &tokens, student);
            let teacher_scale = self.teacher.scores(self.heads, head, &tokens, teacher);
            let rows = student.chunks_exact_mut(stride);
            for (student, teacher) in rows.zip(teacher.chunks_exact_mut(stride)) {
                let scales = [scale, teacher_scale];
                sum += f64::from(row(student, teacher, count, scales, factor * scale));
            }
            if !wanted {
                continue;
            }
            let scores = Matrix::strided(student, count, count, stride);
            let own = &self.student;
            let [query, key] = gradients
                .each_mut()
                .map(|all| all.as_mut().map(|all| &mut all[head * size..]));
            if let Some(query) = query {
                let key = own.part(own.key, self.heads, head, &tokens);
                multiply_here(query, own.width, scores, key, false, Precision::F32);
            }
            if let Some(key) = key {
                let (scores, query) = (
                    scores.transpose(),
                    own.part(own.query, self.heads, head, &tokens),
                );
                multiply_here(key, own.width, scores, query, false, Precision::F32);
            }
        }
        sum
    }
}

impl<'a> Projections<'a> {
    /// Computes `q · kᵀ` of a head, in rows padded to whole vectors, and returns the factor of the scores,
    /// `1 / √d`.
    fn scores(&self, heads: usize, head: usize, tokens: &Range<usize>, scores: &mut [f32]) -> f32 {
        let stride = tokens.len().next_multiple_of(LANES);
        let (query, key) = (
            self.part(self.query, heads, head, tokens),
            self.part(self.key, heads, head, tokens).transpose(),
        );
        multiply_here(scores, stride, query, key, false, Precision::F32);
        ((self.width / heads) as f32).sqrt().recip()
    }

    /// Returns the columns of a head in the rows of these tokens, at least one.
    fn part(&self, x: &'a [f32], heads: usize, head: usize, tokens: &Range<usize>) -> Matrix<'a> {
        let (size, width) = (self.width / heads, self.width);
        let start = tokens.start * width + head * size;
        let end = (tokens.end - 1) * width + (head + 1) * size;
        Matrix::strided(&x[start..end], tokens.len(), size, width)
    }
}

multiversion! {
    /// Returns the divergence of the softmax of a student's row of scores from that of its teacher's, of
    /// which the first `columns` elements count, and replaces the student's by `factor` times the
    /// gradient of the scaled scores.
    fn row(
        student: &mut [f32],
        teacher: &mut [f32],
        columns: usize,
        scales: [f32; 2],
        factor: f32,
    ) -> f32 {
        for (row, scale) in [&mut *student, &mut *teacher].into_iter().zip(scales) {
            row[columns..].fill(f32::NEG_INFINITY);
            let largest = largest(row.as_chunks::<LANES>().0);
            for x in row.iter_mut() {
                *x = (*x - largest) * scale;
            }
            row[columns..].fill(NOTHING);
        }
        let ([mut sums, mut teacher_sums], mut products) = ([[0.0; LANES]; 2], [0.0; LANES]);
        let (students, _) = student.as_chunks_mut::<LANES>();
        let (teachers, _) = teacher.as_chunks_mut::<LANES>();
        for (students, teachers) in students.iter_mut().zip(teachers.iter_mut()) {
            for lane in 0..LANES {
                let (score, teacher_score) = (students[lane], teachers[lane]);
                students[lane] = exp::<FMA>(score);
                teachers[lane] = exp::<FMA>(teacher_score);
                sums[lane] += students[lane];
                teacher_sums[lane] += teachers[lane];
                let difference = teacher_score - score;
                products[lane] = mul_add::<FMA>(teachers[lane], difference, products[lane]);
            }
        }
        let (sum, teacher_sum) = (total(sums), total(teacher_sums));
        let (inverse, teacher_inverse) = (factor / sum, factor / teacher_sum);
        for (students, teachers) in students.iter_mut().zip(teachers.iter()) {
            for (student, teacher) in students.iter_mut().zip(teachers) {
                *student = *student * inverse - *teacher * teacher_inverse;
            }
        }
        total(products) / teacher_sum + (sum.ln() - teacher_sum.ln())
    }
}
