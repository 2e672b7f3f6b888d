//! What the loop calls in every cycle, linked without an allocator and without a way to panic.
//!
//! It decides nothing and is never run: that it *links* is the proof. The panic handler and the
//! allocator each call a function that nobody defines. Whatever the optimiser cannot show to be
//! unreachable from [`_start`] keeps its call, and the link ends with that function's name.
//!
//! ```text
//! _start ─▶ each function below ─▶ the shipped code ─▶ a bounds check ─▶ panic_is_reachable: undefined
//!                                                   └▶ a box ─▶ allocation_is_reachable: undefined
//! ```
//!
//! Everything comes in by reference, so the optimiser knows nothing of its content. Two files of
//! `fast-loop`, which is a std program, are compiled here as they stand: the mirror and the grid.
//! What else the loop runs is judged in the shipped executable (`cargo xtask symbols`). Run by
//! `cargo xtask proof`; planted bugs: `tests/sabotage/proof-*.patch`.
#![no_std]
#![no_main]

#[path = "../../../rt-core/fast-loop/src/grid.rs"]
#[allow(dead_code, missing_docs, reason = "another crate's file: what it offers is that crate's")]
mod grid;
#[path = "../../../rt-core/fast-loop/src/mirror.rs"]
#[allow(dead_code, missing_docs, reason = "another crate's file: what it offers is that crate's")]
mod mirror;
#[cfg(target_has_atomic = "64")]
mod shared;
mod undefined;

use grid::{Due, Grid};
use mirror::Mirror;
use rt_control::Kernel;
use rt_wire::{Inbox, IntegrityFlags, KernelState, Limits, Observation, Outcome, Release};

/// All that the functions below work on; nobody ever makes one.
pub struct World {
    kernel: Kernel,
    mirror: Mirror,
    grid: Grid,
    now_ns: u64,
    build_id: u64,
    limits: Limits,
    keyframe: KernelState,
    release: Release,
    observation: Observation,
    inbox: Inbox,
    outcome: Outcome,
    integrity: IntegrityFlags,
    due: Option<Due>,
    is_resumed: bool,
    #[cfg(target_has_atomic = "64")]
    shared: shared::Shared,
}

// SAFETY: the one symbol of this name in a program that is never run.
#[unsafe(no_mangle)]
extern "C" fn _start(world: &mut World) -> ! {
    loop {
        grid_next(world);
        mirror_compare(world);
        kernel_step(world);
        mirror_refresh(world);
        kernel_begin(world);
        #[cfg(target_has_atomic = "64")]
        world.shared.pass();
    }
}

#[inline(never)]
fn kernel_step(world: &mut World) {
    world.outcome = world.kernel.step(&world.release, &world.observation, &world.inbox);
}

/// Not part of a cycle, but as silent: a kernel at power-up, its mirror, and one that goes on.
#[inline(never)]
fn kernel_begin(world: &mut World) {
    world.kernel = Kernel::new(&world.limits, world.build_id);
    world.mirror = Mirror::new(world.kernel.state(), world.kernel.limits());
    if let Some(kernel) = Kernel::resume(&world.limits, &world.keyframe) {
        world.kernel = kernel;
        world.is_resumed = true;
    }
}

#[inline(never)]
fn mirror_compare(world: &mut World) {
    world.integrity = world.mirror.compare(world.kernel.state(), world.kernel.limits());
}

#[inline(never)]
fn mirror_refresh(world: &mut World) {
    world.mirror.refresh(world.kernel.state());
}

#[inline(never)]
fn grid_next(world: &mut World) {
    world.due = Some(world.grid.next(world.now_ns));
}
