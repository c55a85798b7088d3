//! The backward pass: one kernel for the gradient of the queries, a cube for each block of them, and one for those
//! of the keys and values, a cube for each block of keys. Both compute the probabilities again, from the sums of
//! the forward pass.

use burn_cubecl::cubecl::{self, prelude::*};

use super::{
    layout::{key_task, query_task},
    tiles::{
        Four, Tiling, add_keys, add_queries, clear, exchange, factors, products, query_products,
        stage, unit_keys, unit_query, write, write_scores,
    },
};
use crate::backends::cube::philox::Site;

/// Computes the gradient of the queries, and for each query and head the two numbers that the other kernel needs:
/// `rows`, `[queries, heads, 2]`, has the logarithm of the sum of exponentials and the product of the result with
/// its gradient.
#[cube(launch_unchecked)]
pub(super) fn query_gradient_kernel(
    query: &[Four],
    key: &[Four],
    value: &[Four],
    grad: &[Four],
    result: &[Four],
    log_sums: &[f32],
    layout: &[u32],
    query_grad: &mut [Four],
    row_sums: &mut [f32],
    site: Site,
    scale: f32,
    sequences: usize,
    blocks: usize,
    #[comptime] tiling: Tiling,
    #[comptime] drops: bool,
) {
    let (rows, heads, high) = comptime!((tiling.rows, tiling.heads, tiling.high()));
    if CUBE_POS as usize >= blocks * heads {
        terminate!();
    }
    let task = query_task(layout, sequences, tiling);
    let mut queries = Shared::<[Four]>::new_slice(comptime!(tiling.tile()));
    let mut keys = Shared::<[Four]>::new_slice(comptime!(tiling.tile()));
    let mut values = Shared::<[Four]>::new_slice(comptime!(tiling.tile()));
    let mut grads = Shared::<[Four]>::new_slice(comptime!(tiling.tile()));
    let mut score_grads = Shared::<[Four]>::new_slice(comptime!(tiling.scores()));
    let mut units = Shared::<[f32]>::new_slice(comptime!(tiling.exchange()));

    let unit_query = unit_query(tiling);
    let unit_keys = unit_keys(tiling);
    stage(
        &mut queries,
        query,
        task.first,
        task.count,
        task.head,
        false,
        tiling,
    );
    stage(
        &mut grads, grad, task.first, task.count, task.head, false, tiling,
    );
    sync_cube();
    let mut along = query_products(&grads, result, task.first, task.count, task.head, tiling);
    exchange(&mut along, &mut units, false, tiling);
    let mut log_sum = Array::<f32>::new(high);
    #[unroll]
    for i in 0..high {
        log_sum[i] = 0.0f32;
        if unit_query + i < task.count {
            let place = (task.first + unit_query + i) * heads + task.head;
            log_sum[i] = log_sums[place];
            if unit_keys == 0 {
                row_sums[2 * place] = log_sum[i];
                row_sums[2 * place + 1] = along[i];
            }
        }
    }

    let mut scores = Array::<f32>::new(comptime!(4 * high));
    let mut changes = Array::<f32>::new(comptime!(4 * high));
    let mut all = Array::<Four>::new(comptime!(tiling.accumulators()));
    clear(&mut all, tiling);
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
        products(&mut changes, &grads, &values, tiling);
        #[unroll]
        for i in 0..high {
            if comptime!(drops) {
                let query = (task.first + unit_query + i) * heads + task.head;
                let factors = factors(&site, query, first + unit_keys * 4);
                #[unroll]
                for j in 0..4usize {
                    changes[i * 4 + j] *= factors[j];
                }
            }
            #[unroll]
            for j in 0..4usize {
                let mut change = 0.0f32;
                if unit_keys * 4 + j < count {
                    let probability = (scores[i * 4 + j] * scale - log_sum[i]).exp();
                    change = probability * scale * (changes[i * 4 + j] - along[i]);
                }
                scores[i * 4 + j] = change;
            }
        }
        write_scores(&mut score_grads, &scores, tiling);
        sync_cube();

        add_keys(&mut all, &score_grads, &keys, count, tiling);
        sync_cube();
    }
    write(query_grad, &all, task.first, task.count, task.head, tiling);
}

