//! Tiles of queries and keys in shared memory, and their products.
//!
//! A unit computes the scores of some queries and of four consecutive keys, which share a block of random
//! numbers. Products with probabilities are accumulated in registers; there, a unit has some rows and every
//! `across`-th group of four columns.

use burn_cubecl::cubecl::{self, prelude::*};

use crate::backends::cube::philox::{Site, kept, words};

/// Four consecutive columns.
pub(super) type Four = Vector<f32, Const<4>>;

/// Number of units that have the same keys and different queries.
const HIGH: usize = 16;

/// The sizes with which kernels are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tiling {
    /// Number of queries, and of keys, in a tile.
    pub(super) rows: usize,
    /// Number of groups of four columns of a head.
    pub(super) depth: usize,
    pub(super) heads: usize,
}

impl Tiling {
    /// Returns the largest tiling whose tiles fit into `memory` bytes of shared memory, if there is one for this
    /// head size.
    pub(super) fn new(head_size: usize, heads: usize, memory: usize) -> Option<Self> {
        let tilings = [32, 16].map(|rows| Self {
            rows,
            depth: head_size / 4,
            heads,
        });
        let fits = |tiling: &Self| tiling.memory() <= memory;
        tilings
            .into_iter()
            .find(fits)
            .filter(|_| head_size > 0 && head_size % 4 == 0)
    }

    /// Returns the size in bytes of all tiles of the backward pass: queries, keys, values, gradients, and two of
    /// probabilities, and of the units' values.
    fn memory(&self) -> usize {
        16 * (4 * self.tile() + 2 * self.scores()) + 4 * self.exchange()
    }

    /// Number of units of a cube.
    pub(super) fn units(&self) -> usize {
        HIGH * self.groups()
    }

    /// Number of queries whose scores a unit computes.
    pub(super) fn high(&self) -> usize {
        self.rows / HIGH
    }

    /// Number of groups of four keys in a tile.
    pub(super) fn groups(&self) -> usize {
        self.rows / 4
    }

    /// Distance between rows of a tile. It is odd, so that rows start in different banks.
    fn stride(&self) -> usize {
        self.depth | 1
    }

    /// Length of a tile of queries or keys.
    pub(super) fn tile(&self) -> usize {
        self.rows * self.stride()
    }

    /// Distance between rows of scores.
    fn scores_stride(&self) -> usize {
        self.groups() + 1
    }

    /// Length of a tile of scores.
    pub(super) fn scores(&self) -> usize {
        self.rows * self.scores_stride()
    }

    /// Length of the memory for a value of each unit and query.
    pub(super) fn exchange(&self) -> usize {
        self.rows * self.scores_stride()
    }

    /// Number of units that accumulate the same rows.
    fn across(&self) -> usize {
        self.depth.next_power_of_two().clamp(4, 16)
    }

    /// Number of rows that a unit accumulates.
    fn deep(&self) -> usize {
        self.across() / 4
    }

    /// Number of groups of four columns that a unit accumulates.
    fn columns(&self) -> usize {
        self.depth.div_ceil(self.across())
    }

    /// Length of a unit's accumulators.
    pub(super) fn accumulators(&self) -> usize {
        self.deep() * self.columns()
    }
}

/// Returns the first query of this unit's scores.
#[cube]
pub(super) fn unit_query(#[comptime] tiling: Tiling) -> usize {
    let (groups, high) = comptime!((tiling.groups(), tiling.high()));
    UNIT_POS as usize / groups * high
}

/// Returns the group of four keys of this unit's scores.
#[cube]
pub(super) fn unit_keys(#[comptime] tiling: Tiling) -> usize {
    let groups = comptime!(tiling.groups());
    UNIT_POS as usize % groups
}

/// Copies one head of `count` rows starting at `first` into a tile, and fills it up with zeros. Keys are permuted:
/// equal ones of each group of four are adjacent, as the units read them.
#[cube]
pub(super) fn stage(
    tile: &mut Shared<[Four]>,
    x: &[Four],
    first: usize,
    count: usize,
    head: usize,
    #[comptime] keys: bool,
    #[comptime] tiling: Tiling,
) {
    let (rows, depth, width) = comptime!((tiling.rows, tiling.depth, tiling.heads * tiling.depth));
    let (groups, stride, units) = comptime!((tiling.groups(), tiling.stride(), tiling.units()));
    let start = first * width + head * depth;
    let mut place = UNIT_POS as usize;
    while place < rows * depth {
        let row = place / depth;
        let column = place % depth;
        let mut four = Four::new(0.0f32);
        if row < count {
            four = x[start + row * width + column];
        }
        let slot = if comptime!(keys) {
            row % 4 * groups + row / 4
        } else {
            row
        };
        tile[slot * stride + column] = four;
        place += units;
    }
}

