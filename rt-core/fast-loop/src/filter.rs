//! The system-call filter: once entered, a thread makes the calls of a short list and no other.
//!
//! It decides the list: what this crate itself needs, and what the board names with a reason. Any
//! other call ends the whole process in the kernel (SIGSYS), which is a stop: the pump falls silent.
//! It is entered once, after the seal, and never left; a thread inside cannot even end itself, so it
//! parks instead (`gate.rs`), and its last words go through memory (`last_words.rs`). It never judges
//! whether an unfiltered loop may drive: housekeeping reads from the kernel whether the filter holds,
//! and the report says so. Shown by: the tests below, and `tests/filter.rs` of the tests crate.

use crate::proc_file;
use nix::libc;
use rt_board::{Call, Syscall};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::mem::ManuallyDrop;

thread_local! {
    // Const and without a destructor, as the seal's own.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// What every sealed thread may call: number, name, reason.
const EVERY_THREAD: [(i64, &str, &str); 2] = [
    (libc::SYS_clock_nanosleep, "clock_nanosleep", "sleeps until the next release"),
    (libc::SYS_clock_gettime, "clock_gettime", "reads the clock where the vDSO cannot"),
];

/// What the bus thread may call beside it.
const BUS_THREAD: [(i64, &str, &str); 2] = [
    (libc::SYS_futex, "futex", "waits for the next release or for the stop, whichever comes first"),
    (libc::SYS_restart_syscall, "restart_syscall", "goes on with that wait after a SIGCONT"),
];

/// A compiled list of calls, to be entered by one thread.
pub struct Filter {
    // Never freed: who has entered may not call the allocator.
    program: ManuallyDrop<BpfProgram>,
    names: Vec<&'static str>,
}

impl Filter {
    /// For the loop thread of a board that names these calls.
    ///
    /// # Errors
    /// A sentence that says why there is none: an architecture that the filter does not know.
    pub fn of_loop(board: &[Call]) -> Result<Self, String> {
        Self::of(&[], board)
    }

    /// For the bus thread, whose tasks name these calls.
    ///
    /// # Errors
    /// As [`of_loop`](Self::of_loop).
    pub fn of_bus(tasks: &[Call]) -> Result<Self, String> {
        Self::of(&BUS_THREAD, tasks)
    }

    fn of(own: &[(i64, &'static str, &str)], named: &[Call]) -> Result<Self, String> {
        let own = EVERY_THREAD.iter().chain(own).map(|(number, name, _why)| (*number, *name));
        let named = named.iter().map(|call| (number(call.call), call.call.name()));
        let calls: BTreeMap<i64, &'static str> = own.chain(named).collect();
        let refused = |error: &dyn std::fmt::Display| format!("system calls not filtered: {error}");
        let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| refused(&error))?;
        let rules = calls.keys().map(|number| (*number, Vec::new())).collect();
        let program =
            SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, arch)
                .and_then(BpfProgram::try_from)
                .map_err(|error| refused(&error))?;
        Ok(Self { program: ManuallyDrop::new(program), names: calls.into_values().collect() })
    }

    /// The names of the calls, in the order of their numbers.
    #[must_use]
    pub fn names(&self) -> String {
        self.names.join(", ")
    }

    /// Confines the calling thread for the rest of its life. Allocates and frees nothing.
    ///
    /// # Errors
    /// The kernel refused; the number that it gave (0 where it gave none).
    pub fn enter(&self) -> Result<(), i32> {
        let errno = |error: &std::io::Error| error.raw_os_error().unwrap_or(0);
        match seccompiler::apply_filter(&self.program) {
            Ok(()) => {
                INSIDE.set(true);
                Ok(())
            }
            Err(seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error)) => {
                Err(errno(&error))
            }
            Err(_other) => Err(0),
        }
    }
}

/// Whether the calling thread has entered its filter: then it may not speak, nor end.
#[must_use]
pub fn is_inside() -> bool {
    INSIDE.get()
}

/// Whether the kernel really filters thread `tid` of this process by a filter that the calling thread
/// is not under, as the kernel itself says.
///
/// # Errors
/// A sentence that says what speaks against it.
pub fn holds(tid: u32) -> Result<(), String> {
    let status = |who: &str| proc_file::seccomp(who).map_err(|why| format!("not known: {why}"));
    let (its, ours) = (status(&format!("/proc/self/task/{tid}"))?, status("/proc/thread-self")?);
    judge(its, ours)
}

/// What /proc says of a thread: its mode of seccomp, and how many filters it is under (0 before
/// Linux 5.9, which does not count them).
type Seccomp = (u32, u32);

fn judge(its: Seccomp, ours: Seccomp) -> Result<(), String> {
    const FILTERED: u32 = 2;
    if its.0 != FILTERED {
        return Err(
            "the kernel (or an emulator in its place) does not enforce the filter".to_owned()
        );
    }
    // Who runs in a container may be under a filter of that: it is not the loop's.
    if ours.0 == FILTERED && its.1 <= ours.1 {
        return Err(
            "the only filter that the kernel tells is one around the whole process".to_owned()
        );
    }
    Ok(())
}

const fn number(call: Syscall) -> i64 {
    match call {
        Syscall::Ioctl => libc::SYS_ioctl,
        Syscall::Read => libc::SYS_read,
        Syscall::Write => libc::SYS_write,
        Syscall::Pread => libc::SYS_pread64,
        Syscall::Pwrite => libc::SYS_pwrite64,
        Syscall::Futex => libc::SYS_futex,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loop_without_a_board_may_sleep_and_read_the_clock_and_nothing_else() {
        let filter = Filter::of_loop(&[]).expect("this architecture is known");
        let mut names: Vec<&str> = filter.names.clone();
        names.sort_unstable();
        assert_eq!(names, ["clock_gettime", "clock_nanosleep"]);
    }

    #[test]
    fn board_that_names_a_call_twice_has_it_once() {
        let call = Call { call: Syscall::Ioctl, why: "asks the sensor" };
        let filter = Filter::of_bus(&[call, call]).expect("this architecture is known");
        assert_eq!(filter.names().matches("ioctl").count(), 1);
        assert!(filter.names().contains("futex"));
    }

    #[test]
    fn filter_of_a_container_does_not_pass_for_the_loops_own() {
        assert!(judge((0, 0), (0, 0)).is_err(), "an emulator that says yes and does nothing");
        assert!(judge((2, 1), (0, 0)).is_ok());
        assert!(judge((2, 1), (2, 1)).is_err(), "the container's");
        assert!(judge((2, 2), (2, 1)).is_ok());
        assert!(judge((2, 0), (0, 0)).is_ok(), "an old kernel, which counts none");
        assert!(judge((2, 0), (2, 0)).is_err(), "an old kernel in a container: not known");
    }

    #[test]
    fn thread_that_has_entered_is_told_as_filtered_and_others_are_not() {
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let filter = Filter::of_loop(&[]).expect("this architecture is known");
            let tid = u32::try_from(nix::unistd::gettid().as_raw()).expect("positive");
            tell.send(tid).expect("the test waits");
            drop(tell);
            // Not allowed to end any more: it sleeps until the test program does.
            let entered = filter.enter();
            while entered.is_ok() {
                crate::clock::sleep_until(crate::clock::now().plus(1_000_000_000));
            }
        });
        let tid = told.recv().expect("it tells its number");
        let held = (0..1000).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            holds(tid).is_ok()
        });
        assert!(held, "{:?}", holds(tid));
        let ours = u32::try_from(nix::unistd::gettid().as_raw()).expect("positive");
        assert!(holds(ours).is_err());
    }
}
