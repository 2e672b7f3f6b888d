//! The contract as protobuf: packages `continuonxr.rlds.v1` and `continuonxr.continuonbrain.v1`.
//!
//! *What it decides.* How a step and an episode's metadata of [`schema`](crate::schema) become
//! protobuf, and which protobuf is none that the contract allows. *What it must never do.* Lose a
//! field on the way there or back, or move a number that was published.
//!
//! The numbers stand in `proto/continuonxr/**/*.proto`; ours are free ones from 20 on:
//! `Step.reward`, `Step.discount`, `Observation.command`, and `SendCommandRequest.drive`. Shown by:
//! tests/proto.rs (round trips), tests/proto_contract.rs (every number against the contract).

mod convert;
mod mirror;

pub use convert::ProtoError;

#[allow(
    missing_docs,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated from the .proto files, where the words stand"
)]
mod generated {
    pub(super) mod rlds {
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/continuonxr.rlds.v1.rs"));
        }
    }
    pub(super) mod continuonbrain {
        pub mod v1 {
            include!(concat!(env!("OUT_DIR"), "/continuonxr.continuonbrain.v1.rs"));
        }
    }
}

pub use generated::continuonbrain::v1 as continuonbrain_v1;
pub use generated::rlds::v1 as rlds_v1;

/// Both packages as an encoded `FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
/// `continuonxr.rlds.v1` alone, as an encoded `FileDescriptorSet`: what a recording carries.
pub const RLDS_DESCRIPTORS: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/rlds_descriptors.bin"));
/// Full name of the message that a step is.
pub const STEP_MESSAGE: &str = "continuonxr.rlds.v1.Step";
