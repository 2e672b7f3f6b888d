//! Walks the states of a space and tries every input in each, calling the shipped
//! [`rt_control::machine::step`].
//!
//! A node is a state and one bit of history: has a self-test passed since the last Boot, EStopLatched
//! or Fault? A walk begins at power-up and goes on until nothing new is found, or it begins at every
//! node at once. No input is ever left out: what depends on less than the whole input is computed once
//! for all that share it, but the machine itself runs for each pair.
//!
//! The queue holds nodes in the order in which they were found; what lies before `done` has been
//! tried. A checkpoint is therefore the queue and a few counters. Tests: `small` in this folder.

use super::case::{Case, Facts};
use super::checkpoint;
use super::invariants::{INVARIANTS, broken};
use super::report::{Broken, Report};
use super::space::{CROWDS, Space, crowds};
use rt_control::machine::{Input, Output, SelfTest, State, step};
use rt_wire::{Class, Mode};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use thread_priority::unix::{
    NormalThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use thread_priority::{ThreadPriority, ThreadPriorityValue};

/// What a walk checks beside [`INVARIANTS`], and the planted bug that each catches.
pub const PROPERTIES: [(&str, &str); 5] = [
    ("state_space_is_closed", "arming-takes-one-too-many"),
    ("no_edge_outside_the_table", "stop-condition-powers-a-disarmed-car"),
    ("no_motion_without_a_self_test", "reset-leads-to-disarmed"),
    ("bystanders_change_nothing", "bad-command-of-anybody-stops"),
    ("stuck_button_never_fires", "held-arm-button-arms"),
];
const CLOSED: usize = 0;
const TABLE: usize = 1;
const HISTORY: usize = 2;
const BYSTANDERS: usize = 3;
const STUCK: usize = 4;
const ALL: usize = 37 + PROPERTIES.len();
const _: () = assert!(INVARIANTS.len() + PROPERTIES.len() == ALL);

/// The scale goes from nice 19 to nice −20; this is nice 9.
const QUARTER_OF_THE_SCALE: u8 = 24;

/// Nodes between two looks at the clock.
const BLOCK: usize = 512;

/// A button, as an input of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Button {
    /// Leaves the latch.
    Reset,
    /// Begins Arming.
    Arm,
}

/// Where a walk begins, and which inputs it tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// From power-up, with every input.
    Reachable,
    /// From every state of the product, reachable or not, with every input.
    Product,
    /// From power-up, with every input in which this button has this level.
    Stuck(Button, bool),
}

/// How a walk is carried out; none of it changes what is found.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    /// Threads; 0 is one for each core.
    pub threads: usize,
    /// Give way to whoever else wants the core.
    pub gives_way: bool,
    /// Where a long walk keeps what it has, to go on after an end that nobody asked for.
    pub checkpoint: Option<PathBuf>,
    /// Called about every two seconds with (nodes tried, nodes known).
    pub progress: Option<fn(&str, usize, usize)>,
}

/// One pair and what came of it.
#[derive(Clone, Copy)]
struct Example {
    state: State,
    input: Input,
    next: State,
    output: Output,
}

/// What one thread found.
struct Tally {
    found: Vec<u32>,
    counts: [u64; ALL],
    examples: [Option<Example>; ALL],
}

/// What a walk has so far.
#[derive(Serialize, Deserialize)]
pub(super) struct Known {
    queue: Vec<u32>,
    done: usize,
    /// Where the present depth ends in the queue.
    level_end: usize,
    depth: u32,
    counts: Vec<u64>,
    examples: Vec<Option<String>>,
    seconds: f64,
}

/// A walk, at a stand between two blocks.
pub(super) struct Walk<'a> {
    space: &'a Space,
    goal: Goal,
    crowds: [[Class; 3]; CROWDS],
    rests: Vec<Input>,
    seen: Vec<AtomicU64>,
    cursor: AtomicUsize,
    key: u64,
    known: Known,
}

/// Walks `space` as `goal` says. `name` is for people.
#[must_use]
pub fn walk(name: &str, space: &Space, goal: Goal, pace: &Pace) -> Report {
    let begin = Instant::now();
    let mut walk = Walk::begin(space, goal, pace.checkpoint.as_deref());
    let before = walk.known.seconds;
    let (mut told, mut kept) = (begin, begin);
    while !walk.is_done() {
        walk.advance(pace);
        walk.known.seconds = before + begin.elapsed().as_secs_f64();
        if let Some(progress) = pace.progress
            && told.elapsed() > Duration::from_secs(2)
        {
            progress(name, walk.known.done, walk.known.queue.len());
            told = Instant::now();
        }
        if let Some(file) = &pace.checkpoint
            && kept.elapsed() > Duration::from_secs(20)
        {
            walk.keep(file);
            kept = Instant::now();
        }
    }
    if let Some(file) = &pace.checkpoint {
        checkpoint::forget(file);
    }
    walk.report(name)
}

