//! What a control group tells of those who were in it, by the files of both versions of the interface.

use std::fs;

use crate::model::step::Metrics;
use crate::sys::cgroup::places::{Controller, Place};

/// What the groups of one step tell of it. What their kernel does not count is absent.
pub(super) fn of(places: &[Place]) -> Metrics {
    let mut metrics = Metrics::default();
    for place in places {
        let read = |name: &str| fs::read_to_string(place.folder.join(name)).ok();
        for controller in &place.controls {
            match controller {
                Controller::Memory => {
                    let peak = if place.unified { "memory.peak" } else { "memory.max_usage_in_bytes" };
                    metrics.memory_peak = read(peak).and_then(|text| number(&text));
                }
                // The first process of a step is disco's.
                Controller::Processes => {
                    metrics.processes =
                        read("pids.peak").and_then(|text| number(&text)).map(|peak| peak.saturating_sub(1));
                }
                Controller::Io => {
                    let found = match place.unified {
                        true => read("io.stat").map(|text| keyed_io(&text)),
                        false => {
                            read("blkio.throttle.io_service_bytes_recursive").map(|text| listed_io(&text))
                        }
                    };
                    (metrics.io_read, metrics.io_written) = found.unzip();
                }
            }
        }
        if place.unified {
            metrics.cpu_pressure = read("cpu.pressure").and_then(|text| waited(&text));
        }
    }
    metrics
}

fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// Bytes read and written, of all devices of an `io.stat`: `8:0 rbytes=1 wbytes=2 rios=1 …`.
fn keyed_io(text: &str) -> (u64, u64) {
    let sum = |key| {
        let values = text.split_ascii_whitespace().filter_map(|word| number(word.strip_prefix(key)?));
        values.sum()
    };
    (sum("rbytes="), sum("wbytes="))
}

/// The same, of a file of version 1: `8:0 Read 1`, `8:0 Write 2`, …, `Total 3`.
fn listed_io(text: &str) -> (u64, u64) {
    let sum = |kind| {
        let values = text.lines().filter_map(|line| {
            let mut words = line.split_ascii_whitespace().skip(1);
            if words.next()? == kind { number(words.next()?) } else { None }
        });
        values.sum()
    };
    (sum("Read"), sum("Write"))
}

/// The seconds in which some of them waited for a CPU, of a `cpu.pressure` (psi(7)).
fn waited(text: &str) -> Option<f64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let microseconds = some.split(' ').find_map(|word| number(word.strip_prefix("total=")?))?;
    Some(microseconds as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRESSURE: &str = "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\nfull avg10=0.00 total=7\n";

    /// A group with these files.
    fn told(unified: bool, controls: &[Controller], files: &[(&str, &str)]) -> Metrics {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(dir.path().join(name), text).unwrap();
        }
        of(&[Place { folder: dir.path().to_owned(), unified, controls: controls.to_vec() }])
    }

    #[test]
    fn both_versions_tell_the_same() {
        let all = [Controller::Io, Controller::Memory, Controller::Processes];
        let all_told = Metrics {
            memory_peak: Some(4096),
            io_read: Some(30),
            io_written: Some(6),
            processes: Some(2),
            ..Metrics::default()
        };
        let two = told(
            true,
            &all,
            &[
                ("memory.peak", "4096\n"),
                ("pids.peak", "3\n"),
                (
                    "io.stat",
                    "8:0 rbytes=10 wbytes=2 rios=1 wios=1 dbytes=9\n8:16 rbytes=20 wbytes=4 rios=1\n",
                ),
                ("cpu.pressure", PRESSURE),
            ],
        );
        assert_eq!(two, Metrics { cpu_pressure: Some(1.5), ..all_told.clone() });
        let listed =
            "8:0 Read 10\n8:0 Write 2\n8:0 Sync 12\n8:0 Total 12\n8:16 Read 20\n8:16 Write 4\nTotal 36\n";
        let one = told(
            false,
            &all,
            &[
                ("memory.max_usage_in_bytes", "4096\n"),
                ("pids.peak", "3\n"),
                ("blkio.throttle.io_service_bytes_recursive", listed),
                ("cpu.pressure", PRESSURE),
            ],
        );
        assert_eq!(one, all_told, "version 1 has no pressure of a group");
    }

    #[test]
    fn what_the_kernel_does_not_count_is_absent() {
        let all = [Controller::Io, Controller::Memory, Controller::Processes];
        assert_eq!(told(true, &all, &[]), Metrics::default());
        assert_eq!(told(false, &all, &[]), Metrics::default());
        // A controller that is not there is not asked, and no I/O is none.
        let files = [("memory.peak", "1\n"), ("io.stat", ""), ("cpu.pressure", "none")];
        let only = Metrics { io_read: Some(0), io_written: Some(0), ..Metrics::default() };
        assert_eq!(told(true, &[Controller::Io], &files), only);
    }
}
