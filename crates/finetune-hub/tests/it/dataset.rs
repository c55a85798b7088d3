//! Data sets by name, from a local server.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{COMMIT, FakeDataset, FakeHub, Fault, TOKEN, git_blob, sha256};
use finetune_hub::{DatasetFiles, FoundDataset, HubError, Progress, Source};

const NAME: &str = "acme/reviews";
const CONVERTED: &str = "89abcdef0123456789abcdef0123456789abcdef";

/// Content that differs for each seed and can be cut into parts.
fn rows(seed: u32) -> Vec<u8> {
    let byte = |i: u32| (i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 11) as u8;
    (0..50_000).map(byte).collect()
}

fn reviews() -> FakeDataset {
    FakeDataset::new(
        NAME,
        &[
            ("README.md", b"# Reviews\n"),
            ("data/test-00000-of-00001.parquet", &rows(3)),
            ("data/train-00000-of-00002.parquet", &rows(1)),
            ("data/train-00001-of-00002.parquet", &rows(2)),
            ("images/logo.png", b"png"),
        ],
    )
}

fn hub(dataset: FakeDataset) -> FakeHub {
    let hub = FakeHub::start();
    hub.server().datasets.push(dataset);
    hub
}

fn find(hub: &FakeHub, config: Option<&str>) -> Result<FoundDataset, HubError> {
    hub.client().find_dataset(NAME, config, None, &mut |_| {})
}

fn fetch(hub: &FakeHub, splits: &[&str]) -> Result<DatasetFiles, HubError> {
    let found = find(hub, None)?;
    hub.client().fetch_dataset(&found, splits, &mut |_| {})
}

fn refusal(hub: &FakeHub) -> String {
    fetch(hub, &["train", "test"]).unwrap_err().to_string()
}

/// The content of each file by split.
fn contents(files: &DatasetFiles) -> Vec<(&str, Vec<Vec<u8>>)> {
    let read = |path: &std::path::PathBuf| fs::read(path).unwrap();
    let splits = files.splits.iter();
    splits
        .map(|(name, paths)| (name.as_str(), paths.iter().map(read).collect()))
        .collect()
}

fn paths(hub: &FakeHub) -> Vec<String> {
    let requests = hub.take_requests().into_iter();
    requests.map(|request| request.path).collect()
}

#[test]
fn only_the_splits_asked_for_arrive_in_huggingface_hubs_layout() {
    let hub = hub(reviews());
    let client = hub.client().token(Some(TOKEN));
    let found = client.find_dataset(NAME, None, None, &mut |_| {}).unwrap();
    assert_eq!(found.split_names(), ["train", "test"]);
    assert_eq!((found.config(), found.commit()), ("default", COMMIT));
    let files = client
        .fetch_dataset(&found, &["train"], &mut |_| {})
        .unwrap();
    assert_eq!(files.source, Source::Hub);
    assert_eq!(contents(&files), [("train", vec![rows(1), rows(2)])]);

    let root = hub.cache().join("datasets--acme--reviews");
    let snapshot = root.join("snapshots").join(COMMIT);
    let mut expected = vec![
        format!("blobs/{}", git_blob(b"# Reviews\n")),
        format!("blobs/{}", sha256(&rows(1))),
        format!("blobs/{}", sha256(&rows(2))),
        format!("lists/{COMMIT}.json"),
        "refs/main".to_string(),
    ];
    for file in [
        "README.md",
        "data/train-00000-of-00002.parquet",
        "data/train-00001-of-00002.parquet",
    ] {
        expected.push(format!("snapshots/{COMMIT}/{file}"));
    }
    expected.sort();
    let cached: Vec<_> = hub
        .cached_files()
        .iter()
        .map(|file| file.replacen("datasets--acme--reviews/", "", 1))
        .collect();
    assert_eq!(cached, expected);
    assert_eq!(fs::read_to_string(root.join("refs/main")).unwrap(), COMMIT);
    #[cfg(unix)]
    assert_eq!(
        fs::read_link(snapshot.join("data/train-00000-of-00002.parquet")).unwrap(),
        Path::new(&format!("../../../blobs/{}", sha256(&rows(1))))
    );
    // The list came in pages, and the token was only sent to the hub.
    let requests = hub.take_requests();
    let pages = requests
        .iter()
        .filter(|request| request.path.contains("/tree/"));
    assert_eq!(pages.count(), 3);
    for request in requests {
        let expected = (request.host == "hub").then(|| format!("Bearer {TOKEN}"));
        assert_eq!(request.authorization, expected, "{request:?}");
    }
}

