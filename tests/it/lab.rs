//! The commands of docs/lab.md, typed as they stand there, on data sets of a few rows.

use std::fs;

use crate::{
    command::Scratch,
    fixtures::root,
    markdown::{commands, words},
    samples::{self, CLASSES, Example},
};

/// News of four classes, in the words of the reviews, and reviews of two.
fn data_sets(scratch: &Scratch) {
    let reviews = samples::examples(120);
    let news = |(text, class): &Example| {
        let topic = usize::from(text.contains("film") || text.contains("movie"));
        format!("\"{text}\",topic{}\n", 2 * topic + class)
    };
    let review = |(text, class): &Example| format!("\"{text}\",{}\n", CLASSES[*class]);
    for (name, rows) in [
        ("train", &reviews[..80]),
        ("validation", &reviews[80..100]),
        ("test", &reviews[100..]),
    ] {
        let csv = |rows: String| format!("text,label\n{rows}");
        let (domains, movies) = (rows.iter().map(news), rows.iter().map(review));
        scratch.write(
            &format!("datasets/domains/{name}.csv"),
            csv(domains.collect()),
        );
        scratch.write(
            &format!("datasets/movie_reviews/{name}.csv"),
            csv(movies.collect()),
        );
    }
    let vector = |word: &str| {
        let numbers = (0..100).map(|dimension| format!(" {}", (dimension % 7) as f32 / 10.0 - 0.3));
        format!("{word}{}\n", numbers.collect::<String>())
    };
    scratch.write("glove.6B.100d.txt", vector("film") + &vector("dull"));
}

#[test]
fn every_command_of_its_text_works() {
    let text = fs::read_to_string(root().join("docs/lab.md")).unwrap();
    let scratch = Scratch::new();
    data_sets(&scratch);
    let mut typed = 0;
    for line in commands(&text) {
        let line = words(&line);
        let Some(("target/release/finetune", arguments)) =
            line.split_first().map(|(program, rest)| (&**program, rest))
        else {
            continue;
        };
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        scratch.run(&arguments).succeeded();
        typed += 1;
    }
    assert!(typed >= 12, "{typed} commands");
    // The lab's four ways, and the exercise trains what it says.
    for run in ["scratch", "full", "head", "linear2"] {
        let results = scratch.json(&format!("lab/{run}/results.json"));
        assert!(results["test"]["accuracy"].is_number(), "{run}");
    }
    let parameters = |run: &str| {
        let results = scratch.json(&format!("lab/{run}/results.json"));
        results["parameters"]["trainable"].as_u64().unwrap()
    };
    // One linear layer of 100 to 2; two layers of 128 to 100 besides.
    assert_eq!(parameters("head"), 202);
    assert_eq!(parameters("linear2"), 202 + 2 * (128 * 100 + 100));
}
