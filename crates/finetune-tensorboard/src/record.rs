//! TFRecord framing as in `tensorboard/summary/writer/record_writer.py`, all little-endian:
//!
//! ```text
//! u64 length, u32 masked CRC of the length's bytes, data, u32 masked CRC of the data
//! ```

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::PathBuf;

use crate::error::TensorboardError;

const HEADER: usize = 12;
const FOOTER: usize = 4;
/// Maximum length of a protobuf message, 2 GiB.
const MAX_LENGTH: u64 = i32::MAX as u64;

/// Computes the masked CRC-32C, which is rotated and shifted because the CRC of data that ends in its
/// own CRC is a constant.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data)
        .rotate_right(15)
        .wrapping_add(0xA282_EAD8)
}

/// Appends a record to `out`.
pub fn frame(data: &[u8], out: &mut Vec<u8>) {
    let length = (data.len() as u64).to_le_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&masked_crc(&length).to_le_bytes());
    out.extend_from_slice(data);
    out.extend_from_slice(&masked_crc(data).to_le_bytes());
}

/// Reads and verifies records.
#[derive(Debug)]
pub struct RecordReader {
    path: PathBuf,
    file: BufReader<File>,
    /// The position of the end of the last complete record.
    position: u64,
    data: Vec<u8>,
}

impl RecordReader {
    /// Opens a file of records.
    ///
    /// # Errors
    /// Fails if the file cannot be opened.
    pub fn open(path: PathBuf) -> Result<Self, TensorboardError> {
        match File::open(&path) {
            Ok(file) => Ok(Self {
                path,
                file: BufReader::new(file),
                position: 0,
                data: Vec::new(),
            }),
            Err(source) => Err(TensorboardError::Io {
                action: "open",
                path,
                source,
            }),
        }
    }

    pub fn position(&self) -> u64 {
        self.position
    }

    /// Returns the data of the next record; `None` at the end of the file.
    ///
    /// # Errors
    /// Fails if the file cannot be read, is damaged, or ends within the record.
    pub fn next(&mut self) -> Result<Option<&[u8]>, TensorboardError> {
        match self.fill(HEADER as u64)? {
            0 => return Ok(None),
            HEADER => {}
            _ => return Err(self.truncated()),
        }
        let (length, crc) = self.data.split_at(8);
        if masked_crc(length).to_le_bytes() != crc {
            return Err(self.damaged(self.position, "has a length with a wrong checksum"));
        }
        let length = length.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b));
        if length > MAX_LENGTH {
            return Err(self.damaged(
                self.position,
                format!("claims {length} bytes; 2 GiB is the most"),
            ));
        }

        let read = self.fill(length + FOOTER as u64)?;
        if (read as u64) < length + FOOTER as u64 {
            return Err(self.truncated());
        }
        let (data, crc) = self.data.split_at(read - FOOTER);
        if masked_crc(data).to_le_bytes() != crc {
            return Err(self.damaged(self.position, "has data with a wrong checksum"));
        }
        self.position += (HEADER + read) as u64;
        Ok(Some(&self.data[..read - FOOTER]))
    }

    /// Reads up to `count` bytes into `self.data`. Memory grows with the bytes that exist, whatever the
    /// header claims.
    fn fill(&mut self, count: u64) -> Result<usize, TensorboardError> {
        self.data.clear();
        let read = self.file.by_ref().take(count).read_to_end(&mut self.data);
        read.map_err(|source| TensorboardError::Io {
            action: "read",
            path: self.path.clone(),
            source,
        })
    }

    fn truncated(&self) -> TensorboardError {
        TensorboardError::Truncated {
            path: self.path.clone(),
            position: self.position,
        }
    }

    /// Returns an error of the record that starts at `position`.
    pub fn damaged(&self, position: u64, reason: impl Into<String>) -> TensorboardError {
        TensorboardError::Damaged {
            path: self.path.clone(),
            position,
            reason: reason.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values come from tensorboard's `pywrap_tensorflow.masked_crc32c`.
    #[test]
    fn masks_as_tensorboard() {
        assert_eq!(masked_crc(b""), 0xA282_EAD8);
        assert_eq!(masked_crc(b"123456789"), 0xC78A_B0E5);
        assert_eq!(masked_crc(&24u64.to_le_bytes()), 0x224B_7FA3);
    }
}
