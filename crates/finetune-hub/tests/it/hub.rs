//! The hub route with a local server, and the resulting state of the cache.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::{COMMIT, FakeHub, Fault, MODEL, TOKEN, git_blob, sha256, weights};
use finetune_hub::{HubError, ModelFiles, Progress, Source};

const WEIGHTS: &str = "/content/weights";

fn resolve(hub: &FakeHub) -> Result<ModelFiles, HubError> {
    hub.client().resolve(MODEL, None, &mut |_| {})
}

fn refusal(hub: &FakeHub) -> String {
    resolve(hub).unwrap_err().to_string()
}

fn check_downloaded(files: &ModelFiles) {
    assert_eq!(files.source, Source::Hub);
    assert_eq!(files.weights_sha256, sha256(&weights()));
    assert_eq!(fs::read(&files.weights).unwrap(), weights());
}

#[test]
fn a_model_arrives_through_the_redirect_in_huggingface_hubs_layout() {
    let hub = FakeHub::start();
    let mut progress = Vec::new();
    let client = hub.client().token(Some(TOKEN));
    let files = client
        .resolve(MODEL, None, &mut |news| progress.push(news))
        .unwrap();
    check_downloaded(&files);
    assert_eq!(files.revision.as_deref(), Some(COMMIT));
    assert_eq!(files.dir, hub.root().join("snapshots").join(COMMIT));
    assert!(files.config().is_file() && files.tokenizer().is_file());
    let total = weights().len() as u64;
    let file = "model.safetensors".to_string();
    assert!(progress.contains(&Progress::Bytes {
        file,
        done: total,
        total: Some(total)
    }));

    let blobs = [
        git_blob(b"[PAD]\n"),
        git_blob(b"{\"model_type\": \"bert\"}"),
        git_blob(b"{}"),
        sha256(&weights()),
    ];
    let mut expected: Vec<String> = blobs.iter().map(|blob| format!("blobs/{blob}")).collect();
    expected.push("refs/main".to_string());
    for file in [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "vocab.txt",
    ] {
        expected.push(format!("snapshots/{COMMIT}/{file}"));
    }
    expected.sort();
    let root = "models--acme--tiny-bert/";
    assert_eq!(
        hub.cached_files(),
        expected
            .iter()
            .map(|f| format!("{root}{f}"))
            .collect::<Vec<_>>()
    );
    assert_eq!(
        fs::read_to_string(hub.root().join("refs/main")).unwrap(),
        COMMIT
    );
    #[cfg(unix)]
    assert_eq!(
        fs::read_link(&files.weights).unwrap().to_str().unwrap(),
        format!("../../blobs/{}", sha256(&weights()))
    );

    // The token is sent to the hub and never to the host that it redirects to.
    for request in hub.take_requests() {
        let expected = (request.host == "hub").then(|| format!("Bearer {TOKEN}"));
        assert_eq!(request.authorization, expected, "{request:?}");
    }
}

#[test]
fn a_second_call_asks_nobody() {
    let hub = FakeHub::start();
    let first = resolve(&hub).unwrap();
    hub.take_requests();
    let second = resolve(&hub).unwrap();
    assert_eq!(
        second,
        ModelFiles {
            source: Source::Cache,
            ..first
        }
    );
    assert!(hub.take_requests().is_empty());
    let offline = hub
        .client()
        .offline(true)
        .resolve(MODEL, None, &mut |_| {})
        .unwrap();
    assert_eq!(offline.source, Source::Cache);
}

