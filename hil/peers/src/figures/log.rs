//! The deferred log: what a message costs the loop, and whether any is lost at ten a cycle.
//!
//! In process, with the real queue, the real forwarder and the real segment. The cost is that of
//! bringing a message's arguments into the queue; nothing is put into words. The flood is a thread as
//! the loop's (its core, its priority, sealed) with ten messages in each cycle of 1 kHz, beside a
//! forwarder that looks as often as housekeeping does and a reader that looks as often as the logger.

use super::Bench;
use crate::report::{Goal, Pairs, Row};
use crate::stats::Quantiles;
use anyhow::{Context as _, Result, anyhow, ensure};
use fast_loop::clock::{self, now as mono_now};
use fast_loop::grid::Grid;
use fast_loop::log::{self, FRAMES_WAITING_MAX, Forwarder};
use fast_loop::sealed_alloc;
use rt_ring::{Read, RingReader, RingWriter};
use rt_shm::Segments;
use rt_wire::topics::LOG;
use rt_wire::{LogFrame, MonoNs, Record};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

const NAME: &str = "log";
/// Messages of a batch: the clock is read twice for all of them.
const BATCH: u64 = 32;
/// Cycles and messages of the flood.
const PERIOD_NS: u64 = 1_000_000;
const MESSAGES_A_CYCLE: u64 = 10;
/// How often housekeeping and the logger look.
const FORWARD_EVERY: Duration = Duration::from_millis(10);
const READ_EVERY: Duration = Duration::from_millis(5);

/// Every row.
///
/// # Errors
/// No memory for the segment.
pub(super) fn log(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = bench.in_real_time(cost)?;
    rows.extend(flood(bench)?);
    Ok(rows)
}

type Segment = (RingWriter<'static, LogFrame>, RingReader<'static, LogFrame>);

fn segment() -> Result<Segment> {
    let segments = Segments::create("peers-log", true, false)?;
    let words = segments.words(&LOG)?;
    let ring = RingWriter::create(words, LOG.depth as usize, segments.identity(&LOG))?;
    Ok((ring, RingReader::attach(words, LogFrame::LAYOUT_HASH)?))
}

fn cost(bench: &Bench) -> Result<Vec<Row>> {
    let batches = bench.pick(2_000, 20_000);
    let (ring, _reader) = segment()?;
    let (writer, mut forwarder) = log::link(FRAMES_WAITING_MAX, ring)?;
    writer.install();
    let (mut two, mut mode) = (Pairs::default(), Pairs::default());
    for turn in 1..=bench.alternations {
        let numbers = per_message(batches, &mut forwarder, |n| {
            defmt::warn!(
                "late event: woke {=u64} ns after the release, ran for {=u64} ns",
                n,
                4711
            );
        })?;
        let words = per_message(batches, &mut forwarder, |n| {
            defmt::info!(
                "mode {=str} -> {=str}: causes {=u64}, latched {=u64}",
                "Active",
                "SafeStop",
                n,
                0
            );
        })?;
        two.alone(numbers, batches * BATCH);
        mode.alone(words, batches * BATCH);
        eprintln!(
            "bench: {NAME} {turn}/{}: two numbers {numbers:.1} ns, a change of mode {words:.1} ns",
            bench.alternations
        );
    }
    let note = format!("batches of {BATCH}, the queue empty before each; a late event's message");
    Ok(vec![
        Row::new(NAME, "log call, two numbers, p50", "ns", &two, None, Goal::AtMost(60.0))
            .note(note),
        Row::new(NAME, "log call, a change of mode, p50", "ns", &mode, None, Goal::None)
            .note("two words and two sets of causes: the longest message there is"),
    ])
}

