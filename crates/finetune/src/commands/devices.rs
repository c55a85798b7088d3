//! `finetune devices`: what there is to compute on.

use std::process::ExitCode;

use finetune_infer::{DeviceFacts, Listing, devices};

use crate::{
    cli::args::DevicesArguments,
    error::Failure,
    view::{
        output::{print_json, show},
        terminal::{fit, widest},
    },
};

/// Lists the devices of this build and machine.
///
/// # Errors
/// Fails if standard output cannot be written to.
pub fn run(arguments: &DevicesArguments) -> Result<ExitCode, Failure> {
    let listing = devices();
    match arguments.json {
        true => {
            let json = serde_json::to_string(&listing);
            print_json(json.map_err(|error| Failure::Internal(error.to_string()))?)?;
        }
        false => show(&table(&listing))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Formats a line for each device, and below one for each that is missing.
fn table(listing: &Listing) -> String {
    let header = ["device", "what", "memory", "driver", "precisions", "note"];
    let mut lines = vec![header.map(str::to_owned)];
    lines.extend(listing.devices.iter().map(line));
    let mut text = String::new();
    let widths: Vec<usize> = (0..header.len())
        .map(|column| widest(lines.iter().map(|line| &line[column]), 0))
        .collect();
    for line in &lines {
        let cells = line.iter().zip(&widths);
        let cells: Vec<_> = cells.map(|(cell, &width)| fit(cell, width)).collect();
        text += &format!("{}\n", cells.join("  ").trim_end());
    }
    if !listing.missing.is_empty() {
        text.push('\n');
    }
    for missing in &listing.missing {
        text += &format!("{}: {}\n", missing.name, missing.reason);
    }
    text
}

fn line(device: &DeviceFacts) -> [String; 6] {
    let gigabytes = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
    let memory = device.memory_bytes.map(gigabytes);
    let free = device.free_memory_bytes.map(gigabytes);
    let auto = device.is_auto.then(|| "what auto takes".to_owned());
    let note = (!device.note.is_empty()).then(|| device.note.clone());
    [
        device.name.clone(),
        device.description.clone(),
        match (memory, free) {
            (Some(memory), Some(free)) => format!("{memory}, {free} free"),
            (memory, _) => memory.unwrap_or_default(),
        },
        device.driver.clone(),
        format!(
            "{}; auto = {}",
            device.precisions.join(", "),
            device.auto_precision
        ),
        [auto, note]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("; "),
    ]
}

#[cfg(test)]
mod tests {
    use finetune_infer::MissingDevice;

    use super::*;

    #[test]
    fn devices_are_aligned_and_what_is_missing_comes_last() {
        let gpu = DeviceFacts {
            name: "cuda:0".into(),
            description: "H100".into(),
            memory_bytes: Some(85_000_000_000),
            free_memory_bytes: Some(84_000_000_000),
            driver: "CUDA 13.0".into(),
            precisions: vec!["f32", "tf32", "bf16"],
            auto_precision: "bf16",
            is_auto: true,
            note: "compute capability 9.0".into(),
        };
        let listing = Listing {
            devices: vec![gpu],
            missing: vec![MissingDevice {
                name: "wgpu",
                reason: "not in this build".into(),
            }],
        };
        assert_eq!(
            table(&listing),
            "device  what  memory                 driver     precisions                    note\n\
             cuda:0  H100  85.0 GB, 84.0 GB free  CUDA 13.0  f32, tf32, bf16; auto = bf16  what auto takes; compute capability 9.0\n\
             \n\
             wgpu: not in this build\n"
        );
    }
}
