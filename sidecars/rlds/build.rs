//! Types and descriptors from the .proto files, without `protoc`.
//!
//! The descriptors leave out where in the text each field stands: they go into every recording.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use prost::Message;
use prost_types::FileDescriptorSet;

const RLDS: &str = "continuonxr/rlds/v1/rlds_episode.proto";
const BRAIN: &str = "continuonxr/continuonbrain/v1/continuonbrain_link.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let with_comments = protox::compile([RLDS, BRAIN], ["proto"])?;
    let mut all = with_comments.clone();
    for file in &mut all.file {
        file.source_code_info = None;
    }
    let rlds = FileDescriptorSet {
        file: all.file.iter().filter(|file| file.name() == RLDS).cloned().collect(),
    };
    fs::write(out.join("descriptors.bin"), all.encode_to_vec())?;
    fs::write(out.join("rlds_descriptors.bin"), rlds.encode_to_vec())?;
    prost_build::Config::new().btree_map(["."]).compile_fds(with_comments)?;
    Ok(())
}
