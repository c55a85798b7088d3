use super::*;
use crate::{
    Offsets, Pooling,
    ops::{EncoderOps, Pool},
};

#[test]
fn pooling() {
    for (lengths, columns) in [(&[1][..], 1), (&[3, 1, 7], 20), (&[40, 50, 33, 1, 20], 256)] {
        let offsets = Offsets::from_lengths(lengths.iter().copied());
        for pooling in Pooling::ALL {
            for tracked in [0b0, 0b1] {
                let shapes: [&[usize]; 1] = [&[offsets.num_tokens(), columns]];
                assert_agrees!(inputs(&shapes, tracked), tensors => {
                    let [x] = take(tensors);
                    B::pool(Pool { x, offsets: offsets.clone(), pooling })
                });
            }
        }
    }
}
