//! Times the matrix multiplications that an encoder's step has, by each strategy of cubek, on the first CUDA device.
//! Prints the microseconds and TFLOP/s of each.
#![allow(clippy::unwrap_used, unsafe_code)]

use std::time::Instant;

use burn_cubecl::{
    CubeDevice,
    cubecl::{self, prelude::*},
};
use cubek::{
    matmul::{
        definition::{MatmulElems, MatmulGlobalElems},
        launch::launch_ref,
        multi_level::{
            Strategy as Levels,
            components::tile::TileMatmulKind,
            routines::batch::{
                double_buffering::DoubleBufferingArgs,
                ordered_double_buffering::OrderedSelectionArgs, simple::SimpleArgs,
            },
        },
        routine::BlueprintStrategy::Inferred,
        strategy::Strategy,
        tiled,
    },
    std::InputBinding,
};

fn strategies() -> Vec<(String, Strategy)> {
    let mut all: Vec<(String, Strategy)> = vec![("auto".into(), Strategy::Auto)];
    for tile_matmul in [TileMatmulKind::Cmma, TileMatmulKind::Mma] {
        let cmma = tile_matmul == TileMatmulKind::Cmma;
        for multi_rows in [false, true] {
            let args = || SimpleArgs {
                tile_matmul,
                multi_rows,
            };
            let list = match cmma {
                true => vec![
                    Levels::SimpleCyclicCmma(Inferred(args())),
                    Levels::SimpleStridedCmma(Inferred(args())),
                    Levels::SimpleTilewiseCmma(Inferred(args())),
                    Levels::SimpleAsyncCyclicCmma(Inferred(args())),
                    Levels::SimpleTmaCmma(Inferred(args())),
                ],
                false => vec![
                    Levels::SimpleCyclicMma(Inferred(args())),
                    Levels::SimpleStridedMma(Inferred(args())),
                    Levels::SimpleTilewiseMma(Inferred(args())),
                    Levels::SimpleAsyncCyclicMma(Inferred(args())),
                    Levels::SimpleTmaMma(Inferred(args())),
                ],
            };
            all.extend(list.into_iter().map(|s| (format!("{s}"), s.into())));
        }
        for specialized in [false, true] {
            let args = || DoubleBufferingArgs {
                specialized,
                tile_matmul,
            };
            let list = match cmma {
                true => vec![
                    Levels::DoubleCyclicCmma(Inferred(args())),
                    Levels::DoubleTilewiseCmma(Inferred(args())),
                    Levels::DoubleHybridCmma(Inferred(args())),
                    Levels::DoubleAsyncCyclicCmma(Inferred(args())),
                    Levels::DoubleTmaCmma(Inferred(args())),
                ],
                false => vec![
                    Levels::DoubleCyclicMma(Inferred(args())),
                    Levels::DoubleTilewiseMma(Inferred(args())),
                    Levels::DoubleHybridMma(Inferred(args())),
                    Levels::DoubleAsyncCyclicMma(Inferred(args())),
                    Levels::DoubleTmaMma(Inferred(args())),
                ],
            };
            all.extend(list.into_iter().map(|s| (format!("{s}"), s.into())));
        }
        for rows in [4, 8] {
            let args = OrderedSelectionArgs {
                partition_k: Some(2),
                row_count: Some(rows),
                rows_per_plane: Some(2),
                tile_matmul,
            };
            let s = match cmma {
                true => Levels::OrderedDoubleCmma(Inferred(args)),
                false => Levels::OrderedDoubleMma(Inferred(args)),
            };
            all.push((format!("{s}"), s.into()));
        }
        let list = match cmma {
            true => vec![
                Levels::SpecializedCyclicCmma(Inferred(().into())),
                Levels::SpecializedTmaCmma(Inferred(().into())),
            ],
            false => vec![
                Levels::SpecializedCyclicMma(Inferred(().into())),
                Levels::SpecializedTmaMma(Inferred(().into())),
            ],
        };
        all.extend(list.into_iter().map(|s| (format!("{s}"), s.into())));
    }
    all.push(("unit".into(), Levels::SimpleUnit(Default::default()).into()));
    all.push((
        "double unit".into(),
        Levels::DoubleUnit(Default::default()).into(),
    ));
    all.push((
        "tiled cmma".into(),
        tiled::Strategy::Cmma(Default::default()).into(),
    ));
    all
}

#[cube(launch)]
fn touch(values: &mut [f32]) {
    if ABSOLUTE_POS < values.len() {
        values[ABSOLUTE_POS] += 1.0f32;
    }
}

