//! Model directories named by the user.

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
        // The files can be found before the checksum is known.
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
    let folder = model();
    let rename = |from: &str, to: &str| {
        fs::rename(folder.path().join(from), folder.path().join(to)).unwrap();
    };
    rename("tokenizer.json", "sentencepiece.bpe.model");
    let message = resolve(folder.path()).unwrap_err().to_string();
    assert!(message.contains("bpe.model is not supported"), "{message}");
    rename("sentencepiece.bpe.model", "vocab.json");
    assert!(resolve(folder.path()).is_err(), "there are no merges");
    fs::write(folder.path().join("merges.txt"), "").unwrap();
    resolve(folder.path()).unwrap();
    rename("model.safetensors", "tf_model.h5");
    rename("vocab.json", "vocab.txt");
    let message = resolve(folder.path()).unwrap_err().to_string();
    assert!(
        message.contains("AutoModelForSequenceClassification"),
        "{message}"
    );
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

#[test]
fn other_forms_of_weights() {
    let folder = model();
    let path = |file: &str| folder.path().join(file);
    let write = |file: &str, text: &str| fs::write(path(file), text).unwrap();
    // Whichever of these exists is read, in this order.
    write("pytorch_model.bin", "other weights");
    assert_eq!(resolve(folder.path()).unwrap().weights_sha256, SHA256);
    fs::remove_file(path("model.safetensors")).unwrap();
    let files = resolve(folder.path()).unwrap();
    assert_eq!(files.weights, path("pytorch_model.bin"));
    let single = files.weights_sha256;
    let index =
        "{\"weight_map\": {\"a\": \"model-2.safetensors\", \"b\": \"model-1.safetensors\"}}";
    write("model.safetensors.index.json", index);
    let message = resolve(folder.path()).unwrap_err().to_string();
    assert!(message.contains("model-1.safetensors"), "{message}");
    write("model-1.safetensors", "weights");
    write("model-2.safetensors", "more");
    let files = resolve(folder.path()).unwrap();
    assert_eq!(files.weights, path("model.safetensors.index.json"));
    let all = files.weights_sha256;
    assert!(all.len() == 64 && all != single && all != SHA256);
    // Each file counts, and each may have a checksum file beside it.
    write("model-2.safetensors", "less");
    assert_ne!(resolve(folder.path()).unwrap().weights_sha256, all);
    write("model-1.safetensors.sha256", SHA256);
    resolve(folder.path()).unwrap();
    write("model-1.safetensors", "damaged");
    let error = resolve(folder.path()).unwrap_err();
    assert!(matches!(error, HubError::WrongChecksum { .. }), "{error}");
    for bad in ["[]", "{", "{\"weight_map\": {\"a\": \"../x.safetensors\"}}"] {
        write("model.safetensors.index.json", bad);
        let error = resolve(folder.path()).unwrap_err();
        assert!(matches!(error, HubError::BadIndex { .. }), "{error}");
    }
}
