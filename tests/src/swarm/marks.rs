//! Coverage marks: what a run must have met before its silence means anything.
//!
//! Counts every transition of the state machine's table, every fault class, every cause, interlock and
//! rule. A campaign in which one of them came up less than 1000 times in 10⁸ cycles is void. Decides
//! only what counts. Tests: tests/swarm.rs.

use super::faults::{Classes, FaultClass};
use rt_wire::{Fault, FaultSet, Interlock, InterlockSet, Mode, Outcome, Rule, RuleSet};
use serde::Serialize;

const MODES: usize = 8;
const BITS: usize = 64;

/// The table of transitions, "any" written out.
const TABLE: [(Mode, &[Mode]); MODES] = [
    (Mode::Boot, &[Mode::SelfTest, Mode::EStopLatched, Mode::Fault]),
    (Mode::SelfTest, &[Mode::Disarmed, Mode::EStopLatched, Mode::Fault]),
    (Mode::Disarmed, &[Mode::Arming, Mode::EStopLatched, Mode::Fault]),
    (Mode::Arming, &[Mode::Disarmed, Mode::Active, Mode::EStopLatched, Mode::Fault]),
    (Mode::Active, &[Mode::SafeStop, Mode::EStopLatched, Mode::Fault]),
    (Mode::SafeStop, &[Mode::Disarmed, Mode::EStopLatched, Mode::Fault]),
    (Mode::EStopLatched, &[Mode::SelfTest, Mode::Fault]),
    (Mode::Fault, &[]),
];

/// Causes that this world cannot raise, and who shows them instead.
pub(super) const ELSEWHERE: &[(Fault, &str)] = &[
    (Fault::KernelMirror, "the mirror is fast-loop's"),
    (Fault::NotFinite, "a defect of the kernel, which no input may cause"),
];

/// What was met, and how often.
#[derive(Clone, Debug)]
pub struct Marks {
    transitions: [[u64; MODES]; MODES],
    in_mode: [u64; MODES],
    classes: [u64; FaultClass::ALL.len()],
    causes: [u64; BITS],
    interlocks: [u64; BITS],
    rules: [u64; BITS],
    /// Calms that led back to Active.
    pub recoveries: u64,
    /// Stretches that were replayed from a keyframe.
    pub replays: u64,
    /// Cycles that were run a second time without their bystanders.
    pub bystanders: u64,
    /// Cycles in which the motor pushed the car.
    pub pushed: u64,
    /// What the network did to a person's frames.
    pub frames: Frames,
    causes_before: FaultSet,
    interlocks_before: InterlockSet,
    rules_before: RuleSet,
}

/// What became of a person's frames that did not come once, in time and in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    /// Came another time.
    pub repeated: u64,
    /// Came after one that was sent later.
    pub overtaken: u64,
    /// Came later than a person's command may be old.
    pub too_old: u64,
    /// Never came.
    pub lost: u64,
}

/// One mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// What.
    pub name: String,
    /// How often.
    pub hits: u64,
}

impl Default for Marks {
    fn default() -> Self {
        Self {
            transitions: [[0; MODES]; MODES],
            in_mode: [0; MODES],
            classes: [0; FaultClass::ALL.len()],
            causes: [0; BITS],
            interlocks: [0; BITS],
            rules: [0; BITS],
            recoveries: 0,
            replays: 0,
            bystanders: 0,
            pushed: 0,
            frames: Frames::default(),
            causes_before: FaultSet::EMPTY,
            interlocks_before: InterlockSet::EMPTY,
            rules_before: RuleSet::EMPTY,
        }
    }
}

impl Marks {
    /// Takes a cycle in. Causes and rules count when they come, not while they last; interlocks
    /// whenever their list changes.
    pub fn cycle(&mut self, from: Mode, to: Mode, began: Classes, outcome: &Outcome) {
        self.in_mode[to as usize] += 1;
        if from != to {
            self.transitions[from as usize][to as usize] += 1;
        }
        for class in began.iter() {
            self.classes[class as usize] += 1;
        }
        count(&mut self.causes, outcome.causes.0 & !self.causes_before.0);
        if outcome.interlocks != self.interlocks_before {
            count(&mut self.interlocks, outcome.interlocks.0.into());
        }
        count(&mut self.rules, (outcome.rules.0 & !self.rules_before.0).into());
        self.causes_before = outcome.causes;
        self.interlocks_before = outcome.interlocks;
        self.rules_before = outcome.rules;
    }

