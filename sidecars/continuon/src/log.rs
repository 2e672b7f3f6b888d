//! `continuon log`: what the loop logged, in words, with file and line.
//!
//! Decides which log is read (of a robot that runs, or of an episode), which messages are shown, and
//! how a loss is told. The loop wrote bytes; loop-log puts them into words, from the executable that
//! runs or from the table that the episode carries. A message that cannot be read makes the answer a
//! no: lost data is an error. Tests: below, tests/cli.rs, and the tests crate (log).

mod printer;

use crate::cli::LogArgs;
use crate::exit::{Exit, Failure};
use crate::observe::watch::not_possible;
use crate::output::say;
use crate::recorded::{self, Recorded};
use crate::run_dir::{self, Running};
use crate::signals::EndRequests;
use loop_log::{MessageTable, TableError};
use printer::{Clock, Printer};
use rlds::Entry;
use rt_ring::Read;
use rt_shm::protocol::LOOP_PROGRAM;
use rt_shm::{Client, MappedRingReader};
use rt_wire::topics::{self, Topic};
use rt_wire::{Health, HealthFlags, LogFrame};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// Between two looks of `--follow`.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Whose log.
enum Origin {
    Live(Running),
    Episode(PathBuf),
}

/// Runs `continuon log`.
///
/// # Errors
/// There is no such log, or no messages to read it with.
pub fn command(args: &LogArgs, json: bool) -> Result<Exit, Failure> {
    match origin(args)? {
        Origin::Live(running) => live(&running, args, json),
        Origin::Episode(path) => of_episode(&path, args, json),
    }
}

/// An episode that was named; else a robot that runs; else the newest episode.
fn origin(args: &LogArgs) -> Result<Origin, Failure> {
    if args.episode.is_some() {
        return recorded::find(args.episode.as_deref()).map(Origin::Episode);
    }
    let a_run_is_meant = args.follow || args.which.run_dir.is_some() || args.which.robot.is_some();
    match run_dir::find(&args.which) {
        Ok(running) => Ok(Origin::Live(running)),
        Err(error) if a_run_is_meant => Err(error),
        Err(_none_runs) => recorded::find(None).map(Origin::Episode),
    }
}

fn live(running: &Running, args: &LogArgs, json: bool) -> Result<Exit, Failure> {
    let mut ends = EndRequests::take()?;
    let mut client = Client::connect(&running.run_dir, &running.robot, topics::CONTINUON)
        .map_err(not_possible)?;
    let mut ring: MappedRingReader<LogFrame> =
        client.ring_reader_from_oldest(&topics::LOG).map_err(not_possible)?;
    let health = client.slot_reader::<Health>(&topics::HEALTH).map_err(not_possible)?;
    let build_id = health.peek().map(|health| health.build_id);
    let program = args.elf.clone().unwrap_or_else(|| running.run_dir.join(LOOP_PROGRAM));
    let table = MessageTable::load(&program, build_id).map_err(|error| no_table(&error, args))?;
    let mut printer = Printer::new(&table, args.level, json, Clock::now());
    loop {
        let has_ended = !client.is_open()
            || health.peek().is_some_and(|health| health.flags.has(HealthFlags::ENDED));
        loop {
            match ring.read() {
                Read::Record { record, .. } => printer.frame(&record)?,
                Read::Lapped { lost } => printer.overwritten(lost)?,
                Read::Empty => break,
                Read::Corrupt => {
                    return Err(Failure::no("the log's ring was made anew or damaged"));
                }
            }
        }
        if !args.follow || has_ended || ends.asked() {
            return Ok(printer.verdict());
        }
        sleep(LOOK_EVERY);
    }
}

fn of_episode(path: &Path, args: &LogArgs, json: bool) -> Result<Exit, Failure> {
    let mut recorded = Recorded::open(path)?;
    let table = match (&args.elf, recorded.log_table()) {
        (Some(program), _) => MessageTable::load(program, Some(recorded.build_id()))
            .map_err(|error| no_table(&error, args))?,
        (None, Some(table)) => {
            MessageTable::parse(table).map_err(|error| no_table(&error, args))?
        }
        (None, None) => {
            return Err(Failure::not_possible(format!(
                "{}: recorded without the messages of its log: name the fast-loop executable of \
                 build {:#018x} with --elf",
                recorded.name(),
                recorded.build_id()
            )));
        }
    };
    let mut printer = Printer::new(&table, args.level, json, Clock::Of(recorded.clock()));
    while let Some(entry) = recorded.next_entry()? {
        match entry {
            Entry::Log(frame) => printer.frame(&frame)?,
            Entry::Loss(loss) if is_of(&topics::LOG, &loss.topic) => {
                printer.overwritten(loss.lost)?;
            }
            Entry::Loss(_)
            | Entry::Telemetry(_)
            | Entry::Keyframe(_)
            | Entry::Event(_)
            | Entry::Frame(_) => {}
        }
    }
    for note in recorded.notes() {
        say(note);
    }
    Ok(printer.verdict())
}

/// Whether `segment` is a robot's segment of this topic.
fn is_of(topic: &Topic, segment: &str) -> bool {
    let rest = format!(".{}.{}.{}", topic.writer, topic.record, topic.kind.name());
    segment.ends_with(&rest)
}

/// A file that a person named is theirs to mend; one that was found is not to be had here.
fn no_table(error: &TableError, args: &LogArgs) -> Failure {
    match error {
        TableError::OtherBuild { .. } => Failure::not_possible(error.to_string()),
        TableError::Io { .. } | TableError::NoTable(_) if args.elf.is_some() => {
            Failure::misuse(error.to_string())
        }
        TableError::Io { .. } | TableError::NoTable(_) => {
            Failure::not_possible(format!("{error} (name the fast-loop executable with --elf)"))
        }
    }
}
