//! Masks: their shares, what they leave alone, and that they follow from (seed, epoch, row).

use finetune_data::{Labels, MaskingVocabulary, Offsets, PackedBatch, PackedTokens, TextTokenizer};
use finetune_train::{MaskUnit, MaskedBatch, Masker, PretrainingPlan};
use serde_json::json;

const UNKNOWN: u32 = 0;
const CLS: u32 = 1;
const SEP: u32 = 2;
const MASK: u32 = 3;
/// Ids of words, and then those of pieces that continue them.
const WORDS: u32 = 4;
const PIECES: u32 = 54;
const END: u32 = 104;

/// A vocabulary of 50 words and as many pieces.
fn vocabulary() -> MaskingVocabulary {
    let special = ["[UNK]", "[CLS]", "[SEP]", "[MASK]"];
    let words = (WORDS..PIECES).map(|id| (format!("w{id}"), id));
    let pieces = (PIECES..END).map(|id| (format!("##p{id}"), id));
    let named = (0..).zip(special).map(|(id, name)| (name.to_string(), id));
    let vocab: serde_json::Map<_, _> = named
        .chain(words)
        .chain(pieces)
        .map(|(token, id)| (token, id.into()))
        .collect();
    let added: Vec<_> = (0..)
        .zip(special)
        .map(|(id, content)| {
            json!({"id": id, "content": content, "single_word": false, "lstrip": false,
                   "rstrip": false, "normalized": false, "special": true})
        })
        .collect();
    let file = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": null, "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": null, "decoder": null,
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100, "vocab": vocab},
    });
    let tokenizer = TextTokenizer::from_bytes(file.to_string().as_bytes()).unwrap();
    tokenizer.masking_vocabulary().unwrap()
}

fn masker(masking: MaskUnit, mlm_probability: f64, seed: u64) -> Masker {
    let plan = PretrainingPlan {
        mlm_probability,
        masking,
        ..PretrainingPlan::default()
    };
    Masker::new(vocabulary(), plan, seed)
}

/// A batch of rows, each between `[CLS]` and `[SEP]`, with these numbers.
fn batch(rows: &[(u64, Vec<u32>)]) -> PackedBatch {
    let of_row = |(_, ids): &(u64, Vec<u32>)| [vec![CLS], ids.clone(), vec![SEP]].concat();
    let ids: Vec<Vec<u32>> = rows.iter().map(of_row).collect();
    let tokens = ids.concat();
    PackedBatch {
        tokens: PackedTokens {
            positions: vec![0; tokens.len()].into(),
            type_ids: vec![0; tokens.len()].into(),
            ids: tokens.into(),
            offsets: Offsets::from_lengths(ids.iter().map(|row| row.len() as u32)),
            used_rows: None,
        },
        rows: rows.iter().map(|(row, _)| *row).collect(),
        labels: Labels::None,
    }
}

/// `rows` rows of 40 words, of which every third has two further pieces.
fn text(rows: u64) -> PackedBatch {
    let row = |row: u64| {
        let words = 0..40u32;
        let ids = words.flat_map(|word| {
            let id = WORDS + (word * 7 + row as u32) % 50;
            match word % 3 {
                0 => vec![id, PIECES + word, PIECES + word + 1],
                _ => vec![id],
            }
        });
        (row, ids.collect())
    };
    batch(&(0..rows).map(row).collect::<Vec<_>>())
}

/// The fate of the predicted tokens: masked, replaced by another, left.
fn fates(before: &PackedBatch, after: &MaskedBatch) -> [usize; 3] {
    let mut fates = [0; 3];
    for &place in &*after.masked.places {
        let (was, is) = (
            before.tokens.ids[place as usize],
            after.tokens.ids[place as usize],
        );
        fates[match is {
            MASK => 0,
            is if is != was => 1,
            _ => 2,
        }] += 1;
    }
    fates
}