#[test]
fn a_gated_model_asks_for_a_token() {
    let hub = FakeHub::start();
    hub.server().needs_token = true;
    let message = refusal(&hub);
    for part in [
        "HTTP 401",
        "Invalid username",
        "HF_TOKEN",
        &hub.endpoint,
        MODEL,
        "gated",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(hub.cached_files().is_empty());
    let files = hub
        .client()
        .token(Some(TOKEN))
        .resolve(MODEL, None, &mut |_| {})
        .unwrap();
    check_downloaded(&files);

    hub.fault("/api/", Fault::Status(403, String::new()));
    let client = hub
        .client()
        .token(Some(TOKEN))
        .cache_dir(hub.cache().join("other"));
    let message = client
        .resolve(MODEL, None, &mut |_| {})
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("HTTP 403") && message.contains("has no access"),
        "{message}"
    );
}

#[test]
fn unknown_models_and_revisions_are_named() {
    let hub = FakeHub::start();
    let ask = |name: &str, revision: Option<&str>| {
        hub.client()
            .resolve(name, revision, &mut |_| {})
            .unwrap_err()
            .to_string()
    };
    let message = ask("acme/no-such-model", None);
    assert!(
        message.contains("has no model \"acme/no-such-model\" (HTTP 404)"),
        "{message}"
    );
    let message = ask(MODEL, Some("v9"));
    assert!(
        message.contains("model \"acme/tiny-bert\" with revision \"v9\" (HTTP 404)"),
        "{message}"
    );
    let message = ask(MODEL, Some("../main"));
    assert!(message.contains("cannot be a revision"), "{message}");
    assert!(hub.cached_files().is_empty());
}

