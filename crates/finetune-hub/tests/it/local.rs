//! A directory that the user names.

use std::fs;
use std::path::Path;

use finetune_hub::{Hub, HubError, ModelFiles, Source};

// echo -n weights | sha256sum
const SHA256: &str = "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c";

fn model() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "tokenizer.json"] {
        fs::write(folder.path().join(file), "{}").unwrap();
    }
    fs::write(folder.path().join("model.safetensors"), "weights").unwrap();
    folder
}

fn resolve(path: &Path) -> Result<ModelFiles, HubError> {
    Hub::from_env()
        .offline(true)
        .resolve(path.to_str().unwrap(), None, &mut |_| {})
}

#[test]
fn a_directory_is_used_as_it_is() {
    let folder = model();
    let files = resolve(folder.path()).unwrap();
    assert_eq!(files.source, Source::Local);
    assert_eq!(files.dir, folder.path());
    assert_eq!(files.weights, folder.path().join("model.safetensors"));
    assert_eq!(files.weights_sha256, SHA256);
    assert_eq!(files.revision, None);
}

#[test]
fn a_checksum_beside_the_weights_must_fit() {
    let folder = model();
    let listed = folder.path().join("model.safetensors.sha256");
    fs::write(&listed, format!("{SHA256}  model.safetensors\n")).unwrap();
    resolve(folder.path()).unwrap();
    for wrong in [
        format!("{}  model.safetensors\n", "0".repeat(64)),
        "oops".into(),
        String::new(),
    ] {
        fs::write(&listed, wrong).unwrap();
        // They can be found before that is known.
        let found = Hub::from_env().find(folder.path().to_str().unwrap(), None, &mut |_| {});
        let error = found.unwrap().verify().unwrap_err();
        assert!(matches!(error, HubError::WrongChecksum { .. }), "{error}");
        let message = resolve(folder.path()).unwrap_err().to_string();
        assert!(
            message.contains("model.safetensors.sha256") && message.contains(SHA256),
            "{message}"
        );
    }
}

#[test]
fn what_is_missing_is_named() {
    for (file, expected) in [
        ("config.json", "lacks config.json"),
        ("model.safetensors", "lacks model.safetensors"),
        ("tokenizer.json", "AutoTokenizer"),
    ] {
        let folder = model();
        fs::remove_file(folder.path().join(file)).unwrap();
        let message = resolve(folder.path()).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert!(
            message.contains(folder.path().to_str().unwrap()),
            "{message}"
        );
    }
    for (file, expected) in [
        ("pytorch_model.bin", "pytorch_model.bin only"),
        ("model.safetensors.index.json", "split into shards"),
    ] {
        let folder = model();
        fs::rename(
            folder.path().join("model.safetensors"),
            folder.path().join(file),
        )
        .unwrap();
        let message = resolve(folder.path()).unwrap_err().to_string();
        assert!(
            message.contains(expected) && message.contains("save_pretrained"),
            "{message}"
        );
    }
}

#[test]
fn files_missing_paths_and_revisions_of_directories_are_refused() {
    let folder = model();
    let message = resolve(&folder.path().join("config.json"))
        .unwrap_err()
        .to_string();
    assert!(message.contains("is a file"), "{message}");
    let message = resolve(&folder.path().join("nothing"))
        .unwrap_err()
        .to_string();
    assert!(message.contains("no model directory"), "{message}");
    let name = folder.path().to_str().unwrap();
    let error = Hub::from_env()
        .resolve(name, Some("main"), &mut |_| {})
        .unwrap_err();
    assert!(
        matches!(error, HubError::RevisionOfDirectory { .. }),
        "{error}"
    );
}