/// What holds for every mask.
fn check(before: &PackedBatch, after: &MaskedBatch) {
    let (was, is) = (&before.tokens.ids, &after.tokens.ids);
    let places = &after.masked.places;
    assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "ascending");
    for (&place, &id) in places.iter().zip(&*after.masked.ids) {
        assert_eq!(id, was[place as usize], "the original is remembered");
        assert!(id > MASK, "no special token is predicted: {id}");
    }
    for (at, (&was, &is)) in was.iter().zip(&**is).enumerate() {
        let chosen = places.contains(&(at as u32));
        assert!(
            chosen || was == is,
            "token {at} changed but is not predicted"
        );
        assert!(
            is == was || is >= MASK,
            "a special token was put in at {at}"
        );
    }
    assert_eq!(after.tokens.offsets, before.tokens.offsets);
    assert_eq!(after.tokens.positions, before.tokens.positions);
}

#[test]
fn shares_are_those_of_bert() {
    let before = text(1500);
    let ordinary = before.tokens.ids.iter().filter(|id| **id > MASK).count() as f64;
    for unit in [MaskUnit::Tokens, MaskUnit::Words, MaskUnit::Spans] {
        let after = masker(unit, 0.15, 7).training(&before, 0);
        check(&before, &after);
        let predicted = after.count() as f64;
        let share = predicted / ordinary;
        // A span ends with a whole word, which may be one that has more pieces than are wanted.
        let most = if unit == MaskUnit::Spans { 0.17 } else { 0.155 };
        assert!(share > 0.145 && share < most, "{unit}: {share}");
        // A random token is the original one in 1 of 100 cases.
        for (fate, expected) in fates(&before, &after).into_iter().zip([0.8, 0.099, 0.101]) {
            let found = fate as f64 / predicted;
            assert!(
                (found - expected).abs() < 0.015,
                "{unit}: {found} {expected}"
            );
        }
    }
}

#[test]
fn every_token_and_every_replacement_has_its_turn() {
    let before = batch(&[(5, (WORDS..END).collect())]);
    let masker = masker(MaskUnit::Tokens, 0.15, 3);
    let mut chosen = vec![0; before.tokens.ids.len()];
    let mut replaced = vec![0; END as usize];
    let epochs = 6000;
    for epoch in 0..epochs {
        let after = masker.training(&before, epoch);
        for &place in &*after.masked.places {
            chosen[place as usize] += 1;
            let (is, was) = (
                after.tokens.ids[place as usize],
                before.tokens.ids[place as usize],
            );
            if is != MASK && is != was {
                replaced[is as usize] += 1;
            }
        }
    }
    // 15 of 100 tokens each time: 900 ± 28.
    let (first, last) = (chosen[0], chosen[chosen.len() - 1]);
    assert_eq!((first, last), (0, 0), "special tokens");
    let inner = &chosen[1..chosen.len() - 1];
    assert!(
        inner.iter().all(|&count: &u64| count.abs_diff(900) < 150),
        "{inner:?}"
    );
    // A tenth of 90,000 tokens becomes one of 100, 1 % of them itself: 89 ± 9.
    assert!(replaced[..WORDS as usize].iter().all(|&count| count == 0));
    let ordinary = &replaced[WORDS as usize..];
    assert!(
        ordinary.iter().all(|&count: &u64| count.abs_diff(89) < 50),
        "{ordinary:?}"
    );
}

/// The parts that are predicted, as ranges of ids.
fn runs(after: &MaskedBatch) -> Vec<Vec<u32>> {
    let mut runs: Vec<Vec<u32>> = Vec::new();
    for &place in &*after.masked.places {
        match runs
            .last_mut()
            .filter(|run| run.last() == Some(&(place - 1)))
        {
            Some(run) => run.push(place),
            None => runs.push(vec![place]),
        }
    }
    runs
}

