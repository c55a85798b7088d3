//! The whole lab, on data sets of a few rows.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use super::*;

/// The `finetune` that Cargo put beside the tests, TARGET/PROFILE/deps/xtask-HASH.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().unwrap().parent().unwrap();
    let path = profile.join(format!("finetune{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.exists(),
        "{} is not built; build it first: cargo build --release --workspace --bins",
        path.display()
    );
    path
}

/// A folder with the data sets `news` and `reviews`.
fn data_sets() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let subjects = [
        "film", "book", "goal", "bank", "cell", "king", "tree", "song",
    ];
    for (name, classes) in [("news", 4), ("reviews", 2)] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        for (split, from, rows) in [("train", 0, 48), ("test", 48, 12)] {
            let row = |number: usize| {
                let class = number % classes;
                let (subject, other) = (subjects[class], subjects[4 + number % 3]);
                format!("the {name} of a {subject} and {other} number{number},class{class}\n")
            };
            let rows: String = (from..from + rows).map(row).collect();
            let path = folder.path().join(name).join(format!("{split}.csv"));
            std::fs::write(path, format!("text,label\n{rows}")).unwrap();
        }
    }
    folder
}

fn arguments(data: &TempDir, output: &str) -> Arguments {
    let path = |name: &str| data.path().join(name).display().to_string();
    Arguments {
        output: data.path().join(output),
        seeds: NonZeroU32::new(2).unwrap(),
        data: Some(Data {
            news: path("news"),
            reviews: path("reviews"),
        }),
        epochs: NonZeroU32::new(2),
        batch_size: NonZeroU32::new(16),
        max_length: None,
        learning_rate: None,
        head_learning_rate: None,
        vocab_size: NonZeroUsize::new(40),
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    lab_with(&program(), arguments, sources(arguments)?)
}

fn refusal(arguments: &Arguments) -> String {
    let error = run(arguments).unwrap_err();
    assert!(error.downcast_ref::<Refused>().is_some(), "{error:#}");
    error.to_string()
}

fn results(arguments: &Arguments) -> Value {
    let text = std::fs::read_to_string(arguments.output.join(RESULTS)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The name and content of every file `results.json` and of every log.
fn done(arguments: &Arguments) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(&arguments.output).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let files = paths.map(|path| match path.is_dir() {
        true => path.join("results.json"),
        false => path,
    });
    let files = files.filter(|path| ![RESULTS, LOCK].iter().any(|name| path.ends_with(name)));
    files
        .filter_map(|path| Some((path.clone(), std::fs::read(path).ok()?)))
        .collect()
}

#[test]
fn the_lab_goes_on_where_it_stopped() {
    let data = data_sets();
    let mut arguments = arguments(&data, "out");
    run(&arguments).unwrap();
    let first = results(&arguments);
    let rows = first["rows"].as_array().unwrap();
    let names: Vec<_> = rows
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["news", "scratch", "full", "head", "linear2"]);
    for row in rows {
        assert_eq!(row["runs"].as_array().unwrap().len(), 2, "{row}");
        assert!(row["test_accuracy"].as_f64().unwrap() > 0.0, "{row}");
        assert!(row["half_width_95_percent_student_t"].is_number(), "{row}");
    }
    assert_eq!(rows[1]["trained_share"], 1.0);
    assert!(rows[3]["trained_share"].as_f64() < rows[4]["trained_share"].as_f64());
    let table = std::fs::read_to_string(arguments.output.join(TABLE)).unwrap();
    assert!(table.contains("| from scratch | "), "{table}");
    assert!(table.contains("mean of 2 seeds"), "{table}");

    let compared = std::fs::read_to_string(arguments.output.join("compare/compare.csv")).unwrap();
    let names: Vec<_> = compared
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap())
        .collect();
    assert_eq!(names, ["scratch", "full", "head", "linear2"]);

    // Two labs do not write into the same folder.
    let lock = DirectoryLock::take(&arguments.output).unwrap();
    let refused = refusal(&arguments);
    assert!(refused.contains("is in use by"), "{refused}");
    drop(lock);

    // Nothing is done twice.
    let before = done(&arguments);
    run(&arguments).unwrap();
    assert_eq!(done(&arguments), before);

    // A run that was killed before its end, and one that had hardly begun.
    std::fs::remove_file(arguments.output.join("full-1/results.json")).unwrap();
    std::fs::remove_dir_all(arguments.output.join("head-2")).unwrap();
    run(&arguments).unwrap();
    let accuracies = |results: &Value| {
        let rows = results["rows"].as_array().unwrap().iter();
        let accuracies = rows.map(|row| row["test_accuracy"].clone());
        accuracies.collect::<Vec<_>>()
    };
    assert_eq!(accuracies(&results(&arguments)), accuracies(&first));

    // More seeds are added; other settings are refused, and so are other rows.
    arguments.seeds = NonZeroU32::new(3).unwrap();
    run(&arguments).unwrap();
    assert_eq!(results(&arguments)["rows"][2]["runs"][2]["run"], "full-3");
    arguments.epochs = NonZeroU32::new(3);
    let refused = refusal(&arguments);
    assert!(refused.contains("epochs was 2 and is now 3"), "{refused}");
    assert!(refused.contains("--output"), "{refused}");
    arguments.epochs = NonZeroU32::new(2);
    let rows = data.path().join("reviews/test.csv");
    let text = std::fs::read_to_string(&rows).unwrap();
    std::fs::write(&rows, text.replace("film", "movie")).unwrap();
    let refused = refusal(&arguments);
    assert!(
        refused.contains("the rows of reviews have changed"),
        "{refused}"
    );
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let data = data_sets();
    let mut missing = arguments(&data, "out");
    let named = missing.data.as_mut().unwrap();
    named.news = data.path().join("nothing.csv").display().to_string();
    let refused = refusal(&missing);
    assert!(
        refused.contains("--data news=") && refused.contains("nothing.csv"),
        "{refused}"
    );

    std::fs::remove_file(data.path().join("reviews/test.csv")).unwrap();
    let refused = refusal(&arguments(&data, "out"));
    assert!(
        refused.contains("--data reviews=") && refused.contains("no test split"),
        "{refused}"
    );
    assert!(!data.path().join("out").exists());

    // A folder with something else in it stays as it is.
    let data = data_sets();
    let refused = refusal(&arguments(&data, "news"));
    assert!(refused.contains("is not the folder of a lab"), "{refused}");
    assert_eq!(
        std::fs::read_dir(data.path().join("news")).unwrap().count(),
        2
    );
}

