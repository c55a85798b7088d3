//! Reads `pytorch_model.bin`, a state dict written by `torch.save`, in the current format (a zip
//! archive) and in that of PyTorch before 1.6 (pickles followed by the storages).
//! [`pickle`](super::pickle) reads the pickles and executes nothing.
//!
//! We use no existing reader: candle's brings all of candle with it, serde-pickle lacks the persistent
//! ids by which storages are named, and repugnant-pickle is unmaintained. `torch.save` needs only a
//! dozen instructions, and the fewer there are, the less a malicious file can do.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use zip::{CompressionMethod, ZipArchive};

use super::{
    pickle::{PickledTensor, Tensors, skip, state_dict, texts},
    raw_tensor::{Kind, RawTensor},
    safetensors::{LFS_POINTER, is_lfs_pointer},
};
use crate::ModelError;

/// Maximum size of a pickle in bytes; a model with a hundred thousand tensors has a smaller one.
const MAX_PICKLE: u64 = 16 << 20;

/// The pickled magic number at the start of files in the old format.
const OLD_MAGIC: [u8; 15] = [
    0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.',
];

/// Returns the locations of a file's tensors by name.
///
/// # Errors
/// Fails if the file cannot be read, is damaged, or contains more than weights.
pub(crate) fn open(path: &Path) -> Result<BTreeMap<String, RawTensor>, ModelError> {
    let mut file = File::open(path).map_err(ModelError::read(path))?;
    let tensors = tensors(&mut file).map_err(|problem| ModelError::Torch {
        path: path.into(),
        problem,
    })?;
    Ok(tensors)
}

fn tensors(file: &mut File) -> Result<BTreeMap<String, RawTensor>, String> {
    let mut start = Vec::new();
    let text = |error: io::Error| error.to_string();
    if is_lfs_pointer(file).map_err(text)? {
        return Err(LFS_POINTER.into());
    }
    file.take(512).read_to_end(&mut start).map_err(text)?;
    file.seek(SeekFrom::Start(0)).map_err(text)?;
    let length = file.metadata().map_err(text)?.len();
    let (tensors, storages) = match &start[..] {
        start if start.starts_with(b"PK\x03\x04") => zipped(file)?,
        start if start.starts_with(&OLD_MAGIC) => old(file, length)?,
        start if start.get(257..262) == Some(b"ustar") => {
            return Err(
                "it is in the tar format of PyTorch 0.1; load it there and save it again with a current PyTorch"
                    .into(),
            );
        }
        _ => {
            return Err(
                "it does not begin as a file of torch.save does; fetch or save it again".into(),
            );
        }
    };
    tensors
        .into_iter()
        .map(|(name, tensor)| {
            let storage = storages.get(&*tensor.storage);
            let found = match storage {
                Some(storage) => placed(&tensor, storage),
                None => Err(format!("it has no storage {}", tensor.storage)),
            };
            let found = found.map_err(|problem| format!("tensor {name}: {problem}"))?;
            Ok((name, found))
        })
        .collect()
}

/// A range of the file that tensors can share.
struct Storage {
    start: u64,
    bytes: u64,
}

type Storages = BTreeMap<String, Storage>;

/// Locates a tensor in the file, after checking that all of it is inside its storage.
fn placed(tensor: &PickledTensor, storage: &Storage) -> Result<RawTensor, String> {
    let outside = || {
        format!(
            "its shape {:?} with strides {:?} does not fit into its storage of {} bytes",
            tensor.shape, tensor.strides, storage.bytes
        )
    };
    let size = tensor.kind.size() as u64;
    let there = storage.bytes / size;
    let elements = tensor
        .shape
        .iter()
        .try_fold(1_u64, |product, &n| product.checked_mul(n));
    // A stride of 0 repeats an element, so that a small file could claim an arbitrarily large tensor.
    let elements = elements
        .filter(|&elements| elements <= there)
        .ok_or_else(outside)?;
    if elements > 0 {
        let steps = tensor.shape.iter().zip(&tensor.strides);
        let last = steps.clone().try_fold(tensor.offset, |sum, (&n, stride)| {
            sum.checked_add((n - 1).checked_mul(*stride)?)
        });
        if last.is_none_or(|last| last >= there) {
            return Err(outside());
        }
    }
    let mut dense = 1;
    let is_dense = tensor
        .shape
        .iter()
        .zip(&tensor.strides)
        .rev()
        .all(|(&n, &stride)| {
            let fits = n == 1 || stride == dense;
            dense = dense.saturating_mul(n.max(1));
            fits
        });
    let sizes = |sizes: &[u64]| -> Vec<usize> { sizes.iter().map(|&n| n as usize).collect() };
    Ok(RawTensor {
        kind: tensor.kind.clone(),
        shape: sizes(&tensor.shape),
        strides: (!is_dense && elements > 0).then(|| sizes(&tensor.strides)),
        start: storage.start + tensor.offset.min(there) * size,
    })
}

