//! The routes to a data set: Hugging Face's cache, the hub, and what Python has prepared.

use std::fs;
use std::path::{Path, PathBuf};

use crate::DEFAULT_REVISION;
use crate::answer::json;
use crate::cache::RepositoryCache;
use crate::card::Card;
use crate::card_csv::CsvSettings;
use crate::checksum::Checksum;
use crate::client::Client;
use crate::data_files::{self, Layout};
use crate::dataset::{DatasetFiles, FoundDataset};
use crate::error::{HubError, IoContext};
use crate::files::Source;
use crate::hub::Hub;
use crate::name::{check_revision, refusal};
use crate::prepared;
use crate::progress::{Progress, Report};
use crate::remote_file::{self, RemoteFile};
use crate::repository::Repository;
use crate::space::{free_bytes, megabytes};
use crate::transfer::is_lfs_pointer;
use crate::tree::{Tree, ask_tree};

/// The branch with the Parquet conversion of a data set.
const CONVERSION: &str = "refs/convert/parquet";
/// Files that describe the others.
const CARDS: [&str; 2] = ["README.md", ".huggingface.yaml"];
/// Maximum size of a card in bytes.
const LONGEST_CARD: u64 = 16 << 20;
/// Downloads larger than this, in bytes, are announced.
const LARGE: u64 = 100_000_000;

/// A repository at a commit, with its card on this machine.
struct Catalog {
    tree: Tree,
    card: Card,
    dir: PathBuf,
    is_on_hub: bool,
}

impl Hub {
    /// Finds the splits of a data set and their files by its name on the hub (`imdb`,
    /// `owner/name`), in the cache or else on the hub. The files are those in the `configs` of the
    /// dataset card, or else follow from file names as in `datasets`; a data set that is a script
    /// is read from its Parquet conversion.
    ///
    /// `config` is the configuration, required if there are several and none is the default.
    /// `revision` is a branch, tag or commit, `main` by default. Only lists and cards are
    /// downloaded here; [`fetch_dataset`](Self::fetch_dataset) downloads the rows.
    ///
    /// # Errors
    /// See [`HubError`]; every message says what to do.
    pub fn find_dataset(
        &self,
        name: &str,
        config: Option<&str>,
        revision: Option<&str>,
        report: &mut dyn FnMut(Progress),
    ) -> Result<FoundDataset, HubError> {
        if let Some(reason) = refusal(name) {
            return Err(HubError::BadDatasetName {
                name: name.to_string(),
                reason,
            });
        }
        let revision = revision.unwrap_or(DEFAULT_REVISION);
        check_revision(revision)?;
        let mut repository = Repository::dataset(name);
        if !self.cache_of(&repository).root().exists()
            && let Some(owned) = self.owned_in_cache(name)
        {
            report(Progress::Note(format!(
                "{name} is taken to be {owned}, which is in the cache"
            )));
            repository = Repository::dataset(&owned);
        }
        let catalog = match self.catalog(&repository, revision, report) {
            Ok(catalog) => catalog,
            Err(error) if error.leaves_other_routes() => {
                return self.prepared(&repository, config, revision, error, report);
            }
            Err(error) => return Err(error),
        };
        let place = repository.to_string();
        let script = script(&repository, &catalog.tree.files);
        let mut catalog = catalog;
        if let Some(script) = script
            && !catalog.card.names_files()
        {
            match self.conversion(&repository, revision, &script, report) {
                Ok(conversion) => catalog = conversion,
                // Its files may be readable even without the script.
                Err(error @ HubError::ScriptDataset { .. }) => {
                    let paths = paths(&catalog.tree);
                    if data_files::by_card(&place, &catalog.card, config, &paths).is_err() {
                        return Err(error);
                    }
                    report(Progress::Note(format!(
                        "{place} has a script ({script}), which is not run: its files are read as they are"
                    )));
                }
                Err(error) => return Err(error),
            }
        }
        let paths = paths(&catalog.tree);
        let layout = match data_files::of_conversion(&place, config, &paths) {
            Some(layout) => layout?,
            None => data_files::by_card(&place, &catalog.card, config, &paths)?,
        };
        for note in &layout.notes {
            report(Progress::Note(note.clone()));
        }
        Ok(found(repository, catalog, layout))
    }

