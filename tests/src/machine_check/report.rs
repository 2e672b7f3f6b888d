//! What a walk came to, for people and for programs. Tests: `small` in this folder.

use serde::Serialize;

/// What was tried, and what was wrong.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Which walk.
    pub name: String,
    /// States that were reached.
    pub states: usize,
    /// Inputs that were tried in each.
    pub inputs: usize,
    /// Pairs of state and input that were run.
    pub transitions: u64,
    /// States of the product, reachable or not.
    pub product: usize,
    /// Cycles from power-up to the state that is furthest away.
    pub depth: u32,
    /// Modes that were reached.
    pub modes: Vec<&'static str>,
    /// Pairs that broke something, counted once for each thing.
    pub violations: u64,
    /// What was broken.
    pub broken: Vec<Broken>,
    /// How long it took.
    pub seconds: f64,
    /// The numbers of the states that were reached, in order.
    #[serde(skip)]
    pub(super) numbers: Vec<u32>,
}

/// One invariant or property that does not hold.
#[derive(Clone, Debug, Serialize)]
pub struct Broken {
    /// Its name.
    pub name: &'static str,
    /// In how many pairs.
    pub count: u64,
    /// One of them.
    pub example: String,
}

impl Report {
    /// The line for people; one more for each thing that is broken.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Self { states, inputs, transitions, violations, .. } = self;
        let mut text = format!(
            "states {states} inputs {inputs} transitions {transitions} violations {violations}"
        );
        for broken in &self.broken {
            let Broken { name, count, example } = broken;
            text += &format!("\n{name}: broken in {count} pairs, such as {example}");
        }
        text
    }

    /// The numbers of the states that were reached, in order.
    #[must_use]
    pub fn states_reached(&self) -> &[u32] {
        &self.numbers
    }

    /// Nothing was broken.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.violations == 0
    }
}