fn main() {
    let device = CubeDevice::Cuda(Default::default());
    let client = device.client();
    println!("{}", client.name());
    let wait = || futures_lite_block(client.sync());

    let small = client.empty(4096);
    for count in [1usize, 2000] {
        let start = Instant::now();
        for _ in 0..count {
            touch::launch(
                &client,
                CubeCount::Static(4, 1, 1),
                CubeDim::new_1d(256),
                unsafe { BufferArg::from_raw_parts(small.clone(), 1024) },
            );
        }
        let host = start.elapsed();
        wait();
        println!(
            "{count} launches: {:.2} us each on the host, {:.2} us in all",
            host.as_secs_f64() * 1e6 / count as f64,
            start.elapsed().as_secs_f64() * 1e6 / count as f64
        );
    }
    let start = Instant::now();
    for _ in 0..100 {
        client.read_one(small.clone()).unwrap();
    }
    println!("a read: {:.1} us", start.elapsed().as_secs_f64() * 1e4);

    let seconds: f64 = std::env::args().nth(1).map_or(60.0, |s| s.parse().unwrap());
    let begun = Instant::now();
    let names: Vec<String> = std::env::args().skip(2).collect();
    let shapes = [
        ("x·W", 3584, 768, 3072, false, false),
        ("g·Wt", 3584, 3072, 768, false, true),
        ("xt·g", 768, 3584, 3072, true, false),
        ("x·W", 448, 768, 768, false, false),
        ("g·Wt", 448, 768, 768, false, true),
        ("xt·g", 768, 448, 768, true, false),
    ];
    for (name, m, k, n, left, right) in shapes {
        for (kind, size) in [("tf32", 4), ("bf16", 2)] {
            let elem = match kind {
                "tf32" => f32::elem_type_native(),
                _ => burn::backend::cubecl::dtype_to_storage_type(burn::tensor::DType::BF16),
            };
            let (a, b) = (client.empty(m * k * size), client.empty(k * n * size));
            let out = client.empty(m * n * 4);
            let view =
                |handle: &cubecl::server::Handle, rows: usize, columns: usize, transposed: bool| {
                    let strides: [usize; 2] = if transposed { [1, rows] } else { [columns, 1] };
                    unsafe {
                        TensorBinding::from_raw_parts(
                            handle.clone(),
                            strides.into(),
                            [rows, columns].into(),
                        )
                    }
                };
            let mut found: Vec<(f64, String)> = Vec::new();
            let mut failed = 0;
            for (label, strategy) in strategies() {
                if !names.is_empty() && !names.iter().any(|name| label.contains(name.as_str())) {
                    continue;
                }
                if begun.elapsed().as_secs_f64() > seconds {
                    break;
                }
                let run = || {
                    let mut elems = MatmulElems::from_globals(&MatmulGlobalElems {
                        lhs: elem,
                        rhs: elem,
                        out: f32::elem_type_native(),
                    });
                    launch_ref(
                        &strategy,
                        &client,
                        InputBinding::new(view(&a, m, k, left), elem),
                        InputBinding::new(view(&b, k, n, right), elem),
                        view(&out, m, n, false),
                        &mut elems,
                    )
                };
                let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    run().map_err(|e| format!("{e:?}"))
                }));
                match outcome {
                    Ok(Ok(())) => {}
                    Ok(Err(reason)) => {
                        if failed < 2 {
                            println!(
                                "  {label}: {}",
                                reason.chars().take(150).collect::<String>()
                            );
                        }
                        failed += 1;
                        continue;
                    }
                    Err(_) => {
                        failed += 1;
                        continue;
                    }
                }
                if futures_lite_block(client.sync()).is_err() {
                    failed += 1;
                    continue;
                }
                for _ in 0..3 {
                    let _ = run();
                }
                let _ = futures_lite_block(client.sync());
                let start = Instant::now();
                for _ in 0..50 {
                    let _ = run();
                }
                let _ = futures_lite_block(client.sync());
                found.push((start.elapsed().as_secs_f64() / 50.0, label));
            }
            found.sort_by(|a, b| a.0.total_cmp(&b.0));
            println!(
                "{name} {m}x{k}x{n} {kind}: {} strategies, {failed} failed, {:.0} s",
                found.len(),
                begun.elapsed().as_secs_f64()
            );
            for (time, label) in found
                .iter()
                .take(6)
                .chain(found.iter().filter(|f| f.1 == "auto"))
            {
                println!(
                    "  {:8.1} us {:7.1} TFLOP/s  {label}",
                    time * 1e6,
                    2.0 * (m * k * n) as f64 / time / 1e12
                );
            }
        }
    }
}

fn futures_lite_block<T>(future: cubecl::future::DynFut<T>) -> T {
    cubecl::future::block_on(future)
}
