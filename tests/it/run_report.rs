//! `finetune report`, and what complete runs leave: the page and the model card.

use std::{fmt::Write as _, fs, process::Command};

use finetune_files::DirectoryLock;
use serde_json::{Value, json};

use crate::{
    command::{Run, Scratch, argument, split},
    samples,
};

/// Texts that a page must not obey.
const EVIL: [&str; 6] = [
    "<script>alert(1)</script> good film",
    "</style></script><img src=x onerror=alert(2)> bad plot",
    "\"quotes\" ' and & &amp; good movie",
    "\u{1b}[31mred\u{1b}[0m and \u{7} bad story",
    "\u{202e}right to left\u{202c} good acting",
    "<svg/onload=alert(3)> `back` ${ticks} bad film",
];

/// Data in which every text is evil, and so are the classes.
fn evil() -> Scratch {
    let scratch = Scratch::new();
    for (name, rows) in [("train", 48), ("validation", 12), ("test", 24)] {
        let rows = (0..rows).map(|row| {
            let label = ["<b>no</b>", "\u{202e}yes\"'"][row % 2];
            json!({"text": EVIL[row % 6], "label": label}).to_string() + "\n"
        });
        scratch.write(&format!("data/{name}.jsonl"), rows.collect::<String>());
    }
    scratch
        .train(&split(
            "--dataset data --epochs 1 --learning-rate 1e-3 --logging-steps 1",
        ))
        .succeeded();
    scratch
}

fn plain(options: &str) -> Scratch {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let line =
        format!("--dataset data --epochs 2 --learning-rate 3e-3 --eval-on-start true {options}");
    scratch.train(&split(&line)).succeeded();
    scratch
}

fn page(scratch: &Scratch) -> String {
    String::from_utf8(scratch.read("run/report.html")).unwrap()
}

fn sections(page: &str) -> Vec<&str> {
    let ids = page.split("<section id=\"").skip(1);
    ids.map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn a_complete_run_leaves_a_page_with_everything() {
    let scratch = plain("");
    let left = page(&scratch);
    assert_eq!(
        sections(&left),
        [
            "overview",
            "curves",
            "before-and-after",
            "confusion",
            "classes",
            "ranking",
            "calibration",
            "rows",
            "lengths",
            "optimization",
            "resources",
            "repeat"
        ]
    );
    let results = scratch.json("run/results.json");
    let accuracy = format!("{:.4}", results["test"]["accuracy"].as_f64().unwrap());
    for words in [
        &accuracy,
        "On the 20 test rows.",
        "<svg",
        "data/test.csv, row ",
        "of the first epoch's tokens",
        "kept step",
        "finetune replay run",
    ] {
        assert!(left.contains(words), "no {words:?} in the page");
    }
    assert!(!left.contains("http://") && !left.contains("https://"));
    // The same page is made again, and elsewhere.
    fs::remove_file(scratch.path("run/report.html")).unwrap();
    scratch.run(&["report", "run"]).succeeded();
    assert_eq!(page(&scratch), left);
    let run = scratch
        .run(&["report", "run", "-o", "page.html"])
        .succeeded();
    assert!(run.stdout.contains("page.html"), "{run}");
    scratch
        .run(&["report", "run", "-o", "page.html"])
        .succeeded();
    assert_eq!(scratch.read("page.html"), left.into_bytes());
}

#[test]
fn texts_from_data_stay_texts() {
    let scratch = evil();
    let page = page(&scratch);
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("</script").count(), 1);
    assert_eq!(page.matches("</style").count(), 1);
    assert!(!page.contains("<img") && !page.contains("<svg/") && !page.contains("<b>"));
    for acts in ['\u{1b}', '\u{7}', '\u{202e}', '\u{202c}'] {
        assert!(!page.contains(acts), "{acts:?}");
    }
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; good film"));
    assert!(page.contains("\\u{1b}[31mred"));
    let card = String::from_utf8(scratch.read("run/model/README.md")).unwrap();
    assert!(
        !card.contains("<b>") && !card.contains('\u{202e}'),
        "{card}"
    );
}

