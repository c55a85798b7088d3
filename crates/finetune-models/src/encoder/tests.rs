//! Tests of the encoder with tiny random models: all ways through it agree.

use burn::Tensor;
use finetune_kernels::{DropoutSource, Indices, Offsets, PackedTokens, pool};
use serde_json::json;

use crate::{
    ChosenTokens, HiddenStates,
    family::{DISTILBERT, ELECTRA, FAMILIES, ROBERTA},
    testing::{config, config_with, model, tokens},
};

const OFF: DropoutSource = DropoutSource::OFF;

fn values(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn close(found: &[f32], expected: &[f32]) -> bool {
    let pairs = found.iter().zip(expected);
    found.len() == expected.len() && pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-5)
}

#[test]
fn what_the_head_reads_comes_from_the_whole() {
    for family in FAMILIES {
        let model = model(config(family));
        let tokens = tokens();
        let all = model.encoder.encode(&tokens, OFF).unwrap();
        assert_eq!(all.dims(), [11, 12]);
        let pooling = model.config().structure.pooling;
        let expected = values(pool(all, &tokens.offsets, pooling));
        for layer in 0..=3 {
            let hidden = model.encoder.embed(&tokens, OFF).unwrap();
            let hidden = model.encoder.run(hidden, layer, &tokens.offsets, OFF);
            assert_eq!(hidden.layer, layer);
            let logits = model.forward_from(hidden.clone(), &tokens.offsets, OFF);
            let pooled = model.encoder.pooled(hidden, &tokens.offsets, OFF);
            let name = family.model_type;
            assert!(close(&values(pooled), &expected), "{name} from {layer}");
            let whole = model.forward(&tokens, OFF).unwrap();
            assert_eq!(whole.dims(), [3, 5]);
            assert!(
                close(&values(logits), &values(whole)),
                "{name} from {layer}"
            );
        }
    }
}

/// Any number of tokens of a sequence, none of some.
#[test]
fn chosen_tokens_are_those_of_the_whole() {
    for family in FAMILIES {
        let model = model(config(family));
        let tokens = tokens();
        let all = model.encoder.encode(&tokens, OFF).unwrap();
        for places in [vec![1], vec![0, 2, 3, 5, 10], vec![4], (0..11).collect()] {
            let places: Indices = places.into();
            let chosen = ChosenTokens::new(&places, &tokens.offsets).unwrap();
            let hidden = model.encoder.embed(&tokens, OFF).unwrap();
            let found = model.encoder.chosen(hidden, &chosen, &tokens.offsets, OFF);
            let expected = chosen.select(all.clone());
            assert_eq!(found.dims(), [places.len(), 12]);
            assert!(close(&values(found), &values(expected)), "{places:?}");
        }
    }
}

#[test]
fn states_beyond_the_wanted_layer_stay_as_they_are() {
    let model = model(config(&DISTILBERT));
    let tokens = tokens();
    let hidden = model.encoder.embed(&tokens, OFF).unwrap();
    let HiddenStates { values: two, .. } =
        model.encoder.run(hidden.clone(), 2, &tokens.offsets, OFF);
    let states = HiddenStates {
        values: two.clone(),
        layer: 2,
    };
    let again = model.encoder.run(states, 1, &tokens.offsets, OFF);
    assert_eq!((again.layer, values(again.values)), (2, values(two)));
    let end = model.encoder.run(hidden, 100, &tokens.offsets, OFF);
    assert_eq!(end.layer, 3);
}

#[test]
fn a_sequence_does_not_see_its_neighbours() {
    for family in FAMILIES {
        let model = model(config(family));
        let tokens = tokens();
        let whole = values(model.forward(&tokens, OFF).unwrap());
        for (number, range) in tokens.offsets.ranges().enumerate() {
            let alone = PackedTokens {
                ids: tokens.ids[range.clone()].into(),
                positions: tokens.positions[range.clone()].into(),
                type_ids: tokens.type_ids[range.clone()].into(),
                offsets: Offsets::from_lengths([range.len() as u32]),
                used_rows: None,
            };
            let alone = values(model.forward(&alone, OFF).unwrap());
            assert!(close(&alone, &whole[5 * number..5 * number + 5]));
        }
    }
}

#[test]
fn token_types_count_where_the_family_has_them() {
    for family in FAMILIES {
        let model = model(config(family));
        let with = tokens();
        let without = PackedTokens {
            type_ids: [0; 11].into(),
            ..tokens()
        };
        let [with, without] = [with, without].map(|t| values(model.forward(&t, OFF).unwrap()));
        let counts = matches!(family.model_type, "bert" | "electra" | "finetune");
        assert_eq!(with != without, counts, "{}", family.model_type);
    }
}

#[test]
fn padding_inside_a_text_moves_no_position() {
    // With 9 as the padding token, the positions are 10, 9, 11, 12.
    let model = model(config_with(
        &ROBERTA,
        json!({ "pad_token_id": 9, "max_position_embeddings": 17 }),
    ));
    let one = |ids: [u32; 4]| PackedTokens {
        ids: ids.into(),
        positions: [0, 1, 2, 3].into(),
        type_ids: [0; 4].into(),
        offsets: Offsets::from_lengths([4]),
        used_rows: None,
    };
    let rules = super::InputRules::new(model.config());
    assert_eq!(
        *rules.apply(&one([5, 9, 6, 7])).unwrap().positions,
        [10, 9, 11, 12]
    );
    // Rows 10 to 16 of the position table remain for tokens.
    assert_eq!(model.config().longest_sequence(), 7);
    let long = PackedTokens {
        ids: [5; 8].into(),
        positions: (0..8).collect(),
        type_ids: [0; 8].into(),
        offsets: Offsets::from_lengths([8]),
        used_rows: None,
    };
    let error = model.forward(&long, OFF).unwrap_err().to_string();
    assert!(error.contains("position 17"), "{error}");
}

#[test]
fn batches_that_do_not_fit_are_refused() {
    let model = model(config(&ELECTRA));
    let check = |change: &dyn Fn(&mut PackedTokens), word: &str| {
        let mut tokens = tokens();
        change(&mut tokens);
        let error = model.forward(&tokens, OFF).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    check(&|t| t.ids = [23; 11].into(), "token id 23");
    check(&|t| t.positions = [17; 11].into(), "position 17");
    check(&|t| t.type_ids = [2; 11].into(), "token type 2");
    check(&|t| t.type_ids = [0; 3].into(), "3 type_ids for 11 tokens");
    check(
        &|t| t.offsets = Offsets::from_lengths([0, 11]),
        "without tokens",
    );
}

#[test]
fn dropout_depends_on_the_step_alone() {
    for family in FAMILIES {
        let model = model(config(family));
        let tokens = tokens();
        let at = |step| values(model.forward(&tokens, DropoutSource::at(3, step)).unwrap());
        assert_eq!(at(1), at(1));
        assert_ne!(at(1), at(2));
    }
}
