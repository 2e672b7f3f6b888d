//! What the second process does, by role. Each spins on its core until told to end.

use crate::exchange::{DEPTH, LAYOUT_HASH, Lanes, Payload, Topics};
use crate::machine;
use crate::shared::{Ends, Shared};
use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use rt_ring::sync::Ordering;
use rt_ring::{Newest, Read, RingReader, RingWriter, SlotReader};

/// A role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Answers each new value of a bare word.
    Bounce,
    /// Answers each record of one ring in another.
    RingEcho,
    /// Reads a ring and counts what it got and what it lost.
    RingDrain,
    /// Reads a slot as fast as it can.
    SlotPoll,
    /// Answers each sample of one iceoryx2 service in another.
    Iceoryx2Echo,
}

impl Role {
    /// As it stands on a command line.
    #[must_use]
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Runs one role.
///
/// # Errors
/// The memory is not what it should be.
pub fn run(role: Role, fd: i32, cpu: usize, fifo: bool) -> Result<()> {
    let shared = Shared::inherited(fd)?;
    machine::pin(cpu)?;
    if fifo && !machine::fifo(crate::exchange::FIFO_PRIORITY) {
        bail!("no SCHED_FIFO, which the first process had");
    }
    match role {
        Role::Bounce => bounce(&shared),
        Role::RingEcho => ring_echo(&shared)?,
        Role::RingDrain => ring_drain(&shared)?,
        Role::SlotPoll => slot_poll(&shared)?,
        Role::Iceoryx2Echo => iceoryx2_echo(&shared)?,
    }
    Ok(())
}

fn tell_ready(shared: &Shared) {
    // ORDER: pairs with Partner::start.
    shared.ready().store(1, Ordering::Release);
}

fn bounce(shared: &Shared) {
    let mut ends = Ends::with_parent(shared);
    let mut last = 0;
    tell_ready(shared);
    while !ends.now() {
        // ORDER: pairs with transport's bare_latency, there and back: as a program hands data over.
        let value = shared.ping().load(Ordering::Acquire);
        if value != last {
            last = value;
            shared.pong().store(value, Ordering::Release);
        }
    }
}

fn ring_echo(shared: &Shared) -> Result<()> {
    let lanes = Lanes::of(shared);
    let mut reader = RingReader::<Payload>::attach(lanes.to_partner, LAYOUT_HASH)?;
    let mut writer = RingWriter::<Payload>::create(lanes.from_partner, DEPTH, Lanes::IDENTITY)?;
    let mut ends = Ends::with_parent(shared);
    tell_ready(shared);
    while !ends.now() {
        match reader.read() {
            Read::Record { record, .. } => writer.publish(&record),
            Read::Empty => {}
            Read::Lapped { .. } | Read::Corrupt => bail!("a ping was overtaken"),
        }
    }
    Ok(())
}

fn ring_drain(shared: &Shared) -> Result<()> {
    /// The counters' line is written once in so many records, not to disturb the exchange.
    const TELL_EVERY: u64 = 64;
    let lanes = Lanes::of(shared);
    let mut reader = RingReader::<Payload>::attach(lanes.to_partner, LAYOUT_HASH)?;
    let mut ends = Ends::with_parent(shared);
    let (mut taken, mut lost, mut sum) = (0_u64, 0_u64, 0_u64);
    tell_ready(shared);
    while !ends.now() {
        match reader.read() {
            Read::Record { record, .. } => {
                taken += 1;
                sum = sum.wrapping_add(record[0]).wrapping_add(record[31]);
                if !taken.is_multiple_of(TELL_EVERY) {
                    continue;
                }
            }
            Read::Empty => {}
            Read::Lapped { lost: more } => lost += more,
            Read::Corrupt => bail!("the ring is corrupt"),
        }
        // ORDER: counts alone; what they count was read through the ring's own order.
        if shared.taken().load(Ordering::Relaxed) != taken {
            shared.taken().store(taken, Ordering::Relaxed);
            shared.lost().store(lost, Ordering::Relaxed);
        }
    }
    std::hint::black_box(sum);
    Ok(())
}

fn slot_poll(shared: &Shared) -> Result<()> {
    let lanes = Lanes::of(shared);
    let mut reader = SlotReader::<Payload>::attach(lanes.to_partner, LAYOUT_HASH)?;
    let mut ends = Ends::with_parent(shared);
    let mut sum = 0_u64;
    tell_ready(shared);
    while !ends.now() {
        if let Newest::New { record, .. } = reader.read() {
            sum = sum.wrapping_add(record[0]);
        }
    }
    std::hint::black_box(sum);
    Ok(())
}

fn iceoryx2_echo(shared: &Shared) -> Result<()> {
    // ORDER: written before this process was started.
    let run = shared.ping().load(Ordering::Relaxed);
    let topics = Topics::open(run).context("iceoryx2")?;
    let (subscriber, publisher) = topics.echo_side()?;
    let mut ends = Ends::with_parent(shared);
    tell_ready(shared);
    while !ends.now() {
        if let Some(sample) = subscriber.receive()? {
            publisher.loan_uninit()?.write_payload(*sample).send()?;
        }
    }
    Ok(())
}