#[test]
fn words_are_coloured_on_request() {
    let scratch = plain("--max-steps 2");
    assert!(!page(&scratch).contains("<mark"));
    scratch
        .run(&["report", "run", "--explain", "2"])
        .succeeded();
    let page = page(&scratch);
    assert!(
        page.contains("<mark class=\"favours\" style")
            || page.contains("<mark class=\"against\" style")
    );
}

#[test]
fn runs_that_are_not_complete() {
    let scratch = plain("");
    for name in ["results.json", "predictions.safetensors", "report.html"] {
        fs::remove_file(scratch.path(&format!("run/{name}"))).unwrap();
    }
    let log = scratch.read("run/events.jsonl");
    let lines: Vec<_> = log.split_inclusive(|byte| *byte == b'\n').collect();
    let mut half = lines[..lines.len() / 2].concat();
    half.extend(&lines[lines.len() / 2][..9]);
    scratch.write("run/events.jsonl", half);
    scratch.run(&["report", "run"]).succeeded();
    let crashed = page(&scratch);
    assert!(
        crashed.contains("was interrupted or has died after"),
        "{crashed}"
    );
    assert!(crashed.contains("resume run") && crashed.contains("id=\"curves\""));
    assert!(!crashed.contains("id=\"rows\"") && !crashed.contains("is no event"));

    let lock = DirectoryLock::take(&scratch.path("run")).unwrap();
    scratch.run(&["report", "run"]).succeeded();
    assert!(page(&scratch).contains("This run is going on"));
    drop(lock);

    // Only the plan is left: no step has been taken.
    for name in ["events.jsonl", "manifest.json"] {
        fs::remove_file(scratch.path(&format!("run/{name}"))).unwrap();
    }
    scratch.run(&["report", "run"]).succeeded();
    assert!(
        sections(&page(&scratch))
            .iter()
            .eq(&["overview", "resources", "repeat"])
    );
}

#[test]
fn what_is_missing_or_damaged_is_said() {
    let scratch = plain("");
    let test = scratch.read("data/test.csv");
    scratch.write(
        "data/test.csv",
        [&test[..], b"one more,positive\n"].concat(),
    );
    scratch.run(&["report", "run"]).succeeded();
    assert!(page(&scratch).contains("it has changed since"));
    fs::remove_file(scratch.path("data/test.csv")).unwrap();
    scratch.run(&["report", "run"]).succeeded();
    let without = page(&scratch);
    assert!(without.contains("it is gone") && without.contains("id=\"rows\""));
    scratch.write("run/predictions.safetensors", "nothing");
    scratch.run(&["report", "run"]).succeeded();
    assert!(page(&scratch).contains("predictions.safetensors is damaged"));
    let mut log = scratch.read("run/events.jsonl");
    log.splice(0..1, *b"?");
    scratch.write("run/events.jsonl", log);
    scratch.run(&["report", "run"]).succeeded();
    assert!(page(&scratch).contains("Line 1 of events.jsonl is no event"));
}

#[test]
fn what_cannot_be_reported_is_refused() {
    let scratch = plain("--max-steps 1");
    scratch.refuses(&["report", "nowhere"], &["nowhere", "does not exist"]);
    scratch.refuses(&["report", "data"], &["data", "plan.toml"]);
    scratch.write("notes.html", "my own page");
    scratch.refuses(
        &["report", "run", "-o", "notes.html"],
        &["notes.html", "is not a report", "--output"],
    );
    scratch.refuses(
        &["report", "run", "-o", "data"],
        &["data", "is a directory", "--output"],
    );
    #[cfg(unix)]
    scratch.refuses(
        &["report", "run", "-o", "/dev/full"],
        &["/dev/full", "device"],
    );
    let mut manifest = scratch.json("run/manifest.json");
    manifest["schema_version"] = json!(99);
    scratch.write("run/manifest.json", manifest.to_string());
    scratch.refuses(&["report", "run"], &["newer version", "update finetune"]);
}