/// Computes the products of this unit's queries, `high`, with its four keys: `[high, 4]`.
#[cube]
pub(super) fn products(
    result: &mut Array<f32>,
    queries: &Shared<[Four]>,
    keys: &Shared<[Four]>,
    #[comptime] tiling: Tiling,
) {
    let (high, groups) = comptime!((tiling.high(), tiling.groups()));
    let (depth, stride) = comptime!((tiling.depth, tiling.stride()));
    let query = unit_query(tiling);
    let key = unit_keys(tiling);
    let mut sums = Array::<Four>::new(comptime!(4 * high));
    #[unroll]
    for place in 0..comptime!(4 * high) {
        sums[place] = Four::new(0.0f32);
    }
    for column in 0..depth {
        let mut right = Array::<Four>::new(4usize);
        #[unroll]
        for j in 0..4usize {
            right[j] = keys[(j * groups + key) * stride + column];
        }
        #[unroll]
        for i in 0..high {
            let left = queries[(query + i) * stride + column];
            #[unroll]
            for j in 0..4usize {
                sums[i * 4 + j] = fma(left, right[j], sums[i * 4 + j]);
            }
        }
    }
    #[unroll]
    for place in 0..comptime!(4 * high) {
        result[place] = total(sums[place]);
    }
}

#[cube]
fn total(four: Four) -> f32 {
    (four.extract(0usize) + four.extract(1usize)) + (four.extract(2usize) + four.extract(3usize))
}

/// Writes this unit's `[high, 4]` values to a tile of scores.
#[cube]
pub(super) fn write_scores(
    tile: &mut Shared<[Four]>,
    values: &Array<f32>,
    #[comptime] tiling: Tiling,
) {
    let (high, stride) = comptime!((tiling.high(), tiling.scores_stride()));
    let query = unit_query(tiling);
    let key = unit_keys(tiling);
    #[unroll]
    for i in 0..high {
        let mut four = Four::new(values[i * 4]);
        #[unroll]
        for j in 1..4usize {
            four.insert(j, values[i * 4 + j]);
        }
        tile[(query + i) * stride + key] = four;
    }
}

/// Replaces each of this unit's `high` values by the sum, or the largest, of those that all units have for the
/// same query. Units must synchronize before the next exchange.
#[cube]
pub(super) fn exchange(
    values: &mut Array<f32>,
    memory: &mut Shared<[f32]>,
    #[comptime] largest: bool,
    #[comptime] tiling: Tiling,
) {
    let (high, groups) = comptime!((tiling.high(), tiling.groups()));
    let stride = comptime!(tiling.scores_stride());
    let query = unit_query(tiling);
    let key = unit_keys(tiling);
    #[unroll]
    for i in 0..high {
        memory[(query + i) * stride + key] = values[i];
    }
    sync_cube();
    #[unroll]
    for i in 0..high {
        let mut total = memory[(query + i) * stride];
        #[unroll]
        for other in 1..groups {
            let value = memory[(query + i) * stride + other];
            if comptime!(largest) {
                total = max(total, value);
            } else {
                total += value;
            }
        }
        values[i] = total;
    }
}

/// Computes this unit's part of the products of the queries' rows in a tile with the same rows of `x`, one head of
/// `count` rows starting at `first`.
#[cube]
pub(super) fn query_products(
    tile: &Shared<[Four]>,
    x: &[Four],
    first: usize,
    count: usize,
    head: usize,
    #[comptime] tiling: Tiling,
) -> Array<f32> {
    let (high, groups) = comptime!((tiling.high(), tiling.groups()));
    let (depth, stride, heads) = comptime!((tiling.depth, tiling.stride(), tiling.heads));
    let query = unit_query(tiling);
    let mut result = Array::<f32>::new(high);
    #[unroll]
    for i in 0..high {
        let mut sums = Four::new(0.0f32);
        if query + i < count {
            let start = ((first + query + i) * heads + head) * depth;
            let mut column = unit_keys(tiling);
            while column < depth {
                sums = fma(tile[(query + i) * stride + column], x[start + column], sums);
                column += groups;
            }
        }
        result[i] = total(sums);
    }
    result
}

/// Sets a unit's accumulators to zero.
#[cube]
pub(super) fn clear(sums: &mut Array<Four>, #[comptime] tiling: Tiling) {
    #[unroll]
    for place in 0..comptime!(tiling.accumulators()) {
        sums[place] = Four::new(0.0f32);
    }
}

/// Multiplies the accumulators of each query by its factor.
#[cube]
pub(super) fn rescale(sums: &mut Array<Four>, factors: &Shared<[f32]>, #[comptime] tiling: Tiling) {
    let (across, deep, columns) = comptime!((tiling.across(), tiling.deep(), tiling.columns()));
    let row = UNIT_POS as usize / across * deep;
    #[unroll]
    for i in 0..deep {
        let factor = Four::new(factors[row + i]);
        #[unroll]
        for column in 0..columns {
            sums[i * columns + column] *= factor;
        }
    }
}