    /// Downloads the files of these splits unless they are on this machine, and verifies all of
    /// them by their checksums. Nothing from other splits is downloaded.
    ///
    /// # Errors
    /// See [`HubError`]. Files that have arrived are kept, so that the next call continues from
    /// there.
    pub fn fetch_dataset(
        &self,
        found: &FoundDataset,
        splits: &[&str],
        report: &mut dyn FnMut(Progress),
    ) -> Result<DatasetFiles, HubError> {
        let wanted = |name: &str| splits.contains(&name);
        let chosen: Vec<_> = found
            .splits
            .iter()
            .filter(|(name, _)| wanted(name))
            .collect();
        let mut missing: Vec<&RemoteFile> = Vec::new();
        for file in chosen.iter().flat_map(|(_, files)| files) {
            let is_new = missing.iter().all(|other| other.path != file.path);
            if is_new && !is_whole(&found.dir.join(&file.path), file)? {
                missing.push(file);
            }
        }
        let source = match missing.is_empty() {
            true => Source::Cache,
            false => {
                self.download_files(found, &missing, report)?;
                Source::Hub
            }
        };
        let mut here = Vec::new();
        for (name, files) in chosen {
            let mut paths = Vec::new();
            for file in files {
                let path = found.dir.join(&file.path);
                if is_lfs_pointer(&path) {
                    return Err(HubError::LfsPointer {
                        file: path.display().to_string(),
                    });
                }
                paths.push(path);
            }
            here.push((name.clone(), paths));
        }
        Ok(DatasetFiles {
            source,
            splits: here,
        })
    }

