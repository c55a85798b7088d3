//! Follows the event log of a running training, line by line.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;

/// A log with a JSON object per line, and the time at which each line was first seen.
#[derive(Debug)]
pub struct EventLog {
    path: PathBuf,
    file: Option<File>,
    unfinished: Vec<u8>,
    events: Vec<(Instant, Value)>,
}

impl EventLog {
    /// Creates a reader of a log that may not exist yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            unfinished: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Reads the lines written since the last call.
    pub fn look(&mut self) {
        let now = Instant::now();
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let Some(file) = &mut self.file else { return };
        // Errors are ignored: the next call may succeed, and missing events are noticed at the end.
        file.read_to_end(&mut self.unfinished).ok();
        while let Some(end) = self.unfinished.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.unfinished.drain(..=end).collect();
            if let Ok(event) = serde_json::from_slice(&line) {
                self.events.push((now, event));
            }
        }
    }

    /// Returns the events with their times in seconds since `started`.
    #[must_use]
    pub fn since(&self, started: Instant) -> Vec<(f64, Value)> {
        let seconds = |at: &Instant| at.duration_since(started).as_secs_f64();
        let events = self.events.iter();
        events
            .map(|(at, event)| (seconds(at), event.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_are_seen_when_they_are_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let started = Instant::now();
        let mut log = EventLog::new(&path);
        log.look();
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .unwrap();
        let mut seen = |text: &str| {
            file.write_all(text.as_bytes()).unwrap();
            log.look();
            log.since(started)
        };
        assert_eq!(seen("{\"event\":\"started\"}\n{\"event\":").len(), 1);
        let events = seen("\"step\"}\n");
        assert_eq!(events.len(), 2);
        assert_eq!(events[1].1["event"], "step");
        assert!(events[0].0 <= events[1].0);
    }
}