/// Reads the current format: `NAME/data.pkl` and one uncompressed member per storage.
fn zipped(file: &mut File) -> Result<(Tensors, Storages), String> {
    let broken = |error: zip::result::ZipError| format!("its zip archive is damaged: {error}");
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(broken)?;
    let names: Vec<String> = archive
        .file_names()
        .filter_map(|name| Some(name.ok()?.into_owned()))
        .collect();
    let Some(prefix) = names.iter().find_map(|name| name.strip_suffix("data.pkl")) else {
        return Err("its zip archive has no data.pkl; is it a file of torch.save?".into());
    };
    let order = format!("{prefix}byteorder");
    if names.contains(&order) {
        let order = member(&mut archive, &order, 16)?;
        if order != b"little" {
            return Err(
                "its values are big-endian; save it again on a little-endian machine".into(),
            );
        }
    }
    let pickle = member(&mut archive, &format!("{prefix}data.pkl"), MAX_PICKLE)?;
    let (tensors, _) = state_dict(&pickle)?;
    let mut storages = Storages::new();
    for (_, tensor) in &tensors {
        let key = &*tensor.storage;
        if storages.contains_key(key) {
            continue;
        }
        let name = format!("{prefix}data/{key}");
        let mut member = archive
            .by_name(&name)
            .map_err(|error| format!("its storage {name}: {error}"))?;
        if member.compression() != CompressionMethod::Stored {
            return Err(format!(
                "{name} in it is compressed, which torch.save never does"
            ));
        }
        let start = member.data_start().ok_or("its zip archive is damaged")?;
        // Reading to the end verifies the archive's checksum.
        let bytes = io::copy(&mut member, &mut io::sink())
            .map_err(|error| format!("its storage {name} is damaged: {error}"))?;
        storages.insert(key.into(), Storage { start, bytes });
    }
    Ok((tensors, storages))
}

/// Reads a whole member of an archive, of at most `longest` bytes.
fn member<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    name: &str,
    longest: u64,
) -> Result<Vec<u8>, String> {
    let broken = |error: &dyn std::fmt::Display| format!("{name} in it is damaged: {error}");
    let member = archive.by_name(name).map_err(|error| broken(&error))?;
    let mut bytes = Vec::new();
    // The length that the archive claims is not trusted.
    let mut limited = member.take(longest + 1);
    limited
        .read_to_end(&mut bytes)
        .map_err(|error| broken(&error))?;
    match bytes.len() as u64 <= longest {
        true => Ok(bytes),
        false => Err(format!("{name} in it is longer than {longest} bytes")),
    }
}

/// Reads the format before PyTorch 1.6: a pickle each for magic number, version, system, state dict and
/// the storages' keys, then each storage, preceded by its number of elements.
fn old(file: &mut File, length: u64) -> Result<(Tensors, Storages), String> {
    let text = |error: io::Error| error.to_string();
    let mut bytes = Vec::new();
    (&mut *file)
        .take(MAX_PICKLE)
        .read_to_end(&mut bytes)
        .map_err(text)?;
    let mut at = OLD_MAGIC.len();
    for _ in 0..2 {
        at += skip(&bytes[at..])?;
    }
    let (tensors, end) = state_dict(&bytes[at..])?;
    at += end;
    let (keys, end) = texts(&bytes[at..])?;
    at += end;
    let kinds: BTreeMap<&str, &Kind> = tensors
        .iter()
        .map(|(_, tensor)| (&*tensor.storage, &tensor.kind))
        .collect();
    let mut storages = Storages::new();
    let mut start = at as u64;
    for key in keys {
        let cut = || format!("it is cut short at storage {key}");
        let Some(kind) = kinds.get(&*key) else {
            return Err(format!("no tensor gives the type of its storage {key}"));
        };
        file.seek(SeekFrom::Start(start)).map_err(text)?;
        let mut elements = [0; 8];
        file.read_exact(&mut elements).map_err(|_| cut())?;
        let bytes = u64::from_le_bytes(elements).checked_mul(kind.size() as u64);
        let bytes = bytes.ok_or_else(cut)?;
        let end = start
            .checked_add(8)
            .and_then(|start| start.checked_add(bytes));
        let end = end.filter(|&end| end <= length).ok_or_else(cut)?;
        storages.insert(
            key.to_string(),
            Storage {
                start: start + 8,
                bytes,
            },
        );
        start = end;
    }
    Ok((tensors, storages))
}
