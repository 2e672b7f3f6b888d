//! The loop's inlets: newest only, one world a cycle, swaps without waiting, e-stop never queued.

use fast_loop::inlets::{self, Offer};
use rt_board::{Board, DriveError};
use rt_ring::sync::{AtomicU64, Ordering};
use rt_ring::{Identity, SlotWriter, slot_words};
use rt_wire::topics::{self, Topic};
use rt_wire::{
    Arrival, Command, EstopRequest, Heartbeat, Housekeeping, Inbox, InboxCommand, MonoNs,
    Observation, OperatorKind, OperatorRequest, PulseFrame, Raw, Record, Source,
};

/// A board that remembers which topics were handed to it.
#[derive(Default)]
struct Wires(Vec<&'static str>);

impl Board for Wires {
    fn read(&mut self, _now: MonoNs, _observation: &mut Observation) {}
    fn drive(&mut self, _: u64, _: MonoNs, _: &PulseFrame) -> Result<(), DriveError> {
        Ok(())
    }
    fn safe(&mut self, _now: MonoNs) -> Result<(), DriveError> {
        Ok(())
    }
    fn attached(&mut self, topic: &'static Topic, _words: &'static [AtomicU64]) {
        self.0.push(topic.writer);
    }
}

fn slot<T: Record>() -> (&'static [AtomicU64], SlotWriter<'static, T>) {
    let words: Vec<AtomicU64> = (0..slot_words::<T>()).map(|_| AtomicU64::new(0)).collect();
    let words: &'static [AtomicU64] = words.leak();
    let identity = Identity { layout_hash: T::LAYOUT_HASH, generation: 1 };
    (words, SlotWriter::create(words, identity).expect("the memory is large enough"))
}

const PILOT: usize = 2;

fn pilot() -> &'static Topic {
    topics::all()
        .find(|topic| topic.writer == Source::Pilot.name() && topic.type_name == Command::NAME)
        .expect("the pilot has a command slot")
}

fn command(sequence: u64) -> Command {
    Command::plain(sequence, MonoNs(sequence), MonoNs(sequence + 100), 0.5, 0.1)
}

fn arrival(inbox: &Inbox) -> Option<Arrival> {
    inbox.commands[PILOT].arrival.get()
}

#[test]
fn command_is_new_once_and_then_no_news() {
    let (mut outlets, mut inlets) = inlets::link();
    let (mut inbox, mut board) = (Inbox::default(), Wires::default());
    inlets.copy(&mut inbox, &mut board);
    assert_eq!(arrival(&inbox), Some(Arrival::Absent), "before any attach");

    let (words, mut writer) = slot::<Command>();
    outlets.offer(Offer { topic: pilot(), words, generation: 1 }).expect("room");
    inlets.copy(&mut inbox, &mut board);
    assert_eq!(arrival(&inbox), Some(Arrival::Absent), "attached, nothing written");

    writer.write(&command(1));
    writer.write(&command(2));
    inlets.copy(&mut inbox, &mut board);
    assert_eq!(arrival(&inbox), Some(Arrival::New));
    assert_eq!(inbox.commands[PILOT].command, command(2), "the newest only");
    inlets.copy(&mut inbox, &mut board);
    assert_eq!(arrival(&inbox), Some(Arrival::Absent));
    assert_eq!(inbox.commands[PILOT].command, command(2), "what was copied last stays to be seen");
}

#[test]
fn a_new_attach_replaces_the_old_memory_and_raises_the_generation() {
    let (mut outlets, mut inlets) = inlets::link();
    let (mut inbox, mut board) = (Inbox::default(), Wires::default());
    let (first_words, mut first) = slot::<Command>();
    let (second_words, mut second) = slot::<Command>();
    outlets.offer(Offer { topic: pilot(), words: first_words, generation: 1 }).expect("room");
    first.write(&command(7));
    inlets.copy(&mut inbox, &mut board);
    outlets.offer(Offer { topic: pilot(), words: second_words, generation: 2 }).expect("room");
    first.write(&command(8));
    second.write(&command(1));
    inlets.copy(&mut inbox, &mut board);
    assert_eq!(inbox.commands[PILOT].command.sequence, 1, "the old memory is read no more");
    assert_eq!(inbox.commands[PILOT].generation, 2);
}