/// A disk that is full from some call on: exit code 1, the system's words, the earlier page stays.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_earlier_page() {
    let scratch = plain("--max-steps 1");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../xtask/src/storm/fault.c");
    let library = scratch.path("fault.so");
    let compiled = Command::new("cc")
        .args(["-O1", "-shared", "-fPIC", "-o", argument(&library), source])
        .output();
    let Ok(compiled) = compiled else {
        println!("skipped: there is no C compiler (cc)");
        return;
    };
    assert!(compiled.status.success(), "{compiled:?}");
    let line = ["report", "run", "-o", "page.html"];
    scratch.run(&line).succeeded();
    let page = scratch.read("page.html");
    let before = scratch.entries();
    let output = scratch
        .command(&line)
        .env("LD_PRELOAD", &library)
        .env("STORM_PATH", "page.html")
        .env("STORM_ERROR", "1")
        .env("STORM_ALWAYS", "1")
        .output();
    Run::new(&line, output.unwrap()).failed(1, &["No space left on device"]);
    assert!(scratch.read("page.html") == page);
    scratch.unchanged_since(&before);
}

#[test]
fn a_regression_and_label_sets_have_their_own_sections() {
    let scratch = Scratch::new();
    let rows = samples::examples(120).into_iter();
    let rows = rows.map(|(text, class)| format!("\"{text}\",{}.5\n", 3 * class));
    scratch.write(
        "rated.csv",
        format!("text,label\n{}", rows.collect::<String>()),
    );
    scratch
        .train(&split(
            "--dataset rated.csv --epochs 2 --learning-rate 3e-3",
        ))
        .succeeded();
    let regression = page(&scratch);
    let found = sections(&regression);
    assert!(
        found.contains(&"regression") && found.contains(&"rows"),
        "{found:?}"
    );
    assert!(!found.contains(&"confusion") && !found.contains(&"calibration"));
    assert!(regression.contains("Predicted against true") && regression.contains("pearson"));
    let card = String::from_utf8(scratch.read("run/model/README.md")).unwrap();
    assert!(
        card.contains("- \"regression\"") && card.contains("type: \"mse\""),
        "{card}"
    );

    let scratch = Scratch::new();
    let rows = samples::examples(120).into_iter().map(|(text, class)| {
        let labels: &[&str] = if class == 1 {
            &["good", "film"]
        } else {
            &["film"]
        };
        json!({"text": text, "labels": labels}).to_string() + "\n"
    });
    scratch.write("tagged.jsonl", rows.collect::<String>());
    scratch
        .train(&split(
            "--dataset tagged.jsonl --problem-type multi_label --epochs 2 --learning-rate 3e-3",
        ))
        .succeeded();
    let labels = page(&scratch);
    let found = sections(&labels);
    assert!(
        found.contains(&"thresholds") && found.contains(&"ranking"),
        "{found:?}"
    );
    assert!(!found.contains(&"confusion") && !found.contains(&"regression"));
}

#[test]
fn a_pretrained_model_has_its_perplexity() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    scratch
        .pretrain(&split(
            "--dataset data --max-steps 4 --max-length 16 --logging-steps 1",
        ))
        .succeeded();
    let page = page(&scratch);
    assert!(page.contains("perplexity") && page.contains("to predict masked words"));
    assert!(!sections(&page).contains(&"rows"));
    let card = String::from_utf8(scratch.read("run/model/README.md")).unwrap();
    assert!(card.contains("pipeline_tag: fill-mask"), "{card}");
}

#[test]
fn the_card_can_be_pushed_as_it_is_and_changes_stay() {
    let scratch = plain("");
    let card = String::from_utf8(scratch.read("run/model/README.md")).unwrap();
    for words in [
        "---\ntags:\n- \"finetune\"",
        "pipeline_tag: text-classification\nlibrary_name: transformers\nmodel-index:",
        "    - type: \"accuracy\"",
        "# tiny_bert on data\n",
        "| accuracy | ",
    ] {
        assert!(card.contains(words), "{words}: {card}");
    }
    let run = scratch.path("run");
    assert!(!card.contains(argument(&run)), "{card}");
    scratch.write("run/model/README.md", format!("{card}\nMy own words.\n"));
    let again = scratch.run(&["report", "run"]).succeeded();
    assert!(again.stderr.contains("stays as it is"), "{again}");
    let kept = String::from_utf8(scratch.read("run/model/README.md")).unwrap();
    assert!(kept.ends_with("My own words.\n"));
    fs::remove_file(scratch.path("run/model/README.md")).unwrap();
    scratch.run(&["report", "run"]).succeeded();
    assert_eq!(scratch.read("run/model/README.md"), card.into_bytes());
}