/// Adds `scores · x` to accumulators of queries, where `x` is a tile of keys of which `count` exist.
#[cube]
pub(super) fn add_keys(
    sums: &mut Array<Four>,
    scores: &Shared<[Four]>,
    x: &Shared<[Four]>,
    count: usize,
    #[comptime] tiling: Tiling,
) {
    let (across, deep, columns) = comptime!((tiling.across(), tiling.deep(), tiling.columns()));
    let (groups, stride) = comptime!((tiling.groups(), tiling.stride()));
    let scores_stride = comptime!(tiling.scores_stride());
    let row = UNIT_POS as usize / across * deep;
    let filled = clamp_max((count + 3) / 4, groups);
    for group in 0..filled {
        let mut left = Array::<Four>::new(deep);
        #[unroll]
        for i in 0..deep {
            left[i] = scores[(row + i) * scores_stride + group];
        }
        #[unroll]
        for j in 0..4usize {
            #[unroll]
            for column in 0..columns {
                let place = unit_column(column, tiling);
                let right = x[(j * groups + group) * stride + place];
                #[unroll]
                for i in 0..deep {
                    let factor = Four::new(left[i].extract(j));
                    let sum = sums[i * columns + column];
                    sums[i * columns + column] = fma(factor, right, sum);
                }
            }
        }
    }
}

/// Adds `scoresᵀ · x` to accumulators of keys, where `x` is a tile of queries of which `count` exist.
#[cube]
pub(super) fn add_queries(
    sums: &mut Array<Four>,
    scores: &Shared<[Four]>,
    x: &Shared<[Four]>,
    count: usize,
    #[comptime] tiling: Tiling,
) {
    let (across, deep, columns) = comptime!((tiling.across(), tiling.deep(), tiling.columns()));
    let (rows, stride) = comptime!((tiling.rows, tiling.stride()));
    let scores_stride = comptime!(tiling.scores_stride());
    // The part of a group of four keys that this unit has.
    let parts = comptime!(4 / tiling.deep());
    let row = UNIT_POS as usize / across;
    let part = row % parts;
    let group = row / parts;
    let filled = clamp_max(count, rows);
    for query in 0..filled {
        let four = scores[query * scores_stride + group];
        let mut left = Array::<f32>::new(deep);
        #[unroll]
        for i in 0..deep {
            let mut value = four.extract(i);
            #[unroll]
            for other in 1..parts {
                value = select(
                    part == other,
                    four.extract(comptime!(other * deep + i)),
                    value,
                );
            }
            left[i] = value;
        }
        #[unroll]
        for column in 0..columns {
            let right = x[query * stride + unit_column(column, tiling)];
            #[unroll]
            for i in 0..deep {
                let sum = sums[i * columns + column];
                sums[i * columns + column] = fma(Four::new(left[i]), right, sum);
            }
        }
    }
}

/// Writes accumulators to one head of the `count` rows that start at `first`.
#[cube]
pub(super) fn write(
    result: &mut [Four],
    sums: &Array<Four>,
    first: usize,
    count: usize,
    head: usize,
    #[comptime] tiling: Tiling,
) {
    let (across, deep, columns) = comptime!((tiling.across(), tiling.deep(), tiling.columns()));
    let (depth, width) = comptime!((tiling.depth, tiling.heads * tiling.depth));
    let row = UNIT_POS as usize / across * deep;
    #[unroll]
    for i in 0..deep {
        #[unroll]
        for column in 0..columns {
            let place = UNIT_POS as usize % across + column * across;
            if row + i < count && place < depth {
                result[(first + row + i) * width + head * depth + place] =
                    sums[i * columns + column];
            }
        }
    }
}

/// Returns the place of a group of four columns that this unit accumulates, or of the last one instead of those
/// beyond it.
#[cube]
fn unit_column(column: usize, #[comptime] tiling: Tiling) -> usize {
    let (across, depth) = comptime!((tiling.across(), tiling.depth));
    let place = UNIT_POS as usize % across + column * across;
    clamp_max(place, comptime!(depth - 1))
}

/// Returns the dropout factors of a query (its row times the number of heads, plus the head) and of the four keys
/// that start at position `key` of the sequence, a multiple of 4.
#[cube]
pub(super) fn factors(site: &Site, query: usize, key: usize) -> Array<f32> {
    let query = query as u32;
    let block = words(site, (query << 30u32) | (key as u32 / 4), query >> 2u32);
    let mut factors = Array::<f32>::new(4usize);
    factors[0] = kept(site, block.0);
    factors[1] = kept(site, block.1);
    factors[2] = kept(site, block.2);
    factors[3] = kept(site, block.3);
    factors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tilings_fit_into_shared_memory() {
        const KIB: usize = 1 << 10;
        let rows = |size, memory| Tiling::new(size, 12, memory * KIB).map(|tiling| tiling.rows);
        assert_eq!([32, 64].map(|size| rows(size, 48)), [Some(32); 2]);
        assert_eq!([32, 64].map(|size| rows(size, 32)), [Some(32), Some(16)]);
        assert_eq!([3, 0, 1024].map(|size| rows(size, 48)), [None; 3]);
    }
}