#[test]
fn a_new_attach_takes_what_came_in_the_one_before_away() {
    let (mut outlets, mut inlets) = inlets::link();
    let (mut inbox, mut board) = (Inbox::default(), Wires::default());
    let (words, mut writer) = slot::<Command>();
    outlets.offer(Offer { topic: pilot(), words, generation: 1 }).expect("room");
    writer.write(&command(7));
    inlets.copy(&mut inbox, &mut board);
    assert_eq!(inbox.commands[PILOT].command, command(7));
    let (words, _writer) = slot::<Command>();
    outlets.offer(Offer { topic: pilot(), words, generation: 2 }).expect("room");
    inlets.copy(&mut inbox, &mut board);
    let nothing_yet = InboxCommand { generation: 2, ..InboxCommand::default() };
    assert_eq!(inbox.commands[PILOT], nothing_yet);
}

#[test]
fn a_damaged_slot_is_corrupt_and_its_words_do_not_reach_the_inbox() {
    let (mut outlets, mut inlets) = inlets::link();
    let (mut inbox, mut board) = (Inbox::default(), Wires::default());
    let (words, mut writer) = slot::<Command>();
    outlets.offer(Offer { topic: pilot(), words, generation: 1 }).expect("room");
    writer.write(&command(1));
    let damaged = words
        .iter()
        .rposition(|word| word.load(Ordering::Relaxed) == command(1).expires_at.0)
        .expect("the record lies in the slot");
    // ORDER: relaxed; one thread only.
    words[damaged].store(1 << 60, Ordering::Relaxed);
    inlets.copy(&mut inbox, &mut board);
    assert_eq!(arrival(&inbox), Some(Arrival::Corrupt));
    assert_eq!(inbox.commands[PILOT].command, Command::default());
}

#[test]
fn heartbeats_land_in_their_own_place_and_the_plant_goes_to_the_board() {
    let (mut outlets, mut inlets) = inlets::link();
    let (mut inbox, mut board) = (Inbox::default(), Wires::default());
    for (place, name) in rt_wire::HEARTBEAT_SOURCES.iter().enumerate() {
        let topic = topics::all()
            .find(|topic| topic.writer == *name && topic.type_name == Heartbeat::NAME)
            .expect("a heartbeat slot each");
        let (words, mut writer) = slot::<Heartbeat>();
        writer.write(&Heartbeat { sequence: 100 + place as u64, ..Heartbeat::default() });
        outlets.offer(Offer { topic, words, generation: 1 }).expect("room");
    }
    let plant = topics::all()
        .find(|topic| topic.writer == topics::PLANT && topic.type_name == Observation::NAME)
        .expect("the plant writes observations");
    let (words, _writer) = slot::<Observation>();
    outlets.offer(Offer { topic: plant, words, generation: 1 }).expect("room");
    inlets.copy(&mut inbox, &mut board);
    for (place, heartbeat) in inbox.heartbeats.iter().enumerate() {
        assert_eq!(heartbeat.sequence, 100 + place as u64);
    }
    assert_eq!(board.0, [topics::PLANT]);
}

#[test]
fn operator_requests_come_one_a_cycle_and_an_estop_overtakes_them() {
    let (mut outlets, mut inlets) = inlets::link();
    let (mut inbox, mut board) = (Inbox::default(), Wires::default());
    for sequence in 1..=3 {
        let kind = Raw::new(OperatorKind::Disarm);
        let request = OperatorRequest { sequence, kind, ..OperatorRequest::default() };
        outlets.request(request).expect("room");
    }
    outlets.estop(&EstopRequest { sequence: 1, ..EstopRequest::default() });
    outlets.housekeeping(&Housekeeping { sequence: 5, ..Housekeeping::default() });
    inlets.copy(&mut inbox, &mut board);
    assert_eq!((inbox.operator.sequence, inbox.estop.sequence), (1, 1));
    assert_eq!(inbox.housekeeping.sequence, 5);
    inlets.copy(&mut inbox, &mut board);
    assert_eq!(inbox.operator.sequence, 2);
    inlets.copy(&mut inbox, &mut board);
    inlets.copy(&mut inbox, &mut board);
    assert_eq!(inbox.operator.sequence, 3);
}

#[test]
fn a_full_queue_gives_the_request_back() {
    let (mut outlets, _inlets) = inlets::link();
    let given_back = (0..1000_u64).find_map(|sequence| {
        outlets.request(OperatorRequest { sequence, ..OperatorRequest::default() }).err()
    });
    assert!(given_back.is_some_and(|request| request.sequence > 8));
}
