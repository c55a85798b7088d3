//! Finds `libdevice.10.bc`, the mathematical functions of NVIDIA's toolkit, which CubeCL compiles into kernels.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

/// Folders of the toolkit that CubeCL looks at without `CUDA_PATH`, in this order.
#[cfg(feature = "cuda")]
const ROOTS: [&str; 4] = ["/usr/local/cuda", "/opt/cuda", "/usr/lib/cuda", "/usr"];

/// Returns the file that CubeCL will use.
///
/// # Errors
/// Fails with the places that were looked at.
#[cfg(feature = "cuda")]
pub(super) fn find() -> Result<PathBuf, Vec<PathBuf>> {
    find_in(
        std::env::var_os("CUDA_PATH").as_deref(),
        &ROOTS.map(Path::new),
    )
}

/// Looks below `chosen`, and nowhere else if that is set; otherwise below the first root with such a folder.
fn find_in(chosen: Option<&OsStr>, roots: &[&Path]) -> Result<PathBuf, Vec<PathBuf>> {
    let chosen = chosen.map(Path::new);
    let roots = chosen.as_ref().map_or(roots, std::slice::from_ref);
    let files: Vec<_> = roots
        .iter()
        .map(|root| root.join("nvvm/libdevice/libdevice.10.bc"))
        .collect();
    let has_folder = |file: &&PathBuf| file.parent().is_some_and(Path::is_dir);
    match files.iter().find(has_folder) {
        Some(file) if file.is_file() => Ok(file.clone()),
        _ => Err(files),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_comes_before_the_usual_places() {
        let folder = tempfile::tempdir().unwrap();
        let [with, without] = ["with", "without"].map(|name| folder.path().join(name));
        let file = with.join("nvvm/libdevice/libdevice.10.bc");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let all = [without.as_path(), with.as_path()];
        assert_eq!(find_in(None, &all).unwrap_err().len(), 2);
        std::fs::write(&file, "").unwrap();
        assert_eq!(find_in(None, &all), Ok(file.clone()));
        assert_eq!(find_in(Some(with.as_os_str()), &[]), Ok(file));
        let looked = find_in(Some(without.as_os_str()), &all).unwrap_err();
        assert_eq!(looked, [without.join("nvvm/libdevice/libdevice.10.bc")]);
    }
}
