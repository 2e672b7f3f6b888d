//! The topic table against the list of processes: whoever writes, creates or reads is known.

use super::{Finding, Tree};
use rt_wire::topics::{self, Kind, Topic};
use rt_wire::{HEARTBEAT_SOURCES, SOURCES};
use std::collections::HashSet;

const TABLE: &str = "rt-core/wire/src/topics.rs";

/// Every process that there is or will be; one word for folder, package, process and unit.
const PROCESSES: [&str; 12] = [
    "fast-loop",
    "plant",
    "continuon",
    "rlds-logger",
    "camera",
    "inference",
    "teleop",
    "pilot",
    "trainer",
    "adapter-gate",
    "gateway",
    "ota",
];
/// Who may create a segment: the loop, and the camera its frame ring.
const CREATORS: [&str; 2] = ["fast-loop", "camera"];

pub(crate) fn check(_tree: &Tree) -> Result<(String, Vec<Finding>), String> {
    let table: Vec<Topic> = topics::all().copied().collect();
    let findings = wrongs(&table).into_iter().map(|what| Finding::new(TABLE, 0, what)).collect();
    Ok((
        format!("{} topics, every writer, creator and reader is a known process", table.len()),
        findings,
    ))
}

fn wrongs(table: &[Topic]) -> Vec<String> {
    let mut wrongs = Vec::new();
    let mut names = HashSet::new();
    for topic in table {
        let name = format!("{}.{}.{}", topic.writer, topic.record, topic.kind.name());
        for process in topic.readers.iter().chain([&topic.writer, &topic.creator]) {
            if !PROCESSES.contains(process) {
                wrongs.push(format!("{name}: `{process}` is no known process"));
            }
        }
        if !CREATORS.contains(&topic.creator) {
            wrongs.push(format!(
                "{name}: created by `{}`, expected one of {CREATORS:?}",
                topic.creator
            ));
        }
        if topic.readers.is_empty() {
            wrongs.push(format!("{name}: nobody reads it"));
        }
        let depth_fits = match topic.kind {
            Kind::Ring => topic.depth.is_power_of_two() && topic.depth > 1,
            Kind::Slot => topic.depth == 1,
        };
        if !depth_fits {
            wrongs.push(format!("{name}: depth {}", topic.depth));
        }
        if !names.insert(name.clone()) {
            wrongs.push(format!("{name}: twice in the table"));
        }
    }
    let has = |writer: &str, record: &str| {
        table.iter().any(|topic| topic.writer == writer && topic.record == record)
    };
    for source in SOURCES.iter().filter(|source| !has(source.name(), "command")) {
        wrongs.push(format!("{source}: a source without a command slot"));
    }
    for source in HEARTBEAT_SOURCES.iter().filter(|source| !has(source, "heartbeat")) {
        wrongs.push(format!("{source}: a heartbeat source without its slot"));
    }
    wrongs
}

#[cfg(test)]
mod tests {
    use super::wrongs;
    use rt_wire::topics::{self, Topic};

    #[test]
    fn an_unknown_process_a_missing_slot_and_a_doubled_name_are_found() {
        let table: Vec<Topic> = topics::all().copied().collect();
        assert_eq!(wrongs(&table), Vec::<String>::new());

        let mut strange = table.clone();
        strange[0].readers = &["rlds-loger"];
        assert!(wrongs(&strange)[0].contains("`rlds-loger` is no known process"));

        let without: Vec<Topic> =
            table.iter().copied().filter(|topic| topic.record != "heartbeat").collect();
        assert_eq!(wrongs(&without).len(), rt_wire::HEARTBEAT_SOURCES.len());

        let mut doubled = table.clone();
        doubled.push(table[0]);
        assert!(wrongs(&doubled)[0].contains("twice"));
    }
}
