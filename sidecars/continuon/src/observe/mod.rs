//! Watching a run from outside: what can be known without asking the loop's or the logger's opinion.

pub mod conditions;
pub mod real_limits;
pub mod spread;
pub mod trace;
pub mod watch;
