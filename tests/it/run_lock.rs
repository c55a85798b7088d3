//! Only one process works on a run at a time, and an empty directory is started afresh.
#![cfg(unix)]

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    command::{Run, Scratch, argument, split},
    fixtures, samples,
};

const OPTIONS: &str = "--dataset data --max-steps 100000 --save-steps 50 --eval-steps 50";

fn train<'a>(model: &'a Path, options: &'a str) -> Vec<&'a str> {
    let mut arguments = vec!["train", "--model", argument(model), "--output", "run"];
    arguments.extend(split(options));
    arguments
}

fn spawn(scratch: &Scratch, arguments: &[&str]) -> Child {
    let mut command = scratch.command(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[track_caller]
fn wait_for(what: &str, mut ready: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(600);
    while !ready() {
        assert!(Instant::now() < deadline, "{what} never came");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn signal(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args([signal, &pid])
            .status()
            .unwrap()
            .success()
    );
}

/// Returns whether all threads of a process have stopped; without `/proc`, whether the process has.
fn is_stopped(child: &Child) -> bool {
    let stopped = |state: &str| state.trim_start().starts_with('T');
    let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", child.id())) else {
        let pid = child.id().to_string();
        let state = Command::new("ps")
            .args(["-o", "state=", "-p", &pid])
            .output();
        return stopped(&String::from_utf8_lossy(&state.unwrap().stdout));
    };
    let mut states = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("stat")));
    // The state follows the name, which is in parentheses.
    states.all(|stat| stat.is_ok_and(|stat| stat.rsplit(')').next().is_some_and(stopped)))
}

fn files(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(files(&path)),
            false => all.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    all.sort();
    all
}

/// Whoever comes second is told who is first, and changes nothing.
#[test]
fn a_run_that_is_at_work_is_left_alone() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let model = fixtures::path("tiny_bert");
    let first = train(&model, OPTIONS);
    let child = spawn(&scratch, &first);
    let saved = scratch.path("run/checkpoints/step-000050/manifest.json");
    wait_for("a checkpoint", || saved.exists());
    // So that what is compared stands still.
    signal(&child, "-STOP");
    // The signal is asynchronous: a thread may finish what it is writing.
    wait_for("the process to stop", || is_stopped(&child));
    let pid = format!("process {} on ", child.id());
    let words = ["run is in use by", &pid, "(since 2", "wait until that ends"];
    let before = files(&scratch.path("run"));
    let auto = format!("{OPTIONS} --resume auto");
    for second in [
        vec!["resume", "run"],
        vec!["resume", "run", "--set", "save_total_limit=5"],
        train(&model, &auto),
    ] {
        scratch.run(&second).refused(&words);
    }
    scratch.run(&first).refused(&["run", "--resume auto"]);
    assert!(before == files(&scratch.path("run")), "something changed");
    signal(&child, "-CONT");
    signal(&child, "-INT");
    let run = Run::new(&first, child.wait_with_output().unwrap());
    assert_eq!(run.code, Some(130), "{run}");
    assert!(!scratch.path("run/.lock").exists());
}

