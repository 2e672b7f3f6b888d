//! The process that owns the pins: start-up checklist, real-time loop, housekeeping.
//!
//! Two threads, and a third where the board has a slow bus. The loop thread ([`cycle`]) runs under
//! SCHED_FIFO on a core of its own, allocates nothing once sealed, and makes no system call but its
//! sleep and the board's own: the kernel sees to that ([`filter`]). The housekeeping thread
//! ([`housekeeping`]) does everything that may wait: sockets, signals, counters. The bus thread
//! ([`bus`]) talks to slow devices, below the loop's priority. They exchange plain records through
//! queues and slots that neither waits for. Nothing here judges what may move: that is `rt-control`'s. Shown by: the tests below each module, and the tests crate.
#![deny(missing_docs)]
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))]

pub mod build_id;
pub mod bus;
pub mod clock;
pub mod counters;
pub mod cycle;
pub mod filter;
pub mod gate;
pub mod grid;
pub mod housekeeping;
pub mod inlets;
pub mod last_words;
pub mod log;
pub mod mirror;
pub mod proc_file;
pub mod realtime;
pub mod resident;
pub mod say;
pub mod sealed_alloc;
pub mod spin;
pub mod startup;
