//! The gradient of one parameter.

use std::sync::Arc;

use burn::{Tensor, tensor::Device};
use finetune_kernels::{UsedRows, scatter_rows, square_sum, sum};

/// A gradient as the backward pass leaves it.
#[derive(Clone, Debug)]
pub(crate) enum Gradient {
    /// The gradient of every element, flattened in the parameter's layout.
    Whole(Tensor<1>),
    /// The gradient of a table in which only some rows are not zero.
    Rows(RowGradient),
}

/// The rows of a table's gradient that are not zero.
#[derive(Clone, Debug)]
pub(crate) struct RowGradient {
    /// The row numbers, in ascending order.
    pub rows: Arc<[u32]>,
    /// The values, `[rows, columns]`.
    pub values: Tensor<2>,
    /// Number of rows in the table.
    pub table_rows: usize,
}

impl Gradient {
    /// Returns the device that the gradient is on.
    pub fn device(&self) -> Device {
        match self {
            Self::Whole(gradient) => gradient.device(),
            Self::Rows(gradient) => gradient.values.device(),
        }
    }

    /// Returns the sum of the squared elements, `[1]`.
    pub fn square_sum(&self) -> Tensor<1> {
        match self {
            Self::Whole(gradient) => square_sum(gradient.clone()),
            Self::Rows(gradient) => square_sum(gradient.values.clone()),
        }
    }

    /// Returns the elements that may not be zero.
    pub fn elements(&self) -> Tensor<1> {
        match self {
            Self::Whole(gradient) => gradient.clone(),
            Self::Rows(gradient) => gradient.values.clone().reshape([-1]),
        }
    }

    /// Returns the gradient of every element, flattened.
    pub fn whole(self) -> Tensor<1> {
        match self {
            Self::Whole(gradient) => gradient,
            Self::Rows(RowGradient {
                rows,
                values,
                table_rows,
            }) => {
                let length = table_rows * values.dims()[1];
                scatter_rows(values, rows, table_rows).reshape([length])
            }
        }
    }

    /// Returns the sum of both gradients.
    pub fn add(self, other: Self) -> Self {
        match (self, other) {
            (Self::Rows(one), Self::Rows(other)) => Self::Rows(one.add(other)),
            (one, other) => Self::Whole(sum(one.whole(), other.whole())),
        }
    }
}

impl RowGradient {
    fn add(self, other: Self) -> Self {
        let uses: Vec<u32> = self.rows.iter().chain(&*other.rows).copied().collect();
        let used = UsedRows::of(&uses);
        let values = Tensor::cat(vec![self.values, other.values], 0);
        Self {
            values: scatter_rows(values, used.places, used.rows.len()),
            rows: used.rows,
            table_rows: self.table_rows,
        }
    }
}
