//! Data sets: one folder each under `datasets/`, built from its recipe on first use.

pub mod committed;
pub mod fetch;
pub mod recipe;
pub mod split;
pub mod stamp;
pub mod text;
pub mod toy;
pub mod vader;
pub mod write;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use self::recipe::{Recipe, Rows, Transform};
use self::split::{Example, Splits};
use self::stamp::{LeftOut, Stamp};
use self::write::{Format, encode, write_atomically};

/// The data set that `cargo xtask train` uses by default.
pub const DEFAULT: &str = "movie_reviews";

/// A folder of data sets.
#[derive(Debug, Clone)]
pub struct Catalog {
    folder: PathBuf,
}

/// The result of [`Catalog::build`].
#[derive(Debug)]
pub struct Built {
    /// Folder with one file per split.
    pub folder: PathBuf,
    /// Row counts of the result.
    pub stamp: Stamp,
    /// False if everything was there already.
    pub fresh: bool,
}

impl Catalog {
    /// Opens the data sets in `folder`.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Returns the names of all data sets, sorted.
    ///
    /// # Errors
    /// Fails if the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>> {
        let entries = fs::read_dir(&self.folder)
            .with_context(|| format!("cannot read {}", self.folder.display()))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.path().join("recipe.toml").is_file() {
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort();
        Ok(names)
    }

    /// Returns the folder of the data set `name`.
    ///
    /// # Errors
    /// Fails if there is no data set of that name; the message lists all of them.
    pub fn locate(&self, name: &str) -> Result<PathBuf> {
        let names = self.names()?;
        if !names.iter().any(|known| known == name) {
            bail!("no data set `{name}`; there are: {}", names.join(", "));
        }
        Ok(self.folder.join(name))
    }

    /// Builds the data set `name` if its files are missing, changed, or made from a different
    /// recipe, or unconditionally with `force`.
    ///
    /// # Errors
    /// Fails if the recipe is invalid, the source is unavailable, or the result is not what the
    /// recipe promises. Files of an earlier build are then left unchanged.
    pub fn build(&self, name: &str, force: bool) -> Result<Built> {
        let folder = self.locate(name)?;
        let (recipe, _) = Recipe::read(&folder)?;
        // One build at a time: a second `cargo xtask` waits here and then finds the result.
        let work = self.folder.join(".build");
        fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
        let lock = fs::File::create(work.join("lock"))
            .and_then(|file| file.lock().map(|()| file))
            .with_context(|| format!("cannot lock {}", work.display()))?;

        let stamp_path = work.join(format!("{name}.json"));
        let fingerprint = self.fingerprint(name)?;
        let known = Stamp::read(&stamp_path).filter(|stamp| stamp.holds(&fingerprint, &folder));
        if let Some(stamp) = known.filter(|_| !force) {
            return Ok(Built {
                folder,
                stamp,
                fresh: false,
            });
        }
        let (splits, left_out) = self
            .rows(name)
            .with_context(|| format!("cannot build the data set `{name}`"))?;
        check_rows(recipe.rows, &splits).with_context(|| format!("in the data set `{name}`"))?;
        let classes = recipe.classes();
        let files = match recipe.transform {
            Transform::Committed { .. } => splits.try_map(|split, _| {
                let name = format!("{split}.csv");
                fs::read(folder.join(&name)).map(|bytes| (name, bytes))
            })?,
            _ => splits.try_map(|split, rows| {
                let name = format!("{split}.parquet");
                let bytes = encode(rows, &classes, Format::Parquet)?;
                write_atomically(&folder.join(&name), &bytes)?;
                Ok::<_, anyhow::Error>((name, bytes))
            })?,
        };
        let stamp = Stamp::new(fingerprint, &classes, &splits, &files, left_out);
        stamp.write(&stamp_path)?;
        drop(lock);
        Ok(Built {
            folder,
            stamp,
            fresh: true,
        })
    }

    /// Changes whenever anything that the result depends on changes.
    fn fingerprint(&self, name: &str) -> Result<String> {
        let (recipe, mut text) = Recipe::read(&self.folder.join(name))?;
        if let Transform::Union { parts } = &recipe.transform {
            for part in parts {
                text.push_str(&self.fingerprint(part)?);
            }
        }
        Ok(text::sha256_hex(
            format!("{}\n{text}", stamp::BUILDER).as_bytes(),
        ))
    }

    /// Makes the rows of a data set in memory.
    fn rows(&self, name: &str) -> Result<(Splits<Vec<Example>>, LeftOut)> {
        let folder = self.folder.join(name);
        let (recipe, _) = Recipe::read(&folder)?;
        match (&recipe.transform, &recipe.source, recipe.split) {
            (Transform::RatedSnippets { min_abs_rating, .. }, Some(source), Some(shares)) => {
                let bytes = fetch::fetch(source, &self.folder.join(".build"))?;
                let rated = vader::parse(&bytes, *min_abs_rating)
                    .with_context(|| format!("in {}", source.member.join(" / ")))?;
                let (groups, dropped) = split::deduplicate(rated.examples);
                let left_out = LeftOut::new(rated.near_zero, dropped);
                Ok((split::stratified(groups, shares), left_out))
            }
            (Transform::Union { parts }, ..) => self.union(parts),
            (Transform::Committed { classes }, ..) => {
                Ok((committed::read(&folder, classes)?, LeftOut::default()))
            }
            (Transform::Toy { seed }, _, Some(shares)) => {
                Ok((toy::rows(*seed, shares), LeftOut::default()))
            }
            (Transform::RatedSnippets { .. } | Transform::Toy { .. }, ..) => {
                bail!("the recipe of `{name}` lacks a section")
            }
        }
    }

    fn union(&self, parts: &[String]) -> Result<(Splits<Vec<Example>>, LeftOut)> {
        let mut all = Splits::<Vec<Example>>::default();
        for (label, part) in parts.iter().enumerate() {
            let (recipe, _) = Recipe::read(&self.folder.join(part))?;
            ensure!(
                matches!(recipe.transform, Transform::RatedSnippets { .. }),
                "`transform.parts` names `{part}`, which is not a set of rated snippets"
            );
            let (splits, _) = self.rows(part)?;
            let relabel = |row: Example| Example {
                label: label as i64,
                rating: None,
                ..row
            };
            all.train.extend(splits.train.into_iter().map(relabel));
            all.validation
                .extend(splits.validation.into_iter().map(relabel));
            all.test.extend(splits.test.into_iter().map(relabel));
        }
        let (splits, dropped) = split::mixed(all);
        Ok((splits, LeftOut::new(0, dropped)))
    }
}

fn check_rows(expected: Rows, splits: &Splits<Vec<Example>>) -> Result<()> {
    let found = Rows {
        train: splits.train.len(),
        validation: splits.validation.len(),
        test: splits.test.len(),
    };
    ensure!(
        found == expected,
        "the recipe promises {} training, {} validation and {} test rows, but the build gives {}, \
         {} and {}; correct [rows] (and the card) if the recipe was changed on purpose",
        expected.train,
        expected.validation,
        expected.test,
        found.train,
        found.validation,
        found.test
    );
    Ok(())
}

impl Recipe {
    /// Class names, in the order of the labels.
    #[must_use]
    pub fn classes(&self) -> Vec<String> {
        match &self.transform {
            Transform::RatedSnippets { classes, .. } => classes.to_vec(),
            Transform::Union { parts } => parts.clone(),
            Transform::Committed { classes } => classes.clone(),
            Transform::Toy { .. } => toy::CLASSES.map(str::to_owned).to_vec(),
        }
    }
}
