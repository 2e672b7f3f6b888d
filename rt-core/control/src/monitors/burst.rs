//! Three implausible commands of the owner within a second.
//!
//! Only the owner's count: what others send has no effect. The memory belongs to the source that
//! last owned, and survives its stop, so that it also blocks arming for a second; another owner
//! begins with none.

use rt_wire::{BadBurst, MonoNs, Raw, Source};

/// The third within this time is one too many.
const WINDOW_NS: u64 = 1_000_000_000;

/// Remembers whether the command of `owner` was `bad` in this cycle; true while there are too many.
pub fn too_many(memory: &mut BadBurst, owner: Source, bad: bool, now: MonoNs) -> bool {
    if owner != Source::None && memory.owner != Raw::new(owner) {
        *memory = BadBurst { owner: Raw::new(owner), ..BadBurst::default() };
    }
    if bad && owner != Source::None {
        let [_, second, third] = memory.at;
        memory.at = [second, third, MonoNs(now.0.max(1))];
    }
    let [oldest, _, newest] = memory.at;
    oldest != MonoNs(0) && newest.since(oldest) <= WINDOW_NS && now.since(newest) <= WINDOW_NS
}
