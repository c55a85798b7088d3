//! Counts the rows that two selections share.

use crate::read::SourceFile;
use crate::rows::split::Part;
use crate::{Result, Split};

impl Split {
    /// Counts the rows of this selection that are also in `other`: rows with the same index in the
    /// same file or in a file with identical content. Files with different names are hashed for
    /// this.
    ///
    /// # Errors
    /// Fails if a file cannot be read.
    pub fn rows_in_common(&self, other: &Split) -> Result<u64> {
        let mut common = 0;
        for (part, index, start, rows) in files(self)? {
            let file = &part.series.files[index];
            let mut others = Vec::new();
            for (theirs, index, start, _) in files(other)? {
                if same(file, &theirs.series.files[index])? {
                    others.push((theirs, start));
                }
            }
            let both = |row: &u64| {
                let theirs = |(part, start): &(&Part, u64)| part.rows.contains(start + row);
                part.rows.contains(start + row) && others.iter().any(theirs)
            };
            if !others.is_empty() {
                common += (0..rows).filter(both).count() as u64;
            }
        }
        Ok(common)
    }
}

/// Lists every file of every part with its index in the part, its first row there, and its number
/// of rows.
fn files(split: &Split) -> Result<Vec<(&Part, usize, u64, u64)>> {
    let mut files = Vec::new();
    for part in split.parts() {
        for (index, range) in part.series.starts()?.windows(2).enumerate() {
            files.push((part, index, range[0], range[1] - range[0]));
        }
    }
    Ok(files)
}

fn same(a: &SourceFile, b: &SourceFile) -> Result<bool> {
    Ok(a.path == b.path || a.content_hash()? == b.content_hash()?)
}

#[cfg(test)]
mod tests {
    use crate::Dataset;

    #[test]
    fn counted_by_file_and_row() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, rows: std::ops::Range<u32>| {
            let rows: String = rows.map(|row| format!("{row}\n")).collect();
            let path = folder.path().join(name);
            std::fs::write(&path, rows).unwrap();
            Dataset::open_file(&path).unwrap()
        };
        let (all, copy, other) = (
            write("all.txt", 0..100),
            write("copy.txt", 0..100),
            write("other.txt", 0..50),
        );
        let rows = |data: &Dataset, split: &str| data.split(split).unwrap();
        let common = |a: &crate::Split, b: &crate::Split| {
            let found: u64 = crate::Split::rows_in_common(a, b).unwrap();
            assert_eq!(found, crate::Split::rows_in_common(b, a).unwrap());
            found
        };
        let (first, last) = (rows(&all, "train[:60]"), rows(&all, "train[50:]"));
        assert_eq!(common(&first, &last), 10);
        assert_eq!(common(&rows(&copy, "train[:60]"), &last), 10);
        assert_eq!(common(&rows(&other, "train"), &last), 0);
        let drawn = rows(&all, "train").shuffle_take(1, 30).unwrap();
        assert_eq!(common(&drawn, &rows(&copy, "train")), 30);
        assert_eq!(common(&drawn, &drawn), 30);
    }
}
