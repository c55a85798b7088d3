//! The gradient of one parameter.

use std::sync::Arc;

use burn::Tensor;
use finetune_kernels::{UsedRows, scatter_rows, square_sum};

/// A gradient as the backward pass leaves it.
#[derive(Clone, Debug)]
pub(crate) enum Gradient {
    /// Of every element, flattened as the module holds the parameter.
    Whole(Tensor<1>),
    /// Of a table that is zero but for some rows.
    Rows(RowGradient),
}

/// The rows of a table's gradient that are not zero.
#[derive(Clone, Debug)]
pub(crate) struct RowGradient {
    /// Their numbers, ascending.
    pub rows: Arc<[u32]>,
    /// `[rows, columns]`
    pub values: Tensor<2>,
    /// Rows of the table.
    pub table_rows: usize,
}

impl Gradient {
    /// Sum of the squares, `[1]`.
    pub fn square_sum(&self) -> Tensor<1> {
        match self {
            Self::Whole(gradient) => square_sum(gradient.clone()),
            Self::Rows(gradient) => square_sum(gradient.values.clone()),
        }
    }

    /// Of every element.
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

    /// The sum of both.
    pub fn add(self, other: Self) -> Self {
        match (self, other) {
            (Self::Rows(one), Self::Rows(other)) => Self::Rows(one.add(other)),
            (one, other) => Self::Whole(one.whole() + other.whole()),
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
