//! Each row occurs once per epoch, in an order that depends only on (seed, epoch).

use std::path::Path;

use finetune_data::{BatchSize, Dataset, Sampler, SamplerOptions, TokenizedDataset};
use proptest::prelude::*;

use crate::common::{build, folder, message, path};

/// Rows of 3 to 32 tokens: `[CLS]`, words, `[SEP]`.
fn data(rows: usize) -> TokenizedDataset {
    let text: String = (0..rows)
        .map(|i| "world ".repeat(1 + (i * 7919) % 30) + "\n")
        .collect();
    let folder = folder(&[("x.txt", &text)]);
    let split = Dataset::open(path(&folder, "x.txt"))
        .unwrap()
        .split("train")
        .unwrap();
    build(&split, None, 32, None::<&Path>).unwrap()
}

fn options(batch: BatchSize, shuffle: bool, length_buckets: Option<usize>) -> SamplerOptions {
    SamplerOptions {
        batch,
        seed: 42,
        shuffle,
        length_buckets,
    }
}

fn epoch(data: &TokenizedDataset, options: SamplerOptions, epoch: u64) -> Vec<Vec<u64>> {
    let sampler = Sampler::new(data, options).unwrap();
    let batches: Vec<_> = sampler.epoch(epoch).unwrap().map(Result::unwrap).collect();
    assert_eq!(batches.len() as u64, sampler.num_batches(epoch).unwrap());
    batches
}

/// These orders are a promise: a run resumed by a later version must continue in the same order.
#[test]
fn golden() {
    let data = data(20);
    let plain = epoch(&data, options(BatchSize::Rows(8), true, None), 0);
    assert_eq!(plain, GOLDEN_PLAIN);
    let buckets = epoch(&data, options(BatchSize::Rows(4), true, Some(2)), 3);
    assert_eq!(buckets, GOLDEN_BUCKETS);
    let tokens = epoch(&data, options(BatchSize::Tokens(64), true, None), 1);
    assert_eq!(tokens, GOLDEN_TOKENS);
}
const GOLDEN_PLAIN: &[&[u64]] = &[
    &[9, 0, 4, 6, 18, 16, 8, 2],
    &[14, 5, 15, 7, 12, 17, 19, 11],
    &[3, 1, 13, 10],
];
const GOLDEN_BUCKETS: &[&[u64]] = &[
    &[8, 7, 5, 3],
    &[0, 18, 14, 9],
    &[17, 15, 13, 12],
    &[11, 6, 4, 1],
    &[19, 16, 10, 2],
];
const GOLDEN_TOKENS: &[&[u64]] = &[
    &[6, 15, 0],
    &[5, 11],
    &[10, 12],
    &[2, 17],
    &[13, 7],
    &[1, 14],
    &[4, 18],
    &[8, 16],
    &[3, 9],
    &[19],
];

#[test]
fn epochs_differ_and_repeat() {
    let data = data(100);
    let options = options(BatchSize::Rows(16), true, None);
    assert_eq!(epoch(&data, options, 0), epoch(&data, options, 0));
    assert_ne!(epoch(&data, options, 0), epoch(&data, options, 1));
    let other = SamplerOptions {
        seed: 43,
        ..options
    };
    assert_ne!(epoch(&data, options, 0), epoch(&data, other, 0));
    let sizes: Vec<_> = epoch(&data, options, 0).iter().map(Vec::len).collect();
    assert_eq!(sizes, [16, 16, 16, 16, 16, 16, 4]);
    let in_order: Vec<u64> = epoch(
        &data,
        SamplerOptions {
            shuffle: false,
            ..options
        },
        9,
    )
    .concat();
    assert_eq!(in_order, (0..100).collect::<Vec<_>>());
}

#[test]
fn length_buckets_avoid_padding() {
    let data = data(1000);
    let report = |buckets| {
        let sampler = Sampler::new(&data, options(BatchSize::Rows(16), true, buckets)).unwrap();
        sampler.padding(0).unwrap()
    };
    let (plain, bucketed) = (report(None), report(Some(10)));
    assert_eq!(plain.tokens, data.total_tokens());
    assert_eq!(plain.padded_to_max_length, 32_000);
    // Packing avoids the waste of a padded batch, and buckets leave little of it to avoid.
    assert!(plain.avoided() > 0.3, "{plain:?}");
    assert!(bucketed.avoided() < 0.12, "{bucketed:?}");
    let batches = epoch(&data, options(BatchSize::Rows(16), true, None), 0);
    let padded: usize = batches
        .iter()
        .map(|b| data.batch(b).unwrap().padded_tokens())
        .sum();
    assert_eq!(padded as u64, plain.padded_to_batch);
}

#[test]
fn refused() {
    let data = data(3);
    for bad in [
        options(BatchSize::Rows(0), true, None),
        options(BatchSize::Tokens(0), true, None),
        options(BatchSize::Rows(1), true, Some(0)),
    ] {
        assert!(message(Sampler::new(&data, bad)).ends_with("must be at least 1"));
    }
    assert!(message(data.batch(&[0, 3])).contains("row 3 was asked for, but there are 3 rows"));
    assert!(message(data.batch(&[u64::MAX])).contains("but there are 3 rows"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn every_row_once(
        rows in 1usize..120,
        size in 1usize..90,
        by_tokens: bool,
        shuffle: bool,
        buckets in prop::option::of(1usize..6),
        number in 0u64..5,
    ) {
        let data = data(rows);
        let batch = if by_tokens { BatchSize::Tokens(size) } else { BatchSize::Rows(size) };
        let batches = epoch(&data, options(batch, shuffle, buckets), number);
        for batch in &batches {
            let packed = data.batch(batch).unwrap();
            prop_assert_eq!(&packed.rows, batch);
            let lengths: Vec<_> = batch.iter().map(|&row| data.row_len(row).unwrap() as usize).collect();
            prop_assert_eq!(packed.lengths().collect::<Vec<_>>(), lengths);
            if by_tokens {
                prop_assert!(packed.num_tokens() <= size || batch.len() == 1);
            } else {
                prop_assert!(batch.len() <= size);
            }
        }
        let mut all = batches.concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..rows as u64).collect::<Vec<_>>());
    }
}
