//! Reads the machine's memory figures.

/// Returns how many processes the system has killed for lack of memory since it started; `None` if it does
/// not report that.
pub fn kills() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/vmstat").ok()?;
    let line = text.lines().find(|line| line.starts_with("oom_kill "))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Returns how many bytes are available without swapping, within the container's limit; `None` if the
/// system does not report that.
pub fn available_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    let machine = kibibytes * 1024;
    let number = |path: &str| {
        let text = std::fs::read_to_string(path).ok()?;
        text.trim().parse::<u64>().ok()
    };
    let limit = number("/sys/fs/cgroup/memory.max");
    let used = number("/sys/fs/cgroup/memory.current");
    Some(match limit.zip(used) {
        Some((limit, used)) => machine.min(limit.saturating_sub(used)),
        None => machine,
    })
}
