//! Moving 256 bytes between two cores: our ring and slot between two processes, against iceoryx2
//! (two processes, polling), rtrb (two threads), and the bare cache line that nothing can beat.
//!
//! A latency is half of a round trip, so that no clock is read on the way; the value of a batch is its
//! mean, that of a turn the median of its batches: a batch in which one side lost its core falls out.

use super::Bench;
use crate::exchange::{DEPTH, FIFO_PRIORITY, LAYOUT_HASH, Lanes, Payload, Topics};
use crate::machine;
use crate::partner::Role;
use crate::report::{Goal, Pairs, Row};
use crate::shared::{Partner, Shared};
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use rt_ring::sync::{AtomicBool, Ordering};
use rt_ring::{Read, RingReader, RingWriter, SlotWriter};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

const NAME: &str = "transport";
/// Round trips of one batch.
const TRIPS: usize = 200;
/// Publishes of one batch.
const PUBLISHES: usize = 1000;
/// Records of one batch that is timed until the last is delivered.
const DELIVERIES: usize = 20_000;
/// Depths that are compared: which queue is faster depends on it.
const DEPTHS: [usize; 2] = [256, DEPTH];

/// One turn's value in ns, and the operations behind it.
type Taken = (f64, u64);

/// Every row.
///
/// # Errors
/// No second process, no shared memory, or iceoryx2 refuses.
pub(super) fn transport(bench: &Bench) -> Result<Vec<Row>> {
    bench.in_real_time(measure)
}

fn measure(bench: &Bench) -> Result<Vec<Row>> {
    let batches = bench.pick(100, 400);
    let (mut ring, mut slot) = (Pairs::default(), Pairs::default());
    let (mut bounce, mut iceoryx2, mut rtrb_latency) =
        (Pairs::default(), Pairs::default(), Pairs::default());
    let mut rtrb = DEPTHS.map(|depth| (depth, Pairs::default()));
    let mut delivered = Vec::new();
    for turn in 0..bench.alternations {
        let (ring_one_way, trips) = ring_latency(bench, batches)?;
        let (bare, _) = bare_latency(bench, batches)?;
        bounce.add(ring_one_way, bare, trips);
        let (peer, _) = iceoryx2_latency(bench, batches, turn as u64)?;
        iceoryx2.add(ring_one_way, peer, trips);
        let (peer, _) = rtrb_round_trips(bench, batches)?;
        rtrb_latency.add(ring_one_way, peer, trips);

        let ((cost, publishes), share) = ring_publish(bench, batches)?;
        ring.alone(cost, publishes);
        delivered.push(share);
        let (cost, writes) = slot_write(bench, batches)?;
        slot.alone(cost, writes);
        let mut told = Vec::new();
        for (depth, pairs) in &mut rtrb {
            let (lossless, records) = ring_lossless(bench, batches / 5, *depth)?;
            let (peer, _) = rtrb_throughput(bench, batches / 5, *depth)?;
            pairs.add(lossless, peer, records);
            told.push(format!("{lossless:.1} (rtrb {peer:.1})"));
        }
        eprintln!(
            "bench: {NAME} {}/{}: one way {ring_one_way:.0} ns (bare line {bare:.0}), ns a \
             record delivered: {}",
            turn + 1,
            bench.alternations,
            told.join(", ")
        );
    }
    let share = crate::stats::Median::of(&delivered).map_or(0.0, |share| share.median);
    let line = crate::stats::Median::of(&bounce.peer).map_or_else(String::new, |line| {
        format!(
            "a bare cache line took {:.0} ns [{:.0}, {:.0}] one way in this run; a virtual machine's \
             cores may be moved nearer or farther while it runs",
            line.median, line.low, line.high
        )
    });
    let row = |what: &str, pairs: &Pairs, peer, goal| Row::new(NAME, what, "ns", pairs, peer, goal);
    let mut rows = vec![
        row("publish 256 B, ring, other process reading", &ring, None, Goal::AtMost(20.0)).note(
            format!(
                "the writer never waits; the reader got {:.0} % of the records; {line}",
                share * 100.0
            ),
        ),
        row("write 256 B, checked slot, other process reading", &slot, None, Goal::AtMost(40.0))
            .note(line.clone()),
        row("one way, ring, two processes", &bounce, Some("bare line"), Goal::AtMost(250.0)),
        row("one way, ring", &iceoryx2, Some("iceoryx2 0.10"), Goal::TimesBetter(2.0)),
        row("one way, ring (rtrb: threads)", &rtrb_latency, Some("rtrb 0.4.1"), Goal::None),
    ];
    for (depth, pairs) in &rtrb {
        let what = format!("record delivered, none lost, depth {depth} (rtrb: threads)");
        rows.push(row(&what, pairs, Some("rtrb 0.4.1"), Goal::TimesBetter(1.0)));
    }
    if let Some(last) = rows.last_mut() {
        last.note =
            "full speed, until the last of 20 000 is delivered; our reader tells its place \
                     once in 64 records and the writer keeps within the ring, rtrb's writer waits \
                     while it is full; one copy in and one out on both sides"
                .to_owned();
    }
    Ok(rows)
}