/// Computes the gradients of the keys and of the values.
#[cube(launch_unchecked)]
pub(super) fn key_value_gradient_kernel(
    query: &[Four],
    key: &[Four],
    value: &[Four],
    grad: &[Four],
    row_sums: &[f32],
    layout: &[u32],
    key_grad: &mut [Four],
    value_grad: &mut [Four],
    site: Site,
    scale: f32,
    sequences: usize,
    query_blocks: usize,
    blocks: usize,
    #[comptime] tiling: Tiling,
    #[comptime] drops: bool,
) {
    let (rows, heads, high) = comptime!((tiling.rows, tiling.heads, tiling.high()));
    if CUBE_POS as usize >= blocks * heads {
        terminate!();
    }
    let task = key_task(layout, sequences, query_blocks, tiling);
    let mut queries = Shared::<[Four]>::new_slice(comptime!(tiling.tile()));
    let mut keys = Shared::<[Four]>::new_slice(comptime!(tiling.tile()));
    let mut values = Shared::<[Four]>::new_slice(comptime!(tiling.tile()));
    let mut grads = Shared::<[Four]>::new_slice(comptime!(tiling.tile()));
    let mut probabilities = Shared::<[Four]>::new_slice(comptime!(tiling.scores()));
    let mut score_grads = Shared::<[Four]>::new_slice(comptime!(tiling.scores()));

    let unit_query = unit_query(tiling);
    let unit_keys = unit_keys(tiling);
    let mut scores = Array::<f32>::new(comptime!(4 * high));
    let mut changes = Array::<f32>::new(comptime!(4 * high));
    let mut key_sums = Array::<Four>::new(comptime!(tiling.accumulators()));
    let mut value_sums = Array::<Four>::new(comptime!(tiling.accumulators()));
    clear(&mut key_sums, tiling);
    clear(&mut value_sums, tiling);

    stage(
        &mut keys, key, task.first, task.count, task.head, true, tiling,
    );
    stage(
        &mut values,
        value,
        task.first,
        task.count,
        task.head,
        true,
        tiling,
    );
    for tile in 0..(task.others + comptime!(rows - 1)) / rows {
        let first = tile * rows;
        let count = task.others - first;
        stage(
            &mut queries,
            query,
            task.other + first,
            count,
            task.head,
            false,
            tiling,
        );
        stage(
            &mut grads,
            grad,
            task.other + first,
            count,
            task.head,
            false,
            tiling,
        );
        sync_cube();

        products(&mut scores, &queries, &keys, tiling);
        products(&mut changes, &grads, &values, tiling);
        #[unroll]
        for i in 0..high {
            let row = unit_query + i;
            let place = (task.other + first + row) * heads + task.head;
            let mut log_sum = 0.0f32;
            let mut along = 0.0f32;
            if row < count {
                log_sum = row_sums[2 * place];
                along = row_sums[2 * place + 1];
            }
            #[unroll]
            for j in 0..4usize {
                let mut probability = 0.0f32;
                if row < count && unit_keys * 4 + j < task.count {
                    probability = (scores[i * 4 + j] * scale - log_sum).exp();
                }
                scores[i * 4 + j] = probability;
            }
            if comptime!(drops) {
                let factors = factors(&site, place, task.position + unit_keys * 4);
                #[unroll]
                for j in 0..4usize {
                    let change = changes[i * 4 + j] * factors[j] - along;
                    changes[i * 4 + j] = scores[i * 4 + j] * scale * change;
                    scores[i * 4 + j] *= factors[j];
                }
            } else {
                #[unroll]
                for j in 0..4usize {
                    let change = changes[i * 4 + j] - along;
                    changes[i * 4 + j] = scores[i * 4 + j] * scale * change;
                }
            }
        }
        write_scores(&mut probabilities, &scores, tiling);
        write_scores(&mut score_grads, &changes, tiling);
        sync_cube();

        add_queries(&mut value_sums, &probabilities, &grads, count, tiling);
        add_queries(&mut key_sums, &score_grads, &queries, count, tiling);
        sync_cube();
    }
    write(
        key_grad, &key_sums, task.first, task.count, task.head, tiling,
    );
    write(
        value_grad,
        &value_sums,
        task.first,
        task.count,
        task.head,
        tiling,
    );
}
