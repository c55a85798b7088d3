//! Memory of the machine.

/// Processes that the system has killed for want of memory since it started; `None` where it does not
/// tell.
pub fn kills() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/vmstat").ok()?;
    let line = text.lines().find(|line| line.starts_with("oom_kill "))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Bytes that programs can still have without swapping; `None` where the system does not tell. A
/// container's limit counts too.
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