/// Ends a wait whose other side has died: a real-time thread that spins for ever blocks its core.
struct Patience {
    spins: u32,
    until: Instant,
}

impl Patience {
    const SPINS: u32 = 1 << 20;

    fn new() -> Self {
        Self { spins: 0, until: Instant::now() + Duration::from_secs(60) }
    }

    #[inline]
    fn wait(&mut self) -> Result<()> {
        self.spins = self.spins.wrapping_add(1);
        if self.spins.is_multiple_of(Self::SPINS) && Instant::now() > self.until {
            bail!("the other side does not answer");
        }
        Ok(())
    }
}

fn payload(number: u64) -> Payload {
    [number; 32]
}

/// Times `batches` batches of `operations` each; the median batch's mean, in ns an operation.
fn timed(batches: usize, operations: usize, mut one: impl FnMut() -> Result<()>) -> Result<Taken> {
    let mut means = Vec::with_capacity(batches);
    for batch in 0..batches + batches / 10 {
        let start = Instant::now();
        for _ in 0..operations {
            one()?;
        }
        let mean = start.elapsed().as_nanos() as f64 / operations as f64;
        // The first tenth warms caches and page tables up.
        if batch >= batches / 10 {
            means.push(mean);
        }
        if batch % 64 == 63 {
            // Real-time threads that never sleep are stopped by the kernel for 50 ms.
            thread::sleep(Duration::from_micros(200));
        }
    }
    let median = crate::stats::Median::of(&means).context("no batches")?;
    Ok((median.median, (batches * operations) as u64))
}

fn partner<'a>(bench: &Bench, shared: &'a Shared, role: Role) -> Result<Partner<'a>> {
    Partner::start(shared, &role.name(), bench.cores.other, bench.fifo)
}

fn halved((round_trip, trips): Taken) -> Taken {
    (round_trip / 2.0, trips)
}

fn bare_latency(bench: &Bench, batches: usize) -> Result<Taken> {
    let shared = Lanes::create()?;
    let _partner = partner(bench, &shared, Role::Bounce)?;
    let (mut value, mut patience) = (0, Patience::new());
    let taken = timed(batches, TRIPS, || {
        value += 1;
        // ORDER: pairs with the acquire in partner::bounce: as a program would hand data over.
        shared.ping().store(value, Ordering::Release);
        // ORDER: pairs with the release in partner::bounce.
        while shared.pong().load(Ordering::Acquire) != value {
            patience.wait()?;
        }
        Ok(())
    });
    taken.map(halved)
}

fn ring_latency(bench: &Bench, batches: usize) -> Result<Taken> {
    let shared = Lanes::create()?;
    let lanes = Lanes::of(&shared);
    let mut writer = RingWriter::<Payload>::create(lanes.to_partner, DEPTH, Lanes::IDENTITY)?;
    let _partner = partner(bench, &shared, Role::RingEcho)?;
    let mut reader = RingReader::<Payload>::attach(lanes.from_partner, LAYOUT_HASH)?;
    let (mut number, mut patience) = (0, Patience::new());
    let taken = timed(batches, TRIPS, || {
        number += 1;
        writer.publish(&payload(number));
        loop {
            match reader.read() {
                Read::Empty => patience.wait()?,
                Read::Record { record, .. } if record == payload(number) => return Ok(()),
                other => bail!("expected record {number}, found {other:?}"),
            }
        }
    });
    taken.map(halved)
}

