//! The forward pass: a cube computes one head of a block of queries and goes through the keys tile by tile, with
//! the largest score and the sum of exponentials so far.

use burn_cubecl::cubecl::{self, prelude::*};

use super::{
    layout::query_task,
    tiles::{
        Four, Tiling, add_keys, clear, exchange, factors, products, rescale, stage, unit_keys,
        unit_query, write, write_scores,
    },
};
use crate::backends::cube::philox::Site;

/// Computes `dropout(softmax(scale · query · keyᵀ)) · value`, and if `keeps`, the logarithm of the sum of the
/// exponentials of each query's scores, `[queries, heads]`.
#[cube(launch_unchecked)]
pub(super) fn attention_kernel(
    query: &[Four],
    key: &[Four],
    value: &[Four],
    layout: &[u32],
    result: &mut [Four],
    log_sums: &mut [f32],
    site: Site,
    scale: f32,
    sequences: usize,
    blocks: usize,
    #[comptime] tiling: Tiling,
    #[comptime] drops: bool,
    #[comptime] keeps: bool,
) {
    let (rows, heads, high) = comptime!((tiling.rows, tiling.heads, tiling.high()));
    if CUBE_POS as usize >= blocks * heads {
        terminate!();
    }
    let task = query_task(layout, sequences, tiling);
    let mut queries = Shared::<[Four]>::new_slice(comptime!(tiling.tile()));
    let mut keys = Shared::<[Four]>::new_slice(comptime!(tiling.tile()));
    let mut values = Shared::<[Four]>::new_slice(comptime!(tiling.tile()));
    let mut probabilities = Shared::<[Four]>::new_slice(comptime!(tiling.scores()));
    let mut units = Shared::<[f32]>::new_slice(comptime!(tiling.exchange()));
    let mut corrections = Shared::<[f32]>::new_slice(rows);

    let unit_query = unit_query(tiling);
    let unit_keys = unit_keys(tiling);
    let mut largest = Array::<f32>::new(high);
    let mut sums = Array::<f32>::new(high);
    #[unroll]
    for i in 0..high {
        largest[i] = f32::MIN;
        sums[i] = 0.0f32;
    }
    let mut scores = Array::<f32>::new(comptime!(4 * high));
    let mut all = Array::<Four>::new(comptime!(tiling.accumulators()));
    clear(&mut all, tiling);

    stage(
        &mut queries,
        query,
        task.first,
        task.count,
        task.head,
        false,
        tiling,
    );
    for tile in 0..(task.others + comptime!(rows - 1)) / rows {
        let first = tile * rows;
        let count = task.others - first;
        stage(
            &mut keys,
            key,
            task.other + first,
            count,
            task.head,
            true,
            tiling,
        );
        stage(
            &mut values,
            value,
            task.other + first,
            count,
            task.head,
            true,
            tiling,
        );
        sync_cube();

        products(&mut scores, &queries, &keys, tiling);
        let mut tile_largest = Array::<f32>::new(high);
        #[unroll]
        for i in 0..high {
            tile_largest[i] = largest[i];
            #[unroll]
            for j in 0..4usize {
                let score = scores[i * 4 + j] * scale;
                scores[i * 4 + j] = score;
                if unit_keys * 4 + j < count {
                    tile_largest[i] = max(tile_largest[i], score);
                }
            }
        }
        exchange(&mut tile_largest, &mut units, true, tiling);
        #[unroll]
        for i in 0..high {
            let correction = (largest[i] - tile_largest[i]).exp();
            largest[i] = tile_largest[i];
            if unit_keys == 0 {
                corrections[unit_query + i] = correction;
            }
            sums[i] *= correction;
            #[unroll]
            for j in 0..4usize {
                let mut probability = 0.0f32;
                if unit_keys * 4 + j < count {
                    probability = (scores[i * 4 + j] - largest[i]).exp();
                }
                sums[i] += probability;
                scores[i * 4 + j] = probability;
            }
            if comptime!(drops) {
                let query = (task.first + unit_query + i) * heads + task.head;
                let factors = factors(&site, query, first + unit_keys * 4);
                #[unroll]
                for j in 0..4usize {
                    scores[i * 4 + j] *= factors[j];
                }
            }
        }
        write_scores(&mut probabilities, &scores, tiling);
        sync_cube();

        rescale(&mut all, &corrections, tiling);
        add_keys(&mut all, &probabilities, &values, count, tiling);
        sync_cube();
    }

    exchange(&mut sums, &mut units, false, tiling);
    if unit_keys == 0 {
        #[unroll]
        for i in 0..high {
            // Without keys, the result is 0.
            let mut factor = 0.0f32;
            if task.others > 0 {
                factor = 1.0f32 / sums[i];
            }
            corrections[unit_query + i] = factor;
            if comptime!(keeps) {
                if unit_query + i < task.count {
                    let place = (task.first + unit_query + i) * heads + task.head;
                    log_sums[place] = largest[i] + sums[i].ln();
                }
            }
        }
    }
    sync_cube();
    rescale(&mut all, &corrections, tiling);
    write(result, &all, task.first, task.count, task.head, tiling);
}