/// Of two at once one works; nothing is lost of either session.
#[test]
fn of_two_sessions_at_once_one_goes_on() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let model = fixtures::path("tiny_bert");
    let options = "--dataset data --max-steps 300 --save-steps 20 --eval-steps 20 --json";
    let arguments = train(&model, options);
    let mut child = spawn(&scratch, &arguments);
    let saved = scratch.path("run/checkpoints/step-000020/manifest.json");
    wait_for("a checkpoint", || saved.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    // The killed one's file is still there, and no lock.
    assert!(scratch.path("run/.lock").exists());
    let resume = ["resume", "run", "--json"];
    let sessions = [(); 3].map(|()| spawn(&scratch, &resume));
    let runs = sessions.map(|child| Run::new(&resume, child.wait_with_output().unwrap()));
    let mut done = 0;
    for run in &runs {
        match run.code {
            Some(0) => done += 1,
            _ => run.refused(&["run is in use by process"]),
        }
    }
    assert!(done >= 1, "{}", runs[0]);
    let mut steps = scratch.json_lines("run/events.jsonl");
    steps.retain(|event| event["event"] == "step");
    let steps: Vec<_> = steps
        .iter()
        .map(|event| event["step"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, (1..=300).collect::<Vec<_>>());
    assert_eq!(scratch.json("run/results.json")["train"]["steps"], 300);
}

/// What a run leaves that is killed before it begins is in nobody's way.
#[test]
fn a_directory_that_holds_nothing_is_begun_anew() {
    let model = fixtures::path("tiny_bert");
    let options = "--dataset data --max-steps 3 --json";
    let auto = format!("{options} --resume auto");
    for (number, arguments) in [train(&model, options), train(&model, &auto)]
        .iter()
        .enumerate()
    {
        for left in [
            &[][..],
            &[".lock"],
            &[".lock", "plan.toml.partial", ".partial-x/a"],
        ] {
            let scratch = Scratch::new();
            samples::splits(&scratch, "csv");
            fs::create_dir(scratch.path("run")).unwrap();
            for name in left {
                scratch.write(&format!("run/{name}"), "torn");
            }
            let refused = scratch.run(&["resume", "run"]);
            refused.refused(&["has no plan.toml", "nothing to resume", "--output run"]);
            scratch.run(arguments).succeeded();
            for name in [".lock", "plan.toml.partial", ".partial-x"] {
                assert!(
                    !scratch.path(&format!("run/{name}")).exists(),
                    "{number} {name}"
                );
            }
        }
    }
    // Whatever else is in a directory may be worth keeping.
    for name in ["notes.txt", "checkpoints/a", "x.partial", "manifest.json"] {
        let scratch = Scratch::new();
        samples::splits(&scratch, "csv");
        scratch.write(&format!("run/{name}"), "mine");
        scratch.refuses_train(
            &split(options),
            &["exists already", "nothing is overwritten"],
        );
        assert_eq!(scratch.read(&format!("run/{name}")), b"mine");
    }
}

/// A run that is refused before it begins leaves an empty directory as it was.
#[test]
fn an_empty_directory_stays_empty_where_the_run_is_refused() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    fs::create_dir(scratch.path("run")).unwrap();
    scratch.refuses_train(&split("--dataset data --labels a,b,c,d"), &["a, b, c, d"]);
    assert_eq!(fs::read_dir(scratch.path("run")).unwrap().count(), 0);
}

/// Half-written files of killed sessions, and checkpoints that one did not come to remove.
#[test]
fn the_next_session_removes_what_killed_ones_left() {
    let scratch = Scratch::new();
    samples::splits(&scratch, "csv");
    let model = fixtures::path("tiny_bert");
    let options =
        "--dataset data --epochs 6 --save-steps 10 --eval-steps 10 --save-total-limit 1 --json";
    scratch.run(&train(&model, options)).succeeded();
    let best = scratch.json("run/checkpoints/best.json")["step"]
        .as_u64()
        .unwrap();
    let left = |scratch: &Scratch| {
        let names = fs::read_dir(scratch.path("run/checkpoints")).unwrap();
        let mut names: Vec<_> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let expected = left(&scratch);
    fs::remove_file(scratch.path("run/results.json")).unwrap();
    let surplus = (10..60).step_by(10).find(|step| *step != best).unwrap();
    let surplus = scratch.path(&format!("run/checkpoints/step-{surplus:06}"));
    fs::create_dir(&surplus).unwrap();
    for (path, bytes) in files(&scratch.path(&format!("run/checkpoints/step-{best:06}"))) {
        fs::write(surplus.join(path.file_name().unwrap()), bytes).unwrap();
    }
    for name in [
        ".partial-a1b2c3/model.safetensors",
        "manifest.json.partial",
        "results.json.partial",
        "checkpoints/.partial-step-000050/state.json",
        "checkpoints/.removed-step-000010/state.json",
        "checkpoints/.partial-best.json",
    ] {
        scratch.write(&format!("run/{name}"), "torn");
    }
    scratch.run(&["resume", "run", "--json"]).succeeded();
    assert_eq!(left(&scratch), expected);
    let names = fs::read_dir(scratch.path("run")).unwrap();
    let names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.') || name.ends_with(".partial"))
        .collect();
    assert!(names.is_empty(), "{names:?}");
    assert_ne!(scratch.json("run/results.json"), Value::Null);
}