fn iceoryx2_latency(bench: &Bench, batches: usize, turn: u64) -> Result<Taken> {
    let shared = Lanes::create()?;
    let run = u64::from(std::process::id()) << 8 | turn;
    // ORDER: the partner is started afterwards.
    shared.ping().store(run, Ordering::Relaxed);
    let topics = Topics::open(run)?;
    let (publisher, subscriber) = topics.asking_side()?;
    let _partner = partner(bench, &shared, Role::Iceoryx2Echo)?;
    let (mut number, mut patience) = (0, Patience::new());
    let taken = timed(batches, TRIPS, || {
        number += 1;
        publisher.loan_uninit()?.write_payload(payload(number)).send()?;
        loop {
            if let Some(sample) = subscriber.receive()? {
                if *sample == payload(number) {
                    return Ok(());
                }
                bail!("expected sample {number}, found {}", sample[0]);
            }
            patience.wait()?;
        }
    });
    taken.map(halved)
}

/// The writer's cost, and which share of the records a reader at full speed got.
fn ring_publish(bench: &Bench, batches: usize) -> Result<(Taken, f64)> {
    let shared = Lanes::create()?;
    let lanes = Lanes::of(&shared);
    let mut writer = RingWriter::<Payload>::create(lanes.to_partner, DEPTH, Lanes::IDENTITY)?;
    let partner = partner(bench, &shared, Role::RingDrain)?;
    let mut record = payload(0);
    let taken = timed(batches, PUBLISHES, || {
        record[0] += 1;
        writer.publish(std::hint::black_box(&record));
        Ok(())
    })?;
    thread::sleep(Duration::from_millis(5));
    // ORDER: counts alone, here and below; what they count was read through the ring's own order.
    let got = shared.taken().load(Ordering::Relaxed) as f64;
    let lost = shared.lost().load(Ordering::Relaxed) as f64;
    drop(partner);
    Ok((taken, got / (got + lost).max(1.0)))
}

fn slot_write(bench: &Bench, batches: usize) -> Result<Taken> {
    let shared = Lanes::create()?;
    let lanes = Lanes::of(&shared);
    let mut writer = SlotWriter::<Payload>::create(lanes.to_partner, Lanes::IDENTITY)?;
    let _partner = partner(bench, &shared, Role::SlotPoll)?;
    let mut record = payload(0);
    timed(batches, PUBLISHES, || {
        record[0] += 1;
        writer.write(std::hint::black_box(&record));
        Ok(())
    })
}

/// As fast as the reader can follow: no record is lost, as with a queue. Until the last is delivered.
fn ring_lossless(bench: &Bench, batches: usize, depth: usize) -> Result<Taken> {
    let shared = Lanes::create()?;
    let lanes = Lanes::of(&shared);
    let mut writer = RingWriter::<Payload>::create(lanes.to_partner, depth, Lanes::IDENTITY)?;
    let partner = partner(bench, &shared, Role::RingDrain)?;
    // The reader tells its place once in 64 records, and takes the next one meanwhile.
    let ahead_max = (depth - depth / 8 - 64) as u64;
    let (mut record, mut taken_before, mut patience) = (payload(0), 0, Patience::new());
    let taken = timed(batches, 1, || {
        for _ in 0..DELIVERIES {
            while record[0] - taken_before >= ahead_max {
                // ORDER: a count alone, here and below, as in ring_publish.
                taken_before = shared.taken().load(Ordering::Relaxed);
                patience.wait()?;
            }
            record[0] += 1;
            writer.publish(std::hint::black_box(&record));
        }
        while shared.taken().load(Ordering::Relaxed) < record[0] {
            patience.wait()?;
        }
        Ok(())
    })?;
    let lost = shared.lost().load(Ordering::Relaxed);
    drop(partner);
    ensure!(lost == 0, "the paced ring lost {lost} records");
    Ok(per_delivery(taken))
}

/// From a batch's time to a record's.
fn per_delivery((batch_ns, batches): Taken) -> Taken {
    (batch_ns / DELIVERIES as f64, batches * DELIVERIES as u64)
}