impl<'a> Walk<'a> {
    /// At power-up, or where `file` says that the same program stood with the same question.
    pub(super) fn begin(space: &'a Space, goal: Goal, file: Option<&Path>) -> Self {
        let mut rests = space.rests();
        if let Goal::Stuck(button, level) = goal {
            rests.retain(|input| level_of(button, input) == level);
        }
        let key = checkpoint::key(&format!("{space:?} {goal:?}"));
        let known = file.and_then(|file| checkpoint::load(file, key)).unwrap_or_else(|| Known {
            queue: seeds(space, goal),
            done: 0,
            level_end: 0,
            depth: 0,
            counts: vec![0; ALL],
            examples: vec![None; ALL],
            seconds: 0.0,
        });
        let seen = (0..(2 * space.product()).div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let cursor = AtomicUsize::new(0);
        let walk = Self { space, goal, crowds: crowds(), rests, seen, cursor, key, known };
        for node in &walk.known.queue {
            walk.is_new(*node);
        }
        walk
    }

    pub(super) fn is_done(&self) -> bool {
        self.known.done == self.known.queue.len()
    }

    /// Nodes that are known and not yet tried.
    #[cfg(test)]
    pub(super) fn left(&self) -> usize {
        self.known.queue.len() - self.known.done
    }

    pub(super) fn keep(&self, file: &Path) {
        checkpoint::keep(file, self.key, &self.known);
    }

    /// Tries the next block of nodes, all of one depth, and adds what they lead to.
    pub(super) fn advance(&mut self, pace: &Pace) {
        let known = &mut self.known;
        if known.done == known.level_end {
            known.level_end = known.queue.len();
            known.depth += 1;
        }
        let end = known.level_end.min(known.done + BLOCK);
        let tallies = self.try_block(end, pace);
        let known = &mut self.known;
        known.done = end;
        let mut found = Vec::new();
        for tally in tallies {
            found.extend(tally.found);
            for (property, count) in tally.counts.iter().enumerate() {
                known.counts[property] += count;
                if known.examples[property].is_none() {
                    known.examples[property] = tally.examples[property].map(in_words);
                }
            }
        }
        // The order of threads is nobody's business.
        found.sort_unstable();
        known.queue.extend(found);
    }

    /// Marks a node; whether it was not marked before.
    #[inline(always)]
    fn is_new(&self, node: u32) -> bool {
        let word = &self.seen[node as usize / 64];
        let bit = 1 << (node % 64);
        // ORDER: none needed: a bit guards no other memory, and threads are joined between blocks.
        word.load(Ordering::Relaxed) & bit == 0 && word.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    fn try_block(&self, end: usize, pace: &Pace) -> Vec<Tally> {
        let nodes = &self.known.queue[self.known.done..end];
        // ORDER: none needed: no thread runs yet.
        self.cursor.store(0, Ordering::Relaxed);
        std::thread::scope(|scope| {
            let work = || {
                if pace.gives_way {
                    give_way();
                }
                self.try_nodes(nodes)
            };
            let threads = pace.threads().min(nodes.len());
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().map(join).collect()
        })
    }

    fn try_nodes(&self, nodes: &[u32]) -> Tally {
        let mut tally = Tally { found: Vec::new(), counts: [0; ALL], examples: [None; ALL] };
        // ORDER: none needed: the counter hands out places in a list that nobody changes.
        while let Some(node) = nodes.get(self.cursor.fetch_add(1, Ordering::Relaxed)) {
            self.try_node(*node, &mut tally);
        }
        tally
    }

    /// Every input in one node.
    fn try_node(&self, node: u32, tally: &mut Tally) {
        let limits = &self.space.limits;
        let state = self.space.state(node as usize / 2);
        let tested = node % 2 == 1;
        let facts = Facts::of_all(&state, &self.crowds, limits);
        let mut told = [0_u32; CROWDS];
        for rest in &self.rests {
            for (crowd, classes) in self.crowds.iter().enumerate() {
                let input = Input { classes: *classes, ..*rest };
                let (next, output) = step(state, input, limits);
                let facts = &facts[crowd];
                let case = Case::new(limits, (&state, &input), (&next, &output), facts);
                let mut wrong = broken(&case);
                if !case.is_in_the_table() {
                    wrong |= bit(TABLE);
                }
                let tested = has_tested(tested, &state, &input, &next);
                wrong |= self.broken_in_history(&case, tested);
                told[crowd] = visible(&next, &output);
                match self.space.index(&next) {
                    Some(index) => {
                        let node = self::node(index, tested);
                        if self.is_new(node) {
                            tally.found.push(node);
                        }
                    }
                    None => wrong |= bit(CLOSED),
                }
                if wrong != 0 {
                    tally.note(wrong, Example { state, input, next, output });
                }
            }
            for crowd in 0..CROWDS {
                if told[crowd] != told[facts[crowd].heard] {
                    let input = Input { classes: self.crowds[crowd], ..*rest };
                    let (next, output) = step(state, input, limits);
                    tally.note(bit(BYSTANDERS), Example { state, input, next, output });
                }
            }
        }
    }

    #[inline(always)]
    fn broken_in_history(&self, case: &Case<'_>, tested: bool) -> u64 {
        let mut wrong = 0;
        if needs_self_test(case.next.mode) && !tested {
            wrong |= bit(HISTORY);
        }
        let fired = match self.goal {
            Goal::Reachable | Goal::Product => false,
            Goal::Stuck(Button::Arm, _) => case.output.relay || case.next.level.raw() != 0,
            Goal::Stuck(Button::Reset, _) => {
                case.from(Mode::EStopLatched)
                    && !matches!(case.next.mode, Mode::EStopLatched | Mode::Fault)
            }
        };
        if fired {
            wrong |= bit(STUCK);
        }
        wrong
    }

    pub(super) fn report(self, name: &str) -> Report {
        let known = self.known;
        let mut states: Vec<u32> = known.queue.iter().map(|node| node / 2).collect();
        states.sort_unstable();
        states.dedup();
        let modes = Mode::ALL
            .iter()
            .filter(|mode| {
                states.iter().any(|index| self.space.state(*index as usize).mode == **mode)
            })
            .map(|mode| mode.name())
            .collect();
        let names = INVARIANTS.iter().map(|invariant| invariant.name);
        let broken = names
            .chain(PROPERTIES.iter().map(|(name, _)| *name))
            .zip(known.counts.iter().zip(known.examples))
            .filter(|(_, (count, _))| **count > 0)
            .map(|(name, (count, example))| Broken {
                name,
                count: *count,
                example: example.unwrap_or_default(),
            })
            .collect();
        let inputs = self.rests.len() * CROWDS;
        Report {
            name: name.to_owned(),
            states: states.len(),
            inputs,
            transitions: (known.queue.len() * inputs) as u64,
            product: self.space.product(),
            depth: known.depth - 1,
            modes,
            violations: known.counts.iter().sum(),
            broken,
            seconds: known.seconds,
            numbers: states,
        }
    }
}

fn seeds(space: &Space, goal: Goal) -> Vec<u32> {
    if goal == Goal::Product {
        // What history holds of a mode is part of what is checked: it is assumed here and shown again
        // for every successor.
        return (0..space.product())
            .map(|index| node(index, needs_self_test(space.state(index).mode)))
            .collect();
    }
    space.index(&State::boot(&space.limits)).map(|index| node(index, false)).into_iter().collect()
}

impl Pace {
    pub(super) fn threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }
}

impl Tally {
    #[cold]
    fn note(&mut self, wrong: u64, example: Example) {
        for property in 0..ALL {
            if wrong >> property & 1 != 0 {
                self.counts[property] += 1;
                self.examples[property].get_or_insert(example);
            }
        }
    }
}

/// Has a self-test passed since the last Boot, EStopLatched or Fault? One bit, moved by one cycle.
#[inline(always)]
fn has_tested(tested: bool, state: &State, input: &Input, next: &State) -> bool {
    match next.mode {
        Mode::Boot | Mode::EStopLatched | Mode::Fault => false,
        Mode::SelfTest | Mode::Disarmed | Mode::Arming | Mode::Active | Mode::SafeStop => {
            tested || state.mode == Mode::SelfTest && input.self_test == SelfTest::Pass
        }
    }
}

/// More than is promised (that is Active alone), so that it holds from cycle to cycle by itself.
#[inline(always)]
fn needs_self_test(mode: Mode) -> bool {
    matches!(mode, Mode::Disarmed | Mode::Arming | Mode::Active | Mode::SafeStop)
}

/// All that a bystander must not change, in one word: mode, owner, level and every output.
///
/// Its own age is left out: it says how fresh *its* word is. `bystanders` shows that nothing else
/// ever hangs on it.
#[inline(always)]
pub(super) fn visible(next: &State, output: &Output) -> u32 {
    let bits = [
        output.relay,
        output.pump,
        output.overload,
        output.owner_stale,
        output.owner_none,
        output.held_late,
    ];
    let outputs = bits.iter().fold(0, |bits, bit| bits << 1 | u32::from(*bit));
    next.mode as u32 | (next.owner as u32) << 3 | outputs << 5 | (next.level.raw() as u32) << 11
}

pub(super) fn level_of(button: Button, input: &Input) -> bool {
    match button {
        Button::Reset => input.reset,
        Button::Arm => input.arm,
    }
}

fn node(index: usize, tested: bool) -> u32 {
    // 2^31 states would be a bitmap of half a gigabyte: far beyond what time allows.
    (index * 2 + usize::from(tested)) as u32
}

const fn bit(property: usize) -> u64 {
    1 << (INVARIANTS.len() + property)
}

fn in_words(example: Example) -> String {
    let Example { state, input, next, output } = example;
    format!("{state:?} + {input:?} → {next:?} {output:?}")
}

/// A test beside us may drive in real time: about a tenth of a core where others want it whole. (All
/// of what nobody wants would be nothing at all on a busy machine.)
fn give_way() {
    let Ok(low) = ThreadPriorityValue::try_from(QUARTER_OF_THE_SCALE) else { return };
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);
    // Where that is forbidden the proof is as good, and the neighbour has to bear it.
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Crossplatform(low), policy)
        .ok();
}

pub(super) fn join<T>(worker: std::thread::ScopedJoinHandle<'_, T>) -> T {
    worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