#[test]
fn retry_after_is_waited_for() {
    let hub = FakeHub::start();
    hub.fault("/api/", Fault::Status(429, "Retry-After: 1\r\n".into()));
    hub.fault(
        WEIGHTS,
        Fault::Status(429, "RateLimit: \"resolvers\";r=0;t=1\r\n".into()),
    );
    hub.fault(WEIGHTS, Fault::Status(503, String::new()));
    let mut notes = Vec::new();
    let start = Instant::now();
    let files = hub.client().resolve(MODEL, None, &mut |news| {
        if let Progress::Note(note) = news {
            notes.push(note);
        }
    });
    check_downloaded(&files.unwrap());
    assert!(
        start.elapsed() >= Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert_eq!(
        notes[0],
        "the hub answers 429; trying again in 1.0 s (1 of 3)"
    );
    assert!(notes[1].starts_with("model.safetensors: the hub answers 429; trying again in 1.0 s"));
}

#[test]
fn patience_has_an_end() {
    let hub = FakeHub::start();
    hub.fault("/api/", Fault::Status(429, "Retry-After: 3600\r\n".into()));
    let message = refusal(&hub);
    assert!(message.contains("asks to wait 3600 s"), "{message}");
    assert_eq!(hub.take_requests().len(), 1);

    for _ in 0..10 {
        hub.fault("/api/", Fault::Status(500, String::new()));
    }
    let message = refusal(&hub);
    assert!(
        message.contains("the hub answers 500; gave up after 4 attempts"),
        "{message}"
    );
    assert_eq!(hub.take_requests().len(), 4);
    assert!(hub.cached_files().is_empty());
}

#[test]
fn a_connection_cut_half_way_is_resumed() {
    let hub = FakeHub::start();
    // More faults than there are retries: each attempt gains bytes.
    for bytes in [150_000, 1000, 1, 70_000, 2000] {
        hub.fault(WEIGHTS, Fault::Cut(bytes));
    }
    check_downloaded(&resolve(&hub).unwrap());
    let ranges: Vec<Option<String>> = hub
        .take_requests()
        .into_iter()
        .filter(|request| request.path == WEIGHTS)
        .map(|request| request.range)
        .collect();
    let resumed = [150_000, 151_000, 151_001, 221_001, 223_001];
    let mut expected = vec![None];
    expected.extend(resumed.map(|start| Some(format!("bytes={start}-"))));
    assert_eq!(ranges, expected);
}

#[test]
fn the_next_call_goes_on_where_the_last_one_gave_up() {
    let hub = FakeHub::start();
    hub.fault(WEIGHTS, Fault::Cut(100_000));
    for _ in 0..4 {
        hub.fault(WEIGHTS, Fault::Cut(0));
    }
    let message = refusal(&hub);
    assert!(
        message.contains("after 100000 of 300000 bytes"),
        "{message}"
    );
    assert!(message.contains("gave up"), "{message}");
    // Only the unfinished file is left, under a temporary name.
    let unfinished = format!(
        "models--acme--tiny-bert/blobs/{}.incomplete",
        sha256(&weights())
    );
    assert_eq!(hub.cached_files(), [unfinished]);

    hub.take_requests();
    check_downloaded(&resolve(&hub).unwrap());
    let requests = hub.take_requests();
    let content = requests
        .iter()
        .find(|request| request.path == WEIGHTS)
        .unwrap();
    assert_eq!(content.range.as_deref(), Some("bytes=100000-"));
}

#[test]
fn silence_counts_as_cut() {
    let hub = FakeHub::start();
    hub.fault(WEIGHTS, Fault::Silence(200_000));
    hub.fault("/api/", Fault::Silence(0));
    let start = Instant::now();
    let files = hub.impatient().resolve(MODEL, None, &mut |_| {});
    check_downloaded(&files.unwrap());
    // Waiting out either silence would take a minute.
    assert!(start.elapsed() < Duration::from_secs(45));
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let hub = FakeHub::start();
    hub.fault(WEIGHTS, Fault::Cut(100_000));
    hub.fault(WEIGHTS, Fault::IgnoreRange);
    check_downloaded(&resolve(&hub).unwrap());
}

#[test]
fn a_part_that_was_not_asked_for_is_not_appended() {
    let hub = FakeHub::start();
    hub.fault(WEIGHTS, Fault::Cut(100_000));
    hub.fault(WEIGHTS, Fault::WrongRange);
    check_downloaded(&resolve(&hub).unwrap());
}

#[test]
fn wrong_content_is_refused_and_nothing_is_left() {
    let hub = FakeHub::start();
    let mut damaged = weights();
    damaged[123_456] ^= 1;
    hub.fault(WEIGHTS, Fault::Content(damaged.clone()));
    let error = resolve(&hub).unwrap_err();
    assert!(matches!(error, HubError::WrongChecksum { .. }), "{error}");
    let message = error.to_string();
    assert!(
        message.contains(&sha256(&weights())) && message.contains(&sha256(&damaged)),
        "{message}"
    );
    assert!(hub.cached_files().is_empty(), "{:?}", hub.cached_files());
    assert!(!hub.root().exists());
    check_downloaded(&resolve(&hub).unwrap());
}

#[test]
fn small_files_are_verified_too() {
    let hub = FakeHub::start();
    hub.fault(
        "config.json",
        Fault::Content(b"{\"model_type\": \"BERT\"}".to_vec()),
    );
    let message = refusal(&hub);
    assert!(
        message.contains("config.json is damaged: expected git blob SHA-1"),
        "{message}"
    );
    assert!(!hub.root().join("snapshots").exists() && !hub.root().join("refs").exists());
}

#[test]
fn a_stale_unfinished_file_is_started_again() {
    let hub = FakeHub::start();
    let blobs = hub.root().join("blobs");
    fs::create_dir_all(&blobs).unwrap();
    let unfinished = blobs.join(format!("{}.incomplete", sha256(&weights())));
    for stale in [vec![7; 1000], vec![7; 300_000], vec![7; 400_000]] {
        fs::write(&unfinished, stale).unwrap();
        check_downloaded(&resolve(&hub).unwrap());
        fs::remove_dir_all(hub.root()).unwrap();
        fs::create_dir_all(&blobs).unwrap();
    }
}

#[test]
fn offline_makes_no_request() {
    let hub = FakeHub::start();
    let error = hub
        .client()
        .offline(true)
        .resolve(MODEL, None, &mut |_| {})
        .unwrap_err();
    let message = error.to_string();
    for part in [
        "HF_HUB_OFFLINE",
        "cache:",
        &hub.cache().display().to_string(),
        "HF_HOME",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    assert!(hub.take_requests().is_empty());
}

#[test]
fn revisions_are_branches_pull_requests_or_commits() {
    let hub = FakeHub::start();
    let resolve = |revision| {
        hub.client()
            .resolve(MODEL, Some(revision), &mut |_| {})
            .unwrap()
    };
    check_downloaded(&resolve("dev"));
    assert!(
        hub.take_requests()
            .iter()
            .any(|request| request.path.contains("/revision/dev?"))
    );
    assert_eq!(
        fs::read_to_string(hub.root().join("refs/dev")).unwrap(),
        COMMIT
    );
    // A branch without a ref here is requested; its files are already here.
    assert_eq!(resolve("refs/pr/1").source, Source::Hub);
    assert_eq!(hub.take_requests().len(), 1);
    assert_eq!(
        fs::read_to_string(hub.root().join("refs/refs/pr/1")).unwrap(),
        COMMIT
    );
    assert_eq!(resolve("dev").source, Source::Cache);
    assert_eq!(resolve(COMMIT).source, Source::Cache);
    assert!(hub.take_requests().is_empty());
}

#[test]
fn a_snapshot_that_lacks_files_is_completed() {
    let hub = FakeHub::start();
    let snapshot = hub.root().join("snapshots").join(COMMIT);
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(hub.root().join("refs")).unwrap();
    fs::write(hub.root().join("refs/main"), COMMIT).unwrap();
    fs::write(snapshot.join("config.json"), "kept").unwrap();
    let message = hub
        .client()
        .offline(true)
        .resolve(MODEL, None, &mut |_| {})
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("without model.safetensors, tokenizer.json"),
        "{message}"
    );
    let files = resolve(&hub).unwrap();
    check_downloaded(&files);
    assert_eq!(fs::read_to_string(files.config()).unwrap(), "kept");
}

#[cfg(unix)]
#[test]
fn damaged_weights_in_the_cache_are_refused() {
    let hub = FakeHub::start();
    let blob = resolve(&hub).unwrap().weights.canonicalize().unwrap();
    let mut content = weights();
    content[0] ^= 1;
    fs::write(&blob, content).unwrap();
    let message = refusal(&hub);
    assert!(
        message.contains(blob.to_str().unwrap()) && message.contains("Remove this file"),
        "{message}"
    );
    fs::remove_file(&blob).unwrap();
    check_downloaded(&resolve(&hub).unwrap());
}

#[test]
fn models_in_other_formats_get_advice() {
    for (file, advice) in [
        ("tf_model.h5", "from_tf=True"),
        ("onnx/model.onnx", "lacks model.safetensors"),
    ] {
        let hub = FakeHub::start();
        hub.server().files[2].0 = file.to_string();
        let message = refusal(&hub);
        assert!(
            message.contains(advice) && message.contains(MODEL),
            "{message}"
        );
        assert!(hub.cached_files().is_empty());
    }
    let hub = FakeHub::start();
    hub.server().files.truncate(3);
    let message = refusal(&hub);
    assert!(
        message.contains("lacks tokenizer.json") && message.contains("AutoTokenizer"),
        "{message}"
    );
}

#[test]
fn checksums_may_come_in_headers_but_not_from_nowhere() {
    let hub = FakeHub::start();
    hub.server().lists_checksums = false;
    check_downloaded(&resolve(&hub).unwrap());

    let hub = FakeHub::start();
    hub.server().lists_checksums = false;
    hub.server().sends_etags = false;
    let message = refusal(&hub);
    assert!(message.contains("states no checksum"), "{message}");
    assert!(hub.cached_files().is_empty());
}

#[test]
fn a_hub_cannot_write_outside_the_cache() {
    let hub = FakeHub::start();
    hub.server().commit = "../../../evil".to_string();
    let message = refusal(&hub);
    assert!(message.contains("is not a commit"), "{message}");
    assert!(hub.cached_files().is_empty());
}

#[test]
fn a_page_instead_of_a_hub_is_said_so() {
    let hub = FakeHub::start();
    let client = hub
        .client()
        .endpoint(&format!("{}/login?to=", hub.endpoint));
    let message = client
        .resolve(MODEL, None, &mut |_| {})
        .unwrap_err()
        .to_string();
    assert!(message.contains("404"), "{message}");
    hub.server().commit = "\", \"sha\": {}".to_string();
    let message = refusal(&hub);
    assert!(
        message.contains("expected the hub's description of a model"),
        "{message}"
    );
}

#[test]
fn an_unreachable_hub_is_given_up_with_every_route_listed() {
    let hub = FakeHub::start();
    // A port on which nobody listens any more.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for endpoint in [
        format!("http://127.0.0.1:{port}"),
        "http://no-such-host.invalid".to_string(),
    ] {
        let error = hub
            .client()
            .endpoint(&endpoint)
            .timeouts(Duration::from_secs(2), Duration::from_secs(2))
            .resolve(MODEL, None, &mut |_| {})
            .unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, HubError::NoRoute { .. }), "{message}");
        for part in [
            "directory:",
            "cache:",
            "hub:",
            &endpoint,
            "HTTPS_PROXY",
            "HF_ENDPOINT",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}