#[test]
fn what_is_here_asks_nobody_and_the_rest_is_added() {
    let hub = hub(reviews());
    fetch(&hub, &["train"]).unwrap();
    hub.take_requests();
    let again = fetch(&hub, &["train"]).unwrap();
    assert_eq!(again.source, Source::Cache);
    let offline = hub.client().offline(true);
    let found = offline
        .find_dataset(NAME, None, Some(COMMIT), &mut |_| {})
        .unwrap();
    let files = offline
        .fetch_dataset(&found, &["train"], &mut |_| {})
        .unwrap();
    assert_eq!(files, again);
    let error = offline
        .fetch_dataset(&found, &["test"], &mut |_| {})
        .unwrap_err();
    let message = error.to_string();
    for part in ["data/test-00000-of-00001.parquet", "HF_HUB_OFFLINE"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(hub.take_requests().is_empty());
    let both = fetch(&hub, &["train", "test"]).unwrap();
    assert_eq!(
        contents(&both),
        [("train", vec![rows(1), rows(2)]), ("test", vec![rows(3)])]
    );
    // The redirect and the content of one file.
    assert_eq!(hub.take_requests().len(), 2);
}

#[test]
fn offline_and_unreachable_say_where_was_looked() {
    let hub = hub(reviews());
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for (client, words) in [
        (hub.client().offline(true), &["HF_HUB_OFFLINE", "unset"][..]),
        (
            hub.client().endpoint(&format!("http://127.0.0.1:{port}")),
            &["cannot be reached", "HF_ENDPOINT"],
        ),
    ] {
        let error = client
            .find_dataset(NAME, None, None, &mut |_| {})
            .unwrap_err();
        let message = error.to_string();
        for word in words.iter().chain(&["acme/reviews", "cache:", "HF_HOME"]) {
            assert!(message.contains(word), "{word}: {message}");
        }
    }
    assert!(hub.take_requests().is_empty() && hub.cached_files().is_empty());
}

#[test]
fn the_card_chooses_the_configuration() {
    let card = b"---\nconfigs:\n- config_name: mrpc\n  data_files:\n  - split: train\n    path: mrpc/train.csv\n  - split: validation\n    path: mrpc/valid*\n- config_name: sst2\n  data_dir: sst2\ndataset_info:\n- config_name: mrpc\n  features:\n  - name: label\n    dtype:\n      class_label:\n        names:\n          '0': 'no'\n          '1': 'yes'\n---\n";
    let hub = hub(FakeDataset::new(
        NAME,
        &[
            ("README.md", card),
            ("mrpc/train.csv", b"text,label\na,0\n"),
            ("mrpc/valid.csv", b"text,label\nb,1\n"),
            ("sst2/train.csv", b"text,label\nc,1\n"),
        ],
    ));
    let mrpc = find(&hub, Some("mrpc")).unwrap();
    assert_eq!(mrpc.split_names(), ["train", "validation"]);
    assert_eq!(
        mrpc.class_names(),
        [(
            "label".to_string(),
            vec!["no".to_string(), "yes".to_string()]
        )]
    );
    let files = hub
        .client()
        .fetch_dataset(&mrpc, &["validation"], &mut |_| {})
        .unwrap();
    assert_eq!(
        contents(&files),
        [("validation", vec![b"text,label\nb,1\n".to_vec()])]
    );
    assert_eq!(find(&hub, Some("sst2")).unwrap().split_names(), ["train"]);
    for (config, words) in [
        (
            None,
            "2 configurations, and none was named; name one of mrpc, sst2, such as --dataset-config mrpc",
        ),
        (Some("cola"), "no configuration \"cola\""),
    ] {
        let message = find(&hub, config).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_name_without_owner_is_redirected_as_the_hub_has_it() {
    let hub = hub(reviews());
    hub.server().renamed.push(("reviews", NAME));
    let client = hub.client();
    let found = client
        .find_dataset("reviews", None, None, &mut |_| {})
        .unwrap();
    let files = client
        .fetch_dataset(&found, &["test"], &mut |_| {})
        .unwrap();
    assert_eq!(contents(&files), [("test", vec![rows(3)])]);
    // The folder is the one in which Python looks for this name.
    assert!(hub.cache().join("datasets--reviews").is_dir());

    // A data set cached under a name with an owner is found offline without it.
    let other = crate::dataset::hub(reviews());
    fetch(&other, &["test"]).unwrap();
    let offline = other.client().offline(true);
    let mut notes = Vec::new();
    let found = offline
        .find_dataset("reviews", None, None, &mut |news| {
            notes.push(news.to_string())
        })
        .unwrap();
    assert_eq!(found.name(), NAME);
    assert_eq!(
        notes,
        ["reviews is taken to be acme/reviews, which is in the cache"]
    );
}

#[test]
fn a_script_is_read_from_its_parquet_conversion_or_refused() {
    let files: [(&str, &[u8]); 2] = [("README.md", b"# Reviews"), ("reviews.py", b"import os")];
    let converted = FakeDataset::new(NAME, &files).branch(
        "refs/convert/parquet",
        CONVERTED,
        &[
            (".gitattributes", b""),
            ("plain_text/test/0000.parquet", &rows(3)),
            ("plain_text/train/0000.parquet", &rows(1)),
            ("plain_text/train/0001.parquet", &rows(2)),
        ],
    );
    let hub = crate::dataset::hub(converted);
    let found = find(&hub, None).unwrap();
    assert_eq!((found.config(), found.commit()), ("plain_text", CONVERTED));
    let files_of = |found: &FoundDataset| {
        let files = hub
            .client()
            .fetch_dataset(found, &["train"], &mut |_| {})
            .unwrap();
        contents(&files).remove(0).1
    };
    assert_eq!(files_of(&found), [rows(1), rows(2)]);
    hub.take_requests();
    // By its commit, as in a plan, the same data set is found without any request.
    let again = hub
        .client()
        .offline(true)
        .find_dataset(NAME, None, Some(CONVERTED), &mut |_| {});
    assert_eq!(files_of(&again.unwrap()), [rows(1), rows(2)]);
    assert_eq!(find(&hub, Some("plain_text")).unwrap().commit(), CONVERTED);
    assert!(hub.take_requests().is_empty());

    let hub = crate::dataset::hub(FakeDataset::new(NAME, &files));
    let message = refusal(&hub);
    for part in [
        "reviews.py",
        "refs/convert/parquet",
        &hub.endpoint,
        "/datasets/acme/reviews",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn gated_and_unknown_data_sets_say_what_to_do() {
    let hub = hub(reviews());
    hub.server().needs_token = true;
    let page = format!("{}/datasets/{NAME}", hub.endpoint);
    let message = refusal(&hub);
    for part in ["HTTP 401", "HF_TOKEN", "accept its terms on", &page] {
        assert!(message.contains(part), "{part}: {message}");
    }
    hub.fault(
        "/api/",
        Fault::Status(403, "X-Error-Code: GatedRepo\r\n".into()),
    );
    let client = hub.client().token(Some(TOKEN));
    let message = client
        .find_dataset(NAME, None, None, &mut |_| {})
        .unwrap_err()
        .to_string();
    for part in ["HTTP 403", "has no access", &page] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(client.find_dataset(NAME, None, None, &mut |_| {}).is_ok());

    hub.server().needs_token = false;
    let ask = |name: &str, revision: Option<&str>| {
        let found = hub.client().find_dataset(name, None, revision, &mut |_| {});
        found.unwrap_err().to_string()
    };
    let message = ask("acme/revews", None);
    for part in [
        "has no data set \"acme/revews\"",
        "404",
        "It has acme/reviews",
        "./acme/revews",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(ask(NAME, Some("v9")).contains("with revision \"v9\" (HTTP 404)"));
    assert!(ask(NAME, Some("../main")).contains("cannot be a revision"));
    assert!(ask("a b", None).contains("neither a file or directory here"));
}

#[test]
fn time_is_given_and_cuts_are_resumed() {
    let hub = hub(reviews());
    hub.fault(
        "/revision/",
        Fault::Status(429, "Retry-After: 1\r\n".into()),
    );
    hub.fault("/tree/", Fault::Status(503, String::new()));
    for bytes in [20_000, 10_000] {
        hub.fault("/content/acme/reviews", Fault::Cut(bytes));
    }
    let start = Instant::now();
    let files = fetch(&hub, &["test"]).unwrap();
    assert_eq!(contents(&files), [("test", vec![rows(3)])]);
    assert!(start.elapsed() >= Duration::from_secs(1));
    let ranges: Vec<_> = hub
        .take_requests()
        .into_iter()
        .filter(|request| request.host == "content")
        .map(|request| request.range)
        .collect();
    let resumed = |start: u32| Some(format!("bytes={start}-"));
    assert_eq!(ranges, [None, resumed(20_000), resumed(30_000)]);

    // The next call continues what this one leaves; other files are not requested again.
    let hub = crate::dataset::hub(reviews());
    let second = "/data/train-00001-of-00002.parquet";
    // Every other fault is in the hub's own answer, a redirect without content to cut.
    hub.fault(second, Fault::Cut(0));
    hub.fault(second, Fault::Cut(30_000));
    for _ in 0..6 {
        hub.fault(second, Fault::Cut(0));
    }
    let message = fetch(&hub, &["train"]).unwrap_err().to_string();
    assert!(message.contains("after 30000 of 50000 bytes"), "{message}");
    hub.take_requests();
    fetch(&hub, &["train"]).unwrap();
    let contents = hub.take_requests();
    let contents: Vec<_> = contents
        .iter()
        .filter(|request| request.host == "content")
        .collect();
    assert_eq!(contents.len(), 1, "{contents:?}");
    assert_eq!(contents[0].range.as_deref(), Some("bytes=30000-"));
}

#[test]
fn patience_with_the_hub_has_an_end() {
    let hub = hub(reviews());
    for _ in 0..10 {
        hub.fault(
            "/revision/",
            Fault::Status(429, "Retry-After: 0\r\n".into()),
        );
    }
    let message = refusal(&hub);
    assert!(
        message.contains("answers 429; gave up after 4 attempts"),
        "{message}"
    );
    assert_eq!(hub.take_requests().len(), 4);
}

#[test]
fn wrong_content_is_refused() {
    let content = "/content/acme/reviews";
    let hub = hub(reviews());
    let mut damaged = rows(3);
    damaged[1234] ^= 1;
    hub.fault(content, Fault::Content(damaged.clone()));
    let error = fetch(&hub, &["test"]).unwrap_err();
    assert!(matches!(error, HubError::WrongChecksum { .. }), "{error}");
    assert!(
        !hub.cached_files()
            .iter()
            .any(|file| file.ends_with(&sha256(&damaged)))
    );

    let pointer =
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 50000\n".to_vec();
    hub.fault(content, Fault::Content(pointer.clone()));
    let error = fetch(&hub, &["test"]).unwrap_err();
    assert!(matches!(error, HubError::LfsPointer { .. }), "{error}");
    // Somebody uploaded the pointer as the content.
    let hub = crate::dataset::hub(FakeDataset::new(NAME, &[("train.csv", &pointer)]));
    let error = fetch(&hub, &["train"]).unwrap_err();
    assert!(matches!(error, HubError::LfsPointer { .. }), "{error}");
    assert!(error.to_string().contains("train.csv"), "{error}");
}

#[cfg(unix)]
#[test]
fn damage_in_the_cache_is_downloaded_again() {
    let hub = hub(reviews());
    let files = fetch(&hub, &["test"]).unwrap();
    let blob = files.splits[0].1[0].canonicalize().unwrap();
    fs::write(&blob, b"short").unwrap();
    let offline = hub.client().offline(true);
    let found = offline.find_dataset(NAME, None, None, &mut |_| {}).unwrap();
    assert!(
        offline
            .fetch_dataset(&found, &["test"], &mut |_| {})
            .is_err()
    );
    let again = fetch(&hub, &["test"]).unwrap();
    assert_eq!(contents(&again), [("test", vec![rows(3)])]);
}

#[test]
fn hostile_answers_are_refused_and_leave_nothing() {
    let tree = |entries: &str| Fault::Content(format!("[{entries}]").into_bytes());
    let file = |path: &str, size: u64| {
        format!(
            r#"{{"type": "file", "path": "{path}", "size": {size}, "oid": "{}"}}"#,
            "0".repeat(40)
        )
    };
    for path in [
        "../../evil.csv",
        "/etc/evil.csv",
        "a/../../evil.csv",
        "C:\\\\evil.csv",
        "a\\u0000b",
    ] {
        let hub = hub(reviews());
        hub.fault("/tree/", tree(&file(path, 3)));
        let message = refusal(&hub);
        assert!(
            message.contains("not a path inside a data set"),
            "{path}: {message}"
        );
        assert!(hub.cached_files().is_empty(), "{:?}", hub.cached_files());
    }
    let refused = |fault: (&'static str, Fault), words: &str| {
        let hub = hub(reviews());
        hub.fault(fault.0, fault.1);
        let message = refusal(&hub);
        assert!(message.contains(words), "{words}: {message}");
        // None of these requests is repeated.
        assert!(hub.take_requests().len() <= 2);
        assert!(
            !hub.cached_files()
                .iter()
                .any(|file| file.contains("blobs/") && file.contains("incomplete"))
        );
    };
    let html = || Fault::Content(b"<!doctype html><title>Log in</title>".to_vec());
    refused(("/revision/", html()), "found a web page");
    refused(("/tree/", html()), "found a web page");
    refused(
        ("/revision/", Fault::Content(br#"{"sha": "../x"}"#.to_vec())),
        "is not a commit",
    );
    refused(
        (
            "/revision/",
            Fault::Content("[".repeat(100_000).into_bytes()),
        ),
        "something else",
    );
    refused(
        ("/tree/", tree(&file("train.csv", u64::MAX))),
        "has room for",
    );
    refused(
        (
            "/tree/",
            tree(&format!(
                "{}, {}",
                file("train.csv", 1 << 63),
                file("test.csv", 1 << 63)
            )),
        ),
        "has room for",
    );
    refused(
        ("/tree/", tree(&file("README.md", 1 << 40))),
        "more than 16 MiB",
    );

    // Pages that lead back to each other, and redirects that never end.
    let hub = hub(reviews());
    hub.server().page = 0;
    let message = refusal(&hub);
    assert!(message.contains("form a cycle"), "{message}");
    let hub = crate::dataset::hub(reviews());
    for _ in 0..20 {
        hub.fault(
            "/revision/main",
            Fault::Status(
                302,
                format!("Location: /api/datasets/{NAME}/revision/main\r\n"),
            ),
        );
    }
    let message = refusal(&hub);
    assert!(message.contains("more than 10 redirects"), "{message}");
    assert_eq!(hub.take_requests().len(), 10);
}

#[test]
fn content_of_another_size_is_not_taken() {
    let hub = hub(reviews());
    for bytes in [40_000, 60_000] {
        hub.fault("/content/acme/reviews", Fault::Content(vec![7; bytes]));
        let message = fetch(&hub, &["test"]).unwrap_err().to_string();
        let words = format!("expected 50000 bytes, by the hub's list of files, found {bytes}");
        assert!(message.contains(&words), "{message}");
    }
}

#[test]
fn a_large_download_is_announced_once() {
    let hub = hub(reviews());
    let size = 150_000_000u64;
    let entry = |name: &str| {
        format!(
            r#"{{"type": "file", "path": "{name}", "size": {size}, "oid": "0", "lfs": {{"oid": "{}", "size": {size}}}}}"#,
            "0".repeat(64)
        )
    };
    hub.fault(
        "/tree/",
        Fault::Content(
            format!("[{}, {}]", entry("train.parquet"), entry("test.parquet")).into_bytes(),
        ),
    );
    let found = find(&hub, None).unwrap();
    let mut notes = Vec::new();
    let failed = hub
        .client()
        .fetch_dataset(&found, &["train", "test"], &mut |news| {
            if let Progress::Note(note) = news {
                notes.push(note);
            }
        });
    assert!(failed.is_err());
    let [note] = &notes[..] else {
        panic!("{notes:?}")
    };
    assert!(
        note.contains(
            "0.30 GB are to be downloaded (train 0.15 GB in 1 file, test 0.15 GB in 1 file)"
        ),
        "{note}"
    );
}

/// A snapshot as huggingface_hub leaves it, without our list of files.
#[cfg(unix)]
fn pythons_snapshot(hub: &FakeHub, files: &[(&str, &[u8])]) {
    let root = hub.cache().join("datasets--acme--reviews");
    let snapshot = root.join("snapshots").join(COMMIT);
    for folder in ["blobs", "refs"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::write(root.join("refs/main"), COMMIT).unwrap();
    for (name, content) in files {
        let path = snapshot.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let blob = root.join("blobs").join(sha256(content));
        fs::write(&blob, content).unwrap();
        std::os::unix::fs::symlink(&blob, path).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn what_python_downloaded_is_used() {
    let whole: [(&str, &[u8]); 3] = [
        ("README.md", b"# Reviews\n"),
        ("data/train-00000-of-00002.parquet", &rows(1)),
        ("data/train-00001-of-00002.parquet", &rows(2)),
    ];
    let hub = hub(reviews());
    pythons_snapshot(&hub, &whole);
    let offline = hub.client().offline(true);
    let mut notes = Vec::new();
    let found = offline
        .find_dataset(NAME, None, None, &mut |news| notes.push(news.to_string()))
        .unwrap();
    assert!(
        notes.len() == 1 && notes[0].contains("no way to tell"),
        "{notes:?}"
    );
    let files = offline
        .fetch_dataset(&found, &["train"], &mut |_| {})
        .unwrap();
    assert_eq!(contents(&files), [("train", vec![rows(1), rows(2)])]);
    assert!(hub.take_requests().is_empty());
    // When the hub is available, only the list and the missing files are requested.
    fetch(&hub, &["train", "test"]).unwrap();
    assert!(!paths(&hub).iter().any(|path| path.contains("train-0000")));

    let hub = crate::dataset::hub(reviews());
    pythons_snapshot(&hub, &whole[..2]);
    let error = hub
        .client()
        .offline(true)
        .find_dataset(NAME, None, None, &mut |_| {});
    let message = error.unwrap_err().to_string();
    assert!(message.contains("1 of the 2 parts"), "{message}");
}

#[test]
fn what_datasets_prepared_is_the_last_resort() {
    let hub = hub(reviews());
    let dir = hub
        .cache()
        .join("datasets/acme___reviews/default/0.0.0")
        .join(COMMIT);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("dataset_info.json"), "{}").unwrap();
    fs::write(dir.join("reviews-train.arrow"), b"arrow").unwrap();
    let offline = hub.client().offline(true);
    let found = offline.find_dataset(NAME, None, None, &mut |_| {}).unwrap();
    assert_eq!(
        (found.commit(), found.split_names()),
        (COMMIT, vec!["train"])
    );
    let files = offline
        .fetch_dataset(&found, &["train"], &mut |_| {})
        .unwrap();
    assert_eq!(contents(&files), [("train", vec![b"arrow".to_vec()])]);
    assert!(
        offline
            .find_dataset(NAME, None, Some("other"), &mut |_| {})
            .is_err()
    );
}
