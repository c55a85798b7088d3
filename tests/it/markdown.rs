//! Commands and files in the text of documents.

/// The lines of the code blocks, with those that end in a backslash joined to the next.
pub fn commands(markdown: &str) -> Vec<String> {
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

/// The first code block in a language.
pub fn block<'a>(markdown: &'a str, language: &str) -> &'a str {
    let begin = format!("```{language}\n");
    let (_, rest) = markdown.split_once(&begin).unwrap();
    rest.split_once("```").unwrap().0
}

/// Splits a command line as a shell does, without variables and escapes.
pub fn words(line: &str) -> Vec<String> {
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
fn command_lines_are_split_as_by_a_shell() {
    assert_eq!(words("a  'b c'd \"e\" ''"), ["a", "b cd", "e", ""]);
    assert_eq!(
        commands("text\n```\na \\\n  b\n```\nmore `x`\n```sh\nc\n```\n"),
        ["a    b", "sh", "c"]
    );
    assert_eq!(
        block("a\n```\nb\n```\n```toml\nc = 1\n```\n", "toml"),
        "c = 1\n"
    );
}
