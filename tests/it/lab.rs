//! The commands of docs/lab.md, typed as they stand there, on data sets of a few rows.

use std::fs;

use crate::{
    command::Scratch,
    fixtures::root,
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

/// The lines of the code blocks, with those that end in a backslash joined to the next.
fn commands(markdown: &str) -> Vec<String> {
    let mut commands = Vec::new();
    for (number, block) in markdown.split("```").enumerate() {
        if number % 2 == 1 {
            let joined = block.replace("\\\n", " ");
            commands.extend(joined.lines().map(str::trim).map(str::to_owned));
        }
    }
    commands.retain(|line| !line.is_empty());
    commands
}

/// Splits a command line as a shell does, without variables and escapes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quote, mut begun) = (None, false);
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.push(c),
            None if c == '\'' || c == '"' => (quote, begun) = (Some(c), true),
            None if c.is_whitespace() => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            None => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
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

#[test]
fn command_lines_are_split_as_by_a_shell() {
    assert_eq!(words("a  'b c'd \"e\" ''"), ["a", "b cd", "e", ""]);
    assert_eq!(
        commands("text\n```\na \\\n  b\n```\nmore `x`\n```sh\nc\n```\n"),
        ["a    b", "sh", "c"]
    );
}