/// Median over batches of what one message takes.
fn per_message(batches: u64, forwarder: &mut Forwarder, say: impl Fn(u64)) -> Result<f64> {
    let mut samples = Vec::with_capacity(usize::try_from(batches)?);
    let published = forwarder.published();
    for batch in 0..batches {
        log::set_cycle(batch, MonoNs(batch));
        let begin = mono_now();
        for n in 0..BATCH {
            say(std::hint::black_box(n));
        }
        samples.push(mono_now().since(begin));
        forwarder.forward();
    }
    let told = forwarder.published() - published;
    ensure!(told == batches * BATCH, "{told} messages told of {}", batches * BATCH);
    let found = Quantiles::of(samples).context("no batches")?;
    Ok(found.p50 / BATCH as f64)
}

/// What came of the flood.
#[derive(Default)]
struct Told {
    messages: u64,
    lost: u64,
    overwritten: u64,
}

fn flood(bench: &Bench) -> Result<Vec<Row>> {
    let seconds = bench.pick(3, 60);
    let cycles = seconds * 1_000_000_000 / PERIOD_NS;
    let (ring, reader) = segment()?;
    let (writer, forwarder) = log::link(FRAMES_WAITING_MAX, ring)?;
    let (logged_all, forwarded_all) = (AtomicBool::new(false), AtomicBool::new(false));
    let told = thread::scope(|scope| -> Result<Told> {
        let reading = scope.spawn(|| read(reader, &forwarded_all));
        let forwarding = scope.spawn(|| forward(forwarder, &logged_all, &forwarded_all));
        let logged = bench.in_real_time_with(|| {
            writer.install();
            sealed_alloc::seal();
            let mut grid = Grid::new(clock::now().plus(PERIOD_NS).0, PERIOD_NS);
            let mut due = grid.next(0);
            for cycle in 0..cycles {
                clock::sleep_until(MonoNs(due.release_ns));
                log::set_cycle(cycle, MonoNs(due.release_ns));
                for n in 0..MESSAGES_A_CYCLE {
                    defmt::info!("cycle {=u64}, message {=u64}", cycle, n);
                }
                due = grid.next(clock::now().0);
            }
            sealed_alloc::unseal();
            Ok(())
        });
        // ORDER: flags alone; the queue and the ring order what they carry.
        logged_all.store(true, Ordering::Relaxed);
        forwarding.join().map_err(|_panic| anyhow!("the forwarder panicked"))?;
        logged?;
        reading.join().map_err(|_panic| anyhow!("the reader panicked"))
    })?;
    let messages = cycles * MESSAGES_A_CYCLE;
    ensure!(
        told.messages + told.lost + told.overwritten >= messages,
        "{} of {messages} messages unaccounted for",
        messages - told.messages - told.lost - told.overwritten
    );
    let mut lost = Pairs::default();
    lost.alone((messages - told.messages) as f64, messages);
    Ok(vec![Row::new(NAME, "messages lost at 10 000/s", "", &lost, None, Goal::AtMost(0.0)).note(
        format!(
            "{seconds} s; {} told, {} counted as lost in the queue of {FRAMES_WAITING_MAX}, {} \
             overwritten in the segment",
            told.messages, told.lost, told.overwritten
        ),
    )])
}

fn forward(mut forwarder: Forwarder, logged_all: &AtomicBool, forwarded_all: &AtomicBool) {
    loop {
        // ORDER: a flag alone, read before the last look.
        let is_last = logged_all.load(Ordering::Relaxed);
        forwarder.forward();
        if is_last {
            break;
        }
        thread::sleep(FORWARD_EVERY);
    }
    // ORDER: a flag alone; the ring orders what it carries.
    forwarded_all.store(true, Ordering::Relaxed);
}

fn read(mut reader: RingReader<'static, LogFrame>, forwarded_all: &AtomicBool) -> Told {
    let mut told = Told::default();
    loop {
        // ORDER: a flag alone, read before the last look.
        let is_last = forwarded_all.load(Ordering::Relaxed);
        loop {
            match reader.read() {
                Read::Record { record, .. } => {
                    told.messages += u64::from(!record.as_frame().is_empty());
                    told.lost = record.lost;
                }
                Read::Lapped { lost } => told.overwritten += lost,
                Read::Empty | Read::Corrupt => break,
            }
        }
        if is_last {
            return told;
        }
        thread::sleep(READ_EVERY);
    }
}
