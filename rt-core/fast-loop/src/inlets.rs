//! What other processes and threads said, copied once a cycle: one cycle sees one world.
//!
//! Peers' slots come and go while the loop runs: housekeeping hands a newly mapped one over through
//! a queue that neither side waits for, and the loop swaps its reader. Nothing here judges what a
//! record says, and a torn or missing one is no news. Shown by: tests/inlets.rs.

use ringbuf::StaticRb;
use ringbuf::traits::{Consumer as _, Producer as _};
use ringbuf::wrap::{Cons, Prod};
use rt_board::{Board, process_slot};
use rt_ring::sync::AtomicU64;
use rt_ring::{Newest, SlotReader, SlotWriter};
use rt_wire::topics::{self, Topic};
use rt_wire::{
    Arrival, Command, EstopRequest, HEARTBEAT_SOURCES, Heartbeat, Housekeeping, Inbox,
    InboxCommand, OperatorRequest, Raw, Record, SOURCES,
};
use std::sync::Arc;

/// Swaps and requests that may wait for the loop; more than it can get behind in a stall.
const QUEUE_DEPTH: usize = 64;

/// Its depth is part of its type: one that is only known as the program runs keeps a way to panic.
type Queue<T> = Arc<StaticRb<T, QUEUE_DEPTH>>;

/// Memory that a peer has just mapped, on its way to the loop.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// What it holds.
    pub topic: &'static Topic,
    /// The memory; it stays mapped for the life of the process.
    pub words: &'static [AtomicU64],
    /// Rises with each attach.
    pub generation: u32,
}

/// The loop's side: reads everything, never waits.
pub struct Inlets {
    offers: Cons<Queue<Offer>>,
    requests: Cons<Queue<OperatorRequest>>,
    estop: SlotReader<'static, EstopRequest>,
    housekeeping: SlotReader<'static, Housekeeping>,
    commands: [Option<SlotReader<'static, Command>>; SOURCES.len()],
    generations: [u32; SOURCES.len()],
    heartbeats: [Option<SlotReader<'static, Heartbeat>>; HEARTBEAT_SOURCES.len()],
}

/// The housekeeping thread's side.
pub struct Outlets {
    offers: Prod<Queue<Offer>>,
    requests: Prod<Queue<OperatorRequest>>,
    estop: SlotWriter<'static, EstopRequest>,
    housekeeping: SlotWriter<'static, Housekeeping>,
}

/// Ends that look at the queue itself each time: those that keep a copy of its indices add to them
/// where the compiler sees an overflow.
fn queue<T>() -> (Prod<Queue<T>>, Cons<Queue<T>>) {
    let queue = Queue::default();
    (Prod::new(Arc::clone(&queue)), Cons::new(queue))
}

/// Both sides of the loop thread's link with the housekeeping thread.
#[must_use]
pub fn link() -> (Outlets, Inlets) {
    let (offers_in, offers_out) = queue();
    let (requests_in, requests_out) = queue();
    let (estop_in, estop_out) = process_slot();
    let (housekeeping_in, housekeeping_out) = process_slot();
    let outlets = Outlets {
        offers: offers_in,
        requests: requests_in,
        estop: estop_in,
        housekeeping: housekeeping_in,
    };
    let inlets = Inlets {
        offers: offers_out,
        requests: requests_out,
        estop: estop_out,
        housekeeping: housekeeping_out,
        commands: [const { None }; SOURCES.len()],
        generations: [0; SOURCES.len()],
        heartbeats: [const { None }; HEARTBEAT_SOURCES.len()],
    };
    (outlets, inlets)
}

impl Outlets {
    /// Hands a peer's memory to the loop.
    ///
    /// # Errors
    /// Gives the offer back when the loop has not taken the earlier ones.
    pub fn offer(&mut self, offer: Offer) -> Result<(), Offer> {
        self.offers.try_push(offer)
    }

    /// Queues an operator's request; one a cycle is taken.
    ///
    /// # Errors
    /// Gives the request back when too many wait.
    pub fn request(&mut self, request: OperatorRequest) -> Result<(), OperatorRequest> {
        self.requests.try_push(request)
    }

    /// Trips the e-stop: it never queues.
    pub fn estop(&mut self, request: &EstopRequest) {
        self.estop.write(request);
    }

    /// Tells the loop what only housekeeping knows.
    pub fn housekeeping(&mut self, word: &Housekeeping) {
        self.housekeeping.write(word);
    }
}

impl Inlets {
    /// Copies everything that is new into `inbox`; what is not stays as it was.
    pub fn copy(&mut self, inbox: &mut Inbox, board: &mut impl Board) {
        while let Some(offer) = self.offers.try_pop() {
            self.swap_in(offer, board);
        }
        if let Some(request) = self.requests.try_pop() {
            inbox.operator = request;
        }
        if let Newest::New { record, .. } = self.estop.read() {
            inbox.estop = record;
        }
        if let Newest::New { record, .. } = self.housekeeping.read() {
            inbox.housekeeping = record;
        }
        let readers = self.commands.iter_mut().zip(self.generations);
        for ((reader, generation), command) in readers.zip(&mut inbox.commands) {
            copy_command(reader.as_mut(), generation, command);
        }
        for (reader, heartbeat) in self.heartbeats.iter_mut().zip(&mut inbox.heartbeats) {
            if let Some(reader) = reader
                && let Newest::New { record, .. } = reader.read()
            {
                *heartbeat = record;
            }
        }
    }

    fn swap_in(&mut self, offer: Offer, board: &mut impl Board) {
        let Topic { writer, record, .. } = *offer.topic;
        defmt::info!("attach {=u32}: {=str} writes its {=str}", offer.generation, writer, record);
        // Every layout was checked when the memory was made; a failure here leaves "no news".
        if offer.topic.type_name == Command::NAME {
            let places = self.commands.iter_mut().zip(&mut self.generations);
            for ((reader, generation), topic) in places.zip(&topics::COMMANDS) {
                if topic.writer == offer.topic.writer {
                    *reader = SlotReader::attach(offer.words, Command::LAYOUT_HASH).ok();
                    *generation = offer.generation;
                }
            }
        } else if offer.topic.type_name == Heartbeat::NAME {
            for (reader, topic) in self.heartbeats.iter_mut().zip(&topics::HEARTBEATS) {
                if topic.writer == offer.topic.writer {
                    *reader = SlotReader::attach(offer.words, Heartbeat::LAYOUT_HASH).ok();
                }
            }
        } else {
            board.attached(offer.topic, offer.words);
        }
    }
}

fn copy_command(
    reader: Option<&mut SlotReader<'static, Command>>,
    generation: u32,
    into: &mut InboxCommand,
) {
    // Told without news too: a slot that was corrupt is believed again from its next attach on. What
    // came in an earlier attach goes with it: nobody has asked for it in this one.
    if into.generation != generation {
        *into = InboxCommand { generation, ..InboxCommand::default() };
    }
    let arrival = match reader.map(SlotReader::read) {
        Some(Newest::New { sequence, record }) => {
            into.slot_sequence = sequence;
            into.command = record;
            Arrival::New
        }
        Some(Newest::Torn) => Arrival::Torn,
        Some(Newest::Corrupt) => Arrival::Corrupt,
        Some(Newest::Unchanged | Newest::Never) | None => Arrival::Absent,
    };
    into.arrival = Raw::new(arrival);
}