#[test]
fn weights_in_other_forms_are_downloaded() {
    let hub = FakeHub::start();
    hub.server().files[2] = ("pytorch_model.bin".into(), weights());
    // A vocabulary alone is enough for a tokenizer.
    hub.server().files.remove(3);
    // finetune's own description comes with a model that somebody uploaded.
    let kept = ("finetune.json".into(), b"{\"version\": 1}".to_vec());
    hub.server().files.push(kept);
    let files = resolve(&hub).unwrap();
    assert_eq!(files.weights, files.dir.join("pytorch_model.bin"));
    assert!(files.dir.join("finetune.json").is_file());
    assert_eq!(files.weights_sha256, sha256(&weights()));
    assert!(files.dir.join("vocab.txt").is_file());

    let hub = FakeHub::start();
    let index =
        r#"{"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}"#;
    hub.server().files[2] = ("model.safetensors.index.json".into(), index.into());
    // A shard missing from the repository is named, and nothing is kept as a model.
    let message = refusal(&hub);
    assert!(message.contains("model-1-of-2.safetensors"), "{message}");
    for (shard, content) in [("model-1-of-2", &b"one"[..]), ("model-2-of-2", b"two")] {
        let file = format!("{shard}.safetensors");
        hub.server().files.push((file, content.to_vec()));
    }
    let files = resolve(&hub).unwrap();
    assert_eq!(
        fs::read(files.dir.join("model-2-of-2.safetensors")).unwrap(),
        b"two"
    );
    hub.take_requests();
    let again = resolve(&hub).unwrap();
    assert_eq!(again.source, Source::Cache);
    assert_eq!(again.weights_sha256, files.weights_sha256);
    // Each shard is verified by the name that the cache gives it.
    let blob = files
        .dir
        .join("model-1-of-2.safetensors")
        .canonicalize()
        .unwrap();
    fs::write(blob, "bad").unwrap();
    let error = resolve(&hub).unwrap_err();
    assert!(matches!(error, HubError::WrongChecksum { .. }), "{error}");
    // A cache without one of the shards is incomplete.
    fs::remove_file(files.dir.join("model-1-of-2.safetensors")).unwrap();
    let message = hub.client().offline(true).resolve(MODEL, None, &mut |_| {});
    let message = message.unwrap_err().to_string();
    assert!(message.contains("some shards"), "{message}");
}
