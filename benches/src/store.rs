//! Stores the latest result of each job in `results.json` and `README.md`.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::arguments::Job;
use super::markdown;
use super::results::JobResult;
use xtask::datasets::write::write_atomically;

/// The version of the file's layout.
const VERSION: u32 = 1;

/// The latest result of every job that was ever run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    version: u32,
    jobs: BTreeMap<String, JobResult>,
}

impl Default for Results {
    fn default() -> Self {
        Self {
            version: VERSION,
            jobs: BTreeMap::new(),
        }
    }
}

impl Results {
    /// Replaces the job's previous result.
    pub fn set(&mut self, job: Job, result: JobResult) {
        self.jobs.insert(job.name(), result);
    }

    /// Iterates over the existing results in the order of the jobs.
    pub fn iter(&self) -> impl Iterator<Item = (Job, &JobResult)> {
        let jobs = Job::value_variants().iter();
        jobs.filter_map(|&job| Some((job, self.jobs.get(&job.name())?)))
    }
}

/// The folder with both files.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    results: Results,
}

impl Store {
    /// Reads the results in `folder`.
    ///
    /// # Errors
    /// Fails if there is a file that this program did not write.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join("results.json");
        let results = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Results::default(),
            text => {
                let text = text.with_context(|| format!("cannot read {}", path.display()))?;
                parse(&text).with_context(|| {
                    format!(
                        "{} was not written by this program; move it away",
                        path.display()
                    )
                })?
            }
        };
        Ok(Self {
            folder: folder.to_owned(),
            results,
        })
    }

    /// Stores a result and writes both files, each atomically.
    ///
    /// # Errors
    /// Fails if a file cannot be written.
    pub fn keep(&mut self, job: Job, result: JobResult) -> Result<()> {
        self.results.set(job, result);
        let mut json = serde_json::to_vec_pretty(&self.results)?;
        json.push(b'\n');
        write_atomically(&self.folder.join("results.json"), &json)?;
        let page = markdown::page(&self.results);
        write_atomically(&self.folder.join("README.md"), page.as_bytes())
    }
}

fn parse(text: &[u8]) -> Result<Results> {
    let results: Results = serde_json::from_slice(text)?;
    ensure!(
        results.version == VERSION,
        "its version is {}, and this program writes {VERSION}",
        results.version
    );
    Ok(results)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::results::Verdict;
    use crate::results::tests::table;

    pub fn result(title: &str, speed: f64) -> JobResult {
        JobResult {
            title: title.to_owned(),
            date: "2026-01-02T03:04:05Z".to_owned(),
            machine: Machine {
                cpu: "AMD EPYC".to_owned(),
                cores: 2,
                memory_bytes: 24 << 30,
                features: vec!["avx2".to_owned()],
                system: "linux x86_64".to_owned(),
            },
            versions: BTreeMap::from([("torch".to_owned(), "2.15.0".to_owned())]),
            settings: "Batches of 16 rows.".to_owned(),
            tables: vec![table(&[("ours", &[speed]), ("peer", &[])])],
            targets: vec![Verdict {
                what: "ours to peer".to_owned(),
                aim: "≥ 2.00 ×".to_owned(),
                found: None,
                met: None,
            }],
            notes: vec!["A note.".to_owned()],
            text: None,
        }
    }

    #[test]
    fn other_jobs_keep_their_results() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        store.keep(Job::Full, result("full", 1.0)).unwrap();
        store.keep(Job::Lora, result("lora", 2.0)).unwrap();
        let mut again = Store::open(folder.path()).unwrap();
        again.keep(Job::Lora, result("lora", 3.0)).unwrap();
        let results = Store::open(folder.path()).unwrap().results;
        let found: Vec<_> = results
            .iter()
            .map(|(job, result)| (job, result.tables[0].rows[0].median("speed")))
            .collect();
        assert_eq!(found, [(Job::Full, Some(1.0)), (Job::Lora, Some(3.0))]);
        let page = fs::read_to_string(folder.path().join("README.md")).unwrap();
        assert_eq!(page, markdown::page(&results));
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }

    #[test]
    fn a_foreign_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["not JSON", r#"{"version": 2, "jobs": {}}"#] {
            fs::write(folder.path().join("results.json"), text).unwrap();
            let error = format!("{:#}", Store::open(folder.path()).unwrap_err());
            assert!(error.contains("move it away"), "{error}");
        }
    }
}