/// A command that fails ends the lab with its exit code, and is done again the next time.
#[test]
fn a_failure_is_passed_on() {
    let data = data_sets();
    let mut arguments = arguments(&data, "out");
    arguments.vocab_size = NonZeroUsize::new(3);
    let code = run(&arguments).unwrap();
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(2)));
    let log = std::fs::read_to_string(arguments.output.join("words.log")).unwrap();
    assert!(log.contains("too small"), "{log}");

    // Nothing has been trained with the setting, so that another one is accepted.
    arguments.vocab_size = NonZeroUsize::new(40);
    arguments.seeds = NonZeroU32::MIN;
    let code = run(&arguments).unwrap();
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
    assert_eq!(results(&arguments)["settings"]["vocab_size"], 40);
}

/// The table needs labels of the test rows, which is not found out after the training.
#[test]
fn test_rows_without_classes_are_refused() {
    let data = data_sets();
    let test = data.path().join("reviews/test.csv");
    let refused = |rows: &str| {
        std::fs::write(&test, rows).unwrap();
        refusal(&arguments(&data, "out"))
    };
    let hidden = refused("text\na film of\nanother film\n");
    assert!(hidden.contains("its test rows have no labels"), "{hidden}");
    for split in ["train", "test"] {
        let path = data.path().join("reviews").join(format!("{split}.csv"));
        std::fs::write(path, "text,label\na film,0.5\nanother,0.25\na third,0.75\n").unwrap();
    }
    let numbers = refusal(&arguments(&data, "out"));
    assert!(
        numbers.contains("regression") && numbers.contains("accuracies of classes"),
        "{numbers}"
    );
    assert!(!data.path().join("out").exists());

    let data = data_sets();
    let file = refusal(&arguments(&data, "reviews/test.csv"));
    assert!(file.contains("is a file"), "{file}");
}