/// Runs `consumer` on the other core for as long as `produce` takes.
fn beside<T>(
    bench: &Bench,
    consumer: impl FnOnce(&AtomicBool) + Send,
    produce: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let stop = Arc::new(AtomicBool::new(false));
    thread::scope(|scope| {
        let (theirs, cpu, fifo) = (Arc::clone(&stop), bench.cores.other, bench.fifo);
        let (ready, is_ready) = mpsc::sync_channel(1);
        let handle = scope.spawn(move || {
            machine::pin(cpu)?;
            if fifo && !machine::fifo(FIFO_PRIORITY) {
                bail!("no SCHED_FIFO for the second thread");
            }
            ready.send(()).ok();
            consumer(&theirs);
            Ok(())
        });
        // It begins on our core, at our priority: it can leave it only while we sleep.
        let taken = match is_ready.recv() {
            Ok(()) => produce(),
            Err(_gone) => Err(anyhow!("the second thread did not start")),
        };
        // ORDER: a flag alone; the thread is joined.
        stop.store(true, Ordering::Relaxed);
        handle.join().map_err(|_panic| anyhow!("the second thread panicked"))??;
        taken
    })
}

/// One copy in, as our writer does; `push` takes the record by value and moves it once more, which
/// for 256 bytes costs rtrb up to half of its speed. False if the queue is full.
#[inline]
fn push_in_place(producer: &mut rtrb::Producer<Payload>, record: &Payload) -> bool {
    let Ok(mut chunk) = producer.write_chunk_uninit(1) else {
        return false;
    };
    let (place, _) = chunk.as_mut_slices();
    place[0].write(*record);
    // SAFETY: the chunk has one place, and it was written on the line above.
    unsafe { chunk.commit_all() };
    true
}

fn rtrb_throughput(bench: &Bench, batches: usize, depth: usize) -> Result<Taken> {
    let (mut producer, mut consumer) = rtrb::RingBuffer::<Payload>::new(depth);
    let drain = move |stop: &AtomicBool| {
        let mut sum = 0_u64;
        // ORDER: a flag alone, see `beside`.
        while !stop.load(Ordering::Relaxed) {
            if let Ok(record) = consumer.pop() {
                sum = sum.wrapping_add(record[0]).wrapping_add(record[31]);
            }
        }
        std::hint::black_box(sum);
    };
    let (mut record, mut patience) = (payload(0), Patience::new());
    let taken = beside(bench, drain, || {
        timed(batches, 1, || {
            for _ in 0..DELIVERIES {
                record[0] += 1;
                while !push_in_place(&mut producer, std::hint::black_box(&record)) {
                    patience.wait()?;
                }
            }
            while producer.slots() < depth {
                patience.wait()?;
            }
            Ok(())
        })
    });
    taken.map(per_delivery)
}

fn rtrb_round_trips(bench: &Bench, batches: usize) -> Result<Taken> {
    let (mut there, mut from_us) = rtrb::RingBuffer::<Payload>::new(DEPTH);
    let (mut to_us, mut back) = rtrb::RingBuffer::<Payload>::new(DEPTH);
    let echo = move |stop: &AtomicBool| {
        // ORDER: a flag alone, see `beside`.
        while !stop.load(Ordering::Relaxed) {
            if let Ok(record) = from_us.pop() {
                // Never full: one record is under way.
                push_in_place(&mut to_us, &record);
            }
        }
    };
    let (mut number, mut patience) = (0, Patience::new());
    let taken = beside(bench, echo, || {
        timed(batches, TRIPS, || {
            number += 1;
            ensure!(push_in_place(&mut there, &payload(number)), "rtrb is full");
            loop {
                if let Ok(record) = back.pop() {
                    if record == payload(number) {
                        return Ok(());
                    }
                    bail!("expected record {number}, found {}", record[0]);
                }
                patience.wait()?;
            }
        })
    });
    taken.map(halved)
}

/// The one-way latency of a bare cache line between the two cores, in ns: what `step` is held to.
///
/// # Errors
/// No second process.
pub(super) fn bare_line_ns(bench: &Bench) -> Result<f64> {
    bare_latency(bench, bench.pick(50, 200)).map(|(ns, _)| ns)
}