    /// Adds what another run has met.
    pub fn add(&mut self, other: &Self) {
        let rows = self.transitions.iter_mut().flatten().zip(other.transitions.iter().flatten());
        self.in_mode.iter_mut().zip(other.in_mode).for_each(|(mine, its)| *mine += its);
        self.classes.iter_mut().zip(other.classes).for_each(|(mine, its)| *mine += its);
        let sets = [
            (&mut self.causes, &other.causes),
            (&mut self.interlocks, &other.interlocks),
            (&mut self.rules, &other.rules),
        ];
        rows.for_each(|(mine, its)| *mine += its);
        for (mine, its) in sets {
            mine.iter_mut().zip(its).for_each(|(mine, its)| *mine += its);
        }
        self.recoveries += other.recoveries;
        self.replays += other.replays;
        self.bystanders += other.bystanders;
        self.pushed += other.pushed;
        self.frames.repeated += other.frames.repeated;
        self.frames.overtaken += other.frames.overtaken;
        self.frames.too_old += other.frames.too_old;
        self.frames.lost += other.frames.lost;
    }

    /// Every mark that a campaign must meet.
    #[must_use]
    pub fn required(&self, classes: Classes) -> Vec<Mark> {
        let mut marks = Vec::new();
        let mut mark = |name: String, hits: u64| marks.push(Mark { name, hits });
        for (from, others) in TABLE {
            if from != Mode::Boot {
                // Boot ends in the cycle that begins it.
                mark(format!("cycle in {}", from.name()), self.in_mode[from as usize]);
            }
            for to in others {
                let hits = self.transitions[from as usize][*to as usize];
                mark(format!("{} to {}", from.name(), to.name()), hits);
            }
        }
        for class in classes.iter() {
            mark(format!("fault {}", class.name()), self.classes[class as usize]);
        }
        for fault in Fault::ALL.iter().filter(|fault| !is_elsewhere(**fault)) {
            mark(format!("cause {}", fault.name()), self.causes[*fault as usize]);
        }
        for interlock in Interlock::ALL {
            mark(format!("interlock {}", interlock.name()), self.interlocks[*interlock as usize]);
        }
        for rule in Rule::ALL {
            mark(format!("rule {}", rule.name()), self.rules[*rule as usize]);
        }
        mark("back to Active after a calm".to_owned(), self.recoveries);
        mark("replayed stretch".to_owned(), self.replays);
        mark("cycle without its bystanders".to_owned(), self.bystanders);
        mark("the motor pushed".to_owned(), self.pushed);
        mark("frame that came again".to_owned(), self.frames.repeated);
        mark("frame that was overtaken".to_owned(), self.frames.overtaken);
        mark("frame that came too old".to_owned(), self.frames.too_old);
        mark("frame that never came".to_owned(), self.frames.lost);
        marks
    }

    /// Transitions that no table allows.
    #[must_use]
    pub fn strays(&self) -> u64 {
        let allowed: u64 = TABLE
            .iter()
            .flat_map(|(from, others)| {
                others.iter().map(|to| self.transitions[*from as usize][*to as usize])
            })
            .sum();
        self.transitions.iter().flatten().sum::<u64>() - allowed
    }
}

fn count(counters: &mut [u64; BITS], mut bits: u64) {
    while bits != 0 {
        counters[bits.trailing_zeros() as usize] += 1;
        bits &= bits - 1;
    }
}

fn is_elsewhere(fault: Fault) -> bool {
    ELSEWHERE.iter().any(|(other, _)| *other == fault)
}

const _: () = assert!(Fault::ALL.len() <= BITS);
