//! Makes the messages from `messages.binpb`, which `tools/generate.py` writes from `proto/`.

use std::error::Error;
use std::fs;

use prost::Message;
use prost_types::FileDescriptorSet;

const DESCRIPTORS: &str = "messages.binpb";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={DESCRIPTORS}");
    let files = FileDescriptorSet::decode(fs::read(DESCRIPTORS)?.as_slice())?;
    prost_build::Config::new().include_file("messages.rs").compile_fds(files)?;
    Ok(())
}