#[test]
fn words_are_masked_whole() {
    let before = text(400);
    let after = masker(MaskUnit::Words, 0.15, 11).training(&before, 2);
    let ids = &before.tokens.ids;
    let continues = |at: u32| ids[at as usize] >= PIECES;
    for run in runs(&after) {
        let (first, last) = (run[0], run[run.len() - 1]);
        assert!(!continues(first), "a mask begins inside a word at {first}");
        assert!(!continues(last + 1), "a mask ends inside a word at {last}");
    }
    // Words of one and of three pieces have the same chance.
    let long = after.masked.ids.iter().filter(|id| **id >= PIECES).count();
    let share = long as f64 / after.count() as f64;
    let expected = ids.iter().filter(|id| **id >= PIECES).count() as f64
        / ids.iter().filter(|id| **id > MASK).count() as f64;
    assert!((share - expected).abs() < 0.03, "{share} {expected}");
}

#[test]
fn spans_have_spanberts_lengths() {
    // Rows of single-token words, long enough that spans hardly meet.
    let row = |row: u64| (row, (0..400).map(|word| WORDS + word % 50).collect());
    let before = batch(&(0..400).map(row).collect::<Vec<_>>());
    let after = masker(MaskUnit::Spans, 0.02, 5).training(&before, 0);
    check(&before, &after);
    let lengths: Vec<usize> = runs(&after).iter().map(Vec::len).collect();
    let mean = lengths.iter().sum::<usize>() as f64 / lengths.len() as f64;
    // The geometric distribution that ends at 10 has mean 3.8; the last span of a row is cut.
    assert!(mean > 2.6 && mean < 3.8, "{mean}");
    assert!(lengths.iter().any(|&length| length >= 6));
    // All tokens of a span have the same fate; only spans that touch can differ.
    let mixed = runs(&after).into_iter().filter(|run| {
        let masked = run
            .iter()
            .filter(|&&at| after.tokens.ids[at as usize] == MASK)
            .count();
        masked > 0 && masked < run.len()
    });
    assert!(mixed.count() * 20 < lengths.len());
}

#[test]
fn masks_follow_from_seed_epoch_and_row() {
    let all = text(6);
    let masker_7 = masker(MaskUnit::Tokens, 0.15, 7);
    let whole = masker_7.training(&all, 4);
    assert_eq!(masker_7.training(&all, 4), whole);
    // A row has the same masks in any batch.
    let start = all.tokens.offsets.range(3);
    let row = &all.tokens.ids[start.start + 1..start.end - 1];
    let alone = masker_7.training(&batch(&[(3, row.to_vec())]), 4);
    assert_eq!(*alone.tokens.ids, whole.tokens.ids[start]);
    let other_row = masker_7.training(&batch(&[(4, row.to_vec())]), 4);
    assert_ne!(other_row.masked.places, alone.masked.places);
    assert_ne!(masker_7.training(&all, 5), whole);
    assert_ne!(masker(MaskUnit::Tokens, 0.15, 8).training(&all, 4), whole);
    // Evaluations have the same masks each time, which are those of no epoch.
    let evaluation = masker_7.evaluation(&all);
    assert_eq!(masker_7.evaluation(&all), evaluation);
    assert!((0..9).all(|epoch| masker_7.training(&all, epoch) != evaluation));
}

#[test]
fn few_tokens_and_none() {
    for unit in [MaskUnit::Tokens, MaskUnit::Words, MaskUnit::Spans] {
        let masker = masker(unit, 0.15, 1);
        // A row with anything to learn has at least one token to predict.
        let one = masker.training(&batch(&[(0, vec![WORDS])]), 0);
        assert_eq!(*one.masked.ids, [WORDS], "{unit}");
        // Special tokens and unknown words are nothing to learn.
        let before = batch(&[(0, vec![UNKNOWN, SEP, MASK]), (1, vec![])]);
        let none = masker.training(&before, 0);
        assert_eq!(none.count(), 0, "{unit}");
        assert_eq!(none.tokens, before.tokens);
    }
    let all = masker(MaskUnit::Tokens, 1.0, 1).training(&text(2), 0);
    let ordinary = text(2).tokens.ids.iter().filter(|id| **id > MASK).count();
    assert_eq!(all.count(), ordinary);
}