    fn download_files(
        &self,
        found: &FoundDataset,
        missing: &[&RemoteFile],
        report: Report<'_>,
    ) -> Result<(), HubError> {
        let place = found.repository.to_string();
        if self.environment.offline || !found.is_on_hub {
            let names: Vec<&str> = missing
                .iter()
                .take(3)
                .map(|file| file.path.as_str())
                .collect();
            let more = if missing.len() > 3 { ", …" } else { "" };
            return Err(HubError::NotInCache {
                place,
                missing: format!("{}{more}", names.join(", ")),
                reason: match self.environment.offline {
                    true => "HF_HUB_OFFLINE is set; unset it to download them".into(),
                    false => "The hub could not be asked for them; try again".into(),
                },
                is_offline: self.environment.offline,
            });
        }
        let cache = self.cache_of(&found.repository);
        let sizes = missing.iter().map(|file| file.size.unwrap_or(0));
        let total = sizes.fold(0, u64::saturating_add);
        if let Some(free) = free_bytes(cache.root())
            && total > free
        {
            return Err(HubError::NoSpace {
                place,
                wanted: megabytes(total),
                free: megabytes(free),
                folder: cache.root().to_path_buf(),
            });
        }
        if total > LARGE {
            report(Progress::Note(format!(
                "{place}: {} are to be downloaded ({}) into {}",
                megabytes(total),
                by_split(found, missing),
                cache.root().display()
            )));
        }
        let client = Client::new(&self.environment, self.patience)?;
        let mut blobs = Vec::new();
        let mut failed = None;
        for file in missing {
            let fetched = remote_file::fetch(
                &client,
                &cache,
                &found.repository,
                &found.commit,
                file,
                report,
            );
            match fetched {
                Ok(checksum) => blobs.push((file.path.clone(), checksum)),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        // Whatever was at a file's path was not the file.
        for (path, _) in &blobs {
            let _ = fs::remove_file(found.dir.join(path));
        }
        cache.install(&found.commit, &found.commit, &blobs)?;
        failed.map_or(Ok(()), Err)
    }

    fn cache_of(&self, repository: &Repository) -> RepositoryCache {
        RepositoryCache::new(&self.environment.cache, repository)
    }

    /// Returns the one data set in the cache that has this name and an owner.
    fn owned_in_cache(&self, name: &str) -> Option<String> {
        if name.contains('/') {
            return None;
        }
        let entries = fs::read_dir(&self.environment.cache).ok()?.flatten();
        let mut owned = entries.filter_map(|entry| {
            let folder = entry.file_name().into_string().ok()?;
            let (owner, found) = folder.strip_prefix("datasets--")?.split_once("--")?;
            (found == name).then(|| format!("{owner}/{found}"))
        });
        owned.next().filter(|_| owned.next().is_none())
    }

    /// Looks up a repository at a revision: in the cache if it has the list of files, else on the
    /// hub, else in what Python left in the cache.
    fn catalog(
        &self,
        repository: &Repository,
        revision: &str,
        report: Report<'_>,
    ) -> Result<Catalog, HubError> {
        let cache = self.cache_of(repository);
        if let Some((dir, commit)) = cache.snapshot_of(revision)
            && let Some(files) = cache.list(&commit)
            && cards_are_here(&dir, &files)
        {
            return Ok(Catalog {
                card: read_card(&repository.to_string(), &dir)?,
                tree: Tree { commit, files },
                dir,
                is_on_hub: true,
            });
        }
        let refused = match self.ask(repository, &cache, revision, report) {
            Err(error) if error.leaves_other_routes() => error,
            other => return other,
        };
        let Some((dir, commit)) = cache.snapshot_of(revision) else {
            return Err(refused);
        };
        let files = files_in(&dir);
        if files.iter().all(|file| CARDS.contains(&file.path.as_str())) {
            return Err(refused);
        }
        let names: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        if let Some((file, here, total)) = data_files::missing_shards(&names) {
            return Err(HubError::NotInCache {
                place: repository.to_string(),
                missing: format!("it has {here} of the {total} parts of which {file} is one"),
                reason: refused.to_string(),
                is_offline: matches!(refused, HubError::Offline),
            });
        }
        report(Progress::Note(format!(
            "{refused}; {repository} is used as found in the cache, and there is no way to tell whether files are missing"
        )));
        Ok(Catalog {
            card: read_card(&repository.to_string(), &dir)?,
            tree: Tree { commit, files },
            dir,
            is_on_hub: false,
        })
    }

    /// Requests the list of files and the card from the hub and stores both.
    fn ask(
        &self,
        repository: &Repository,
        cache: &RepositoryCache,
        revision: &str,
        report: Report<'_>,
    ) -> Result<Catalog, HubError> {
        if self.environment.offline {
            return Err(HubError::Offline);
        }
        let client = Client::new(&self.environment, self.patience)?;
        let tree = match ask_tree(&client, repository, revision, report) {
            Err(HubError::NotFound { what, .. }) if what == repository.to_string() => {
                return Err(no_such_dataset(&client, repository, report));
            }
            other => other?,
        };
        let mut blobs = Vec::new();
        for file in tree
            .files
            .iter()
            .filter(|file| CARDS.contains(&file.path.as_str()))
        {
            if file.size.is_some_and(|size| size > LONGEST_CARD) {
                return Err(HubError::Card {
                    place: repository.to_string(),
                    reason: format!("{} has more than {} MiB", file.path, LONGEST_CARD >> 20),
                });
            }
            let checksum =
                remote_file::fetch(&client, cache, repository, &tree.commit, file, &mut |_| {});
            let checksum = checksum.inspect_err(|_| cache.remove_empty_folders())?;
            blobs.push((file.path.clone(), checksum));
        }
        let dir = cache.install(&tree.commit, revision, &blobs)?;
        cache.keep_list(&tree.commit, &tree.files)?;
        Ok(Catalog {
            card: read_card(&repository.to_string(), &dir)?,
            tree,
            dir,
            is_on_hub: true,
        })
    }

    /// Returns the Parquet conversion of a data set that is a script.
    fn conversion(
        &self,
        repository: &Repository,
        revision: &str,
        script: &str,
        report: Report<'_>,
    ) -> Result<Catalog, HubError> {
        let refused = || HubError::ScriptDataset {
            place: repository.to_string(),
            script: script.to_string(),
            page: format!("{}/{}", self.environment.endpoint, repository.path()),
        };
        // There is no conversion of an older revision.
        if revision != DEFAULT_REVISION {
            return Err(refused());
        }
        match self.catalog(repository, CONVERSION, report) {
            Err(HubError::NotFound { .. }) => Err(refused()),
            other => other,
        }
    }

    /// Falls back to what Python's `datasets` has prepared.
    fn prepared(
        &self,
        repository: &Repository,
        config: Option<&str>,
        revision: &str,
        refused: HubError,
        report: Report<'_>,
    ) -> Result<FoundDataset, HubError> {
        let commit = Some(revision).filter(|revision| *revision != DEFAULT_REVISION);
        let mut all = prepared::find(&self.environment.datasets_cache, &repository.name, commit);
        all.retain(|one| config.is_none_or(|config| one.config == config));
        if all.len() == 1
            && let Some(one) = all.pop()
        {
            report(Progress::Note(format!(
                "{refused}; {repository} is read as prepared by Python's datasets in {}",
                one.dir.display()
            )));
            return Ok(FoundDataset {
                repository: repository.clone(),
                commit: one.commit,
                config: one.config,
                splits: one.splits,
                class_names: Vec::new(),
                csv: CsvSettings::default(),
                dir: one.dir,
                is_on_hub: false,
            });
        }
        if let HubError::Offline | HubError::Unreachable { .. } | HubError::Transfer { .. } =
            refused
        {
            let network = match refused {
                HubError::Offline => "unset HF_HUB_OFFLINE to download it",
                _ => {
                    "check the network (HTTPS_PROXY where there is a proxy, HF_ENDPOINT for a mirror)"
                }
            };
            let several: Vec<_> = all.iter().map(|one| one.config.as_str()).collect();
            let prepared = match several.is_empty() {
                true => "does not have it".to_string(),
                false => format!(
                    "has its configurations {}; name one with --dataset-config",
                    several.join(", ")
                ),
            };
            return Err(HubError::NoRoute {
                name: repository.to_string(),
                tried: format!(
                    "\n  here: there is no file or directory of this name\n  cache: {} does not have it{}\n  datasets' cache: {} {prepared}\n  hub: {refused}",
                    self.environment.cache.display(),
                    match commit {
                        Some(revision) => format!(" at revision \"{revision}\""),
                        None => String::new(),
                    },
                    self.environment.datasets_cache.display(),
                ),
                advice: format!(
                    "What to do: {network}, or name a file or directory, or set HF_HOME or HF_HUB_CACHE to a cache that has the data set."
                ),
                source: Box::new(refused),
            });
        }
        Err(refused)
    }
}

fn found(repository: Repository, catalog: Catalog, layout: Layout) -> FoundDataset {
    let file = |index: usize| catalog.tree.files.get(index).cloned();
    let splits = layout.splits.into_iter();
    let splits = splits.map(|(name, files)| (name, files.into_iter().filter_map(file).collect()));
    FoundDataset {
        splits: splits.collect(),
        repository,
        class_names: catalog.card.class_names(&layout.config),
        csv: layout.csv,
        commit: catalog.tree.commit,
        config: layout.config,
        dir: catalog.dir,
        is_on_hub: catalog.is_on_hub,
    }
}

fn paths(tree: &Tree) -> Vec<&str> {
    tree.files.iter().map(|file| file.path.as_str()).collect()
}

/// Returns the script of a repository, such as `imdb.py` of `stanfordnlp/imdb`, if it has one.
fn script(repository: &Repository, files: &[RemoteFile]) -> Option<String> {
    let name = repository.name.rsplit('/').next()?;
    let script = format!("{name}.py");
    files
        .iter()
        .any(|file| file.path == script)
        .then_some(script)
}

fn cards_are_here(dir: &Path, files: &[RemoteFile]) -> bool {
    let listed = |card: &str| files.iter().any(|file| file.path == card);
    CARDS
        .iter()
        .all(|card| !listed(card) || dir.join(card).is_file())
}

/// Reads the card of the data set in `dir`; `name` describes the data set in errors.
pub(crate) fn read_card(name: &str, dir: &Path) -> Result<Card, HubError> {
    let mut card = Card::default();
    for file in CARDS {
        let path = dir.join(file);
        if !path.is_file() {
            continue;
        }
        let bytes = fs::read(&path).context("read", &path)?;
        let text = String::from_utf8_lossy(&bytes);
        let place = format!("{name}, {file}");
        card = card.overlaid(match file.ends_with(".yaml") {
            true => Card::of_yaml(&place, &text)?,
            false => Card::of_readme(&place, &text)?,
        });
    }
    Ok(card)
}

/// Returns whether a file is present with the expected content.
fn is_whole(path: &Path, file: &RemoteFile) -> Result<bool, HubError> {
    let Ok(metadata) = fs::metadata(path) else {
        return Ok(false);
    };
    if !metadata.is_file() || file.size.is_some_and(|size| size != metadata.len()) {
        return Ok(false);
    }
    match file.checksum() {
        None => Ok(true),
        Some(checksum) => {
            let found = checksum.of_same_kind(path).context("read", path)?;
            Ok(found == checksum)
        }
    }
}

/// Lists the files in a folder that somebody else filled, such as a snapshot. There, a link leads
/// to a blob whose name is its checksum.
pub(crate) fn files_in(dir: &Path) -> Vec<RemoteFile> {
    let mut files = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                // Links between folders can form a cycle.
                if !path.is_symlink() {
                    folders.push(path);
                }
                continue;
            }
            let Some(name) = path.strip_prefix(dir).ok().and_then(Path::to_str) else {
                continue;
            };
            let blob = fs::read_link(&path).ok();
            let blob = blob.as_deref().and_then(Path::file_name);
            let checksum = blob.and_then(|name| Checksum::parse(name.to_str()?));
            files.push(RemoteFile {
                path: name.replace('\\', "/"),
                size: None,
                checksum: checksum.map(|checksum| checksum.hex().to_string()),
            });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// Describes downloads by split: `train 1.02 GB in 2 files, test 0.1 MB in 1 file`.
fn by_split(found: &FoundDataset, missing: &[&RemoteFile]) -> String {
    let mut parts = Vec::new();
    for (name, files) in &found.splits {
        let is_missing = |file: &&RemoteFile| missing.iter().any(|other| other.path == file.path);
        let files: Vec<_> = files.iter().filter(is_missing).collect();
        let sizes = files.iter().map(|file| file.size.unwrap_or(0));
        match files.len() {
            0 => {}
            count => parts.push(format!(
                "{name} {} in {count} file{}",
                megabytes(sizes.fold(0, u64::saturating_add)),
                if count == 1 { "" } else { "s" }
            )),
        }
    }
    parts.join(", ")
}

/// The error for a data set that does not exist, with similar names that the hub suggests.
fn no_such_dataset(client: &Client, repository: &Repository, report: Report<'_>) -> HubError {
    #[derive(serde::Deserialize)]
    struct Named {
        id: String,
    }
    let url = format!(
        "{}/api/datasets?search={}&limit=5",
        client.endpoint, repository.name
    );
    let found: Result<(Vec<Named>, _), _> = json(client, repository, "search", &url, report);
    let names: Vec<String> = found
        .map(|(named, _)| named.into_iter().map(|named| named.id).take(5).collect())
        .unwrap_or_default();
    HubError::NoSuchDataset {
        endpoint: client.endpoint.clone(),
        name: repository.name.clone(),
        nearest: match names.is_empty() {
            true => " Check the spelling.".to_string(),
            false => format!(" It has {}.", names.join(", ")),
        },
    }
}