/// A run of 100,000 steps with 25,000 test rows: the page does not grow with them.
#[test]
fn the_page_of_a_long_run_is_small() {
    let scratch = plain("--max-steps 1");
    let mut log = json!({
        "event": "started", "version": "0", "train_rows": 1_600_000, "validation_rows": 25_000,
        "steps_per_epoch": 100_000, "total_steps": 100_000, "warmup_steps": 0, "parameters": 10,
        "trainable_parameters": 10, "padding_avoided": 0.5
    })
    .to_string();
    for step in 1..=100_000_u64 {
        let loss = 0.7 / (1.0 + step as f64 / 2e4) + (step * 7919 % 997) as f64 / 5e3;
        let _ = write!(
            log,
            "\n{{\"event\":\"step\",\"step\":{step},\"epoch\":0.5,\"loss\":{loss},\"learning_rate\":{},\
             \"grad_norm\":{},\"rows\":16,\"tokens\":700,\"seconds\":0.01}}",
            1e-5 * (1.0 - step as f64 / 1e5),
            1.0 + loss
        );
        if step % 100 == 0 {
            let _ = write!(
                log,
                "\n{{\"event\":\"evaluated\",\"split\":\"validation\",\"step\":{step},\"epoch\":0.5,\"metrics\":\
                 {{\"rows\":25000,\"loss\":{loss},\"accuracy\":0.8,\"f1_macro\":0.8}},\"best\":false,\"seconds\":9.5}}"
            );
        }
    }
    scratch.write("run/events.jsonl", log + "\n");
    let rows = 25_000_usize;
    let texts = (0..rows).map(|row| format!("text number {row} {},no\n", "word ".repeat(200)));
    scratch.write(
        "data/test.csv",
        format!("text,label\n{}", texts.collect::<String>()),
    );
    let noise = |row: usize| ((row * 7919) % 9973) as f32 / 9973.0 - 0.4;
    let bytes = |values: Vec<[u8; 4]>| values.concat();
    let logits = bytes(
        (0..2 * rows)
            .map(|at| (4.0 * noise(at)).to_le_bytes())
            .collect(),
    );
    let targets = bytes(
        (0..rows)
            .map(|row| u32::from(noise(2 * row) < 0.1).to_le_bytes())
            .collect(),
    );
    let zeros = bytes(vec![[0; 4]; rows]);
    let numbers: Vec<u8> = (0..rows as u64).flat_map(u64::to_le_bytes).collect();
    let file = fs::canonicalize(scratch.path("data/test.csv")).unwrap();
    let header = json!({"format_version": 1, "split": "test", "files": [argument(&file)]});
    let view = |kind, shape: &[usize], bytes| {
        safetensors::tensor::TensorView::new(kind, shape.to_vec(), bytes).unwrap()
    };
    use safetensors::Dtype::{F32, U32, U64};
    let tensors = [
        ("logits", view(F32, &[rows, 2], &logits)),
        ("targets", view(U32, &[rows], &targets)),
        ("file", view(U32, &[rows], &zeros)),
        ("row", view(U64, &[rows], &numbers)),
        ("tokens", view(U32, &[rows], &zeros)),
    ];
    let metadata = [("finetune".to_owned(), header.to_string())];
    let file = safetensors::serialize(tensors, Some(metadata.into_iter().collect())).unwrap();
    scratch.write("run/predictions.safetensors", file);
    let mut manifest = scratch.json("run/manifest.json");
    manifest["data"] = Value::Array(Vec::new());
    scratch.write("run/manifest.json", manifest.to_string());
    scratch.run(&["report", "run"]).succeeded();
    let page = page(&scratch);
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    assert!(
        page.contains("log entries are shown as")
            && page.contains("240 of 1,000 evaluations are shown")
    );
    assert!(page.contains("text number "), "no texts");
}
