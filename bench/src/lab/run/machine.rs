//! What processes and machine spend, as the kernel counts it.

use std::fs;

/// Nanoseconds on a processor, of all threads of a process that have not ended; `None` when it
/// is gone.
#[must_use]
pub fn cpu_ns(process: u32) -> Option<u64> {
    let mut total = None;
    for thread in fs::read_dir(format!("/proc/{process}/task")).ok()? {
        // A thread may end after it was listed.
        let Ok(stat) = fs::read_to_string(thread.ok()?.path().join("schedstat")) else {
            continue;
        };
        let ns: u64 = stat.split(' ').next()?.parse().ok()?;
        total = Some(total.unwrap_or(0) + ns);
    }
    total
}

/// How often all threads of a process that have not ended went to sleep, and so were woken; `None` when it is gone.
#[must_use]
pub fn sleeps(process: u32) -> Option<u64> {
    let mut total = None;
    for thread in fs::read_dir(format!("/proc/{process}/task")).ok()? {
        let Ok(status) = fs::read_to_string(thread.ok()?.path().join("status")) else {
            continue;
        };
        let mut lines = status.lines();
        let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        total = Some(total.unwrap_or(0) + count.trim().parse::<u64>().ok()?);
    }
    total
}

/// Peak resident memory in KiB; `None` when the process is gone.
#[must_use]
pub fn peak_rss_kib(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Time that all processors together were busy, in clock ticks of 10 ms; `None` without /proc.
#[must_use]
pub fn busy_ticks() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    busy(stat.lines().next()?)
}

/// user, nice, system, (idle, iowait,) irq, softirq, steal of proc(5)'s `cpu` line.
fn busy(line: &str) -> Option<u64> {
    let fields: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .map_while(|field| field.parse().ok())
        .collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = fields[..] else {
        return None;
    };
    Some(user + nice + system + irq + softirq + steal)
}

/// Frames that the kernel dropped since its start because a processor's backlog queue was full
/// (net.core.netdev_max_backlog); zero without /proc.
#[must_use]
pub fn backlog_drops() -> u64 {
    let table = fs::read_to_string("/proc/net/softnet_stat").unwrap_or_default();
    table.lines().filter_map(dropped).sum()
}

/// The second column of a processor's line, hexadecimal.
fn dropped(line: &str) -> Option<u64> {
    u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_not_busy() {
        assert_eq!(busy("cpu  1 2 4 1000 5000 8 16 32 0 0"), Some(63));
        assert_eq!(busy("cpu 1 2"), None);
    }

    #[test]
    fn a_full_backlog_is_the_second_column() {
        assert_eq!(dropped("00002a3b 0000001f 00000000 00000000"), Some(31));
        assert_eq!(dropped(""), None);
    }

    #[test]
    fn this_process_can_be_read() {
        assert!(cpu_ns(std::process::id()).is_some_and(|ns| ns > 0));
        assert!(peak_rss_kib(std::process::id()).is_some_and(|kib| kib > 100));
        let before = sleeps(std::process::id()).expect("it runs");
        std::thread::sleep(std::time::Duration::from_millis(1));
        assert!(sleeps(std::process::id()).is_some_and(|after| after > before));
        assert_eq!(sleeps(u32::MAX), None);
        assert_eq!(cpu_ns(u32::MAX), None);
    }

    #[test]
    fn threads_may_end_while_they_are_read() {
        std::thread::scope(|scope| {
            let short_lived = scope.spawn(|| {
                for _ in 0..5000 {
                    std::thread::spawn(|| ()).join().expect("no panic");
                }
            });
            while !short_lived.is_finished() {
                assert!(cpu_ns(std::process::id()).is_some());
            }
        });
    }
}
