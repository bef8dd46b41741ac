//! The CPUs to measure on: of those that this process may use, one of each core.

use std::collections::HashSet;
use std::fs;

/// Gives them, in the order of their numbers. Two that are threads of one core would share its units, and count as two.
pub fn one_of_each() -> Vec<usize> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).map(numbers);
    let allowed = allowed.filter(|cpus| !cpus.is_empty());
    let allowed = allowed.unwrap_or_else(|| (0..std::thread::available_parallelism().map_or(1, usize::from)).collect());
    let mut cores = HashSet::new();
    allowed.into_iter().filter(|cpu| cores.insert(core_of(*cpu))).collect()
}

/// What all threads of a core have in common: the list of them.
fn core_of(cpu: usize) -> String {
    fs::read_to_string(format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"))
        .unwrap_or_else(|_| cpu.to_string())
}

/// Reads a list as the kernel writes it: `0-3,8`.
fn numbers(list: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn lists_of_the_kernel_are_read() {
        assert_eq!(super::numbers("\t0-3,8\n"), [0, 1, 2, 3, 8]);
        assert_eq!(super::numbers("5"), [5]);
        assert!(super::numbers("").is_empty());
    }
}
