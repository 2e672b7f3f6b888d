//! The hidden `continuon start-child PARENT PROGRAM …`: asks the kernel for SIGTERM when the parent
//! dies, lets all signals through, then becomes the program.
//!
//! Why a step in between: the wish must be made in the child, and what runs between fork and exec
//! may not do much. A whole process may, and exec keeps the wish. So nothing that `continuon sim`
//! started outlives it, even if it is killed.

use crate::cli::StartChildArgs;
use crate::exit::Failure;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Pid, getppid};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Never returns where it succeeds: the process is another program then.
///
/// # Errors
/// The program is missing or not executable, or the parent is gone already.
pub fn become_child(args: &StartChildArgs) -> Failure {
    if let Err(error) = prctl::set_pdeathsig(Signal::SIGTERM) {
        return Failure::not_possible(format!(
            "cannot ask for SIGTERM at the parent's death: {error}"
        ));
    }
    // The parent may have died before the wish was made; then nobody would ever end us.
    if getppid() != Pid::from_raw(args.parent_pid) {
        return Failure::not_possible("the process that started this one has ended");
    }
    // We came with our parent's mask, which holds back the very signals that are to end us.
    if let Err(error) = SigSet::empty().thread_set_mask() {
        return Failure::not_possible(format!("cannot let signals through: {error}"));
    }
    let Some((program, rest)) = args.command.split_first() else {
        return Failure::misuse("expected a program to become");
    };
    let error = Command::new(program).args(rest).exec();
    Failure::not_possible(format!("{}: {error}", program.to_string_lossy()))
}
