//! The plant as a robot and its judge meet it. One binary, one file a subject.

mod params;
mod power;
mod rig;
mod vehicle;
mod world;
