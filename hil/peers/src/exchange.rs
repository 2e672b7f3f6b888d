//! What travels between the two processes of an exchange, and through what.
//!
//! The same 256 bytes for everybody, copied in and copied out. Shown by: the `transport` figure.

use crate::shared::Shared;
use anyhow::{Context as _, Result};
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;
use rt_ring::sync::AtomicU64;
use rt_ring::{Identity, ring_words};

/// 256 bytes.
pub type Payload = [u64; 32];
/// Records that a ring holds; the same for every ring that is compared.
pub const DEPTH: usize = 4096;
/// Stands for the layout of [`Payload`].
pub const LAYOUT_HASH: u64 = 0x0100;
/// Above everything ordinary, below the loop.
pub const FIFO_PRIORITY: u8 = 10;

/// The two halves of the shared data.
pub struct Lanes<'a> {
    /// The first process writes.
    pub to_partner: &'a [AtomicU64],
    /// The second process writes.
    pub from_partner: &'a [AtomicU64],
}

impl<'a> Lanes<'a> {
    /// Who we are to a ring.
    pub const IDENTITY: Identity = Identity { layout_hash: LAYOUT_HASH, generation: 1 };

    /// Fresh memory for both.
    ///
    /// # Errors
    /// There is no memory.
    pub fn create() -> Result<Shared> {
        Shared::create(2 * ring_words::<Payload>(DEPTH))
    }

    /// The halves of it.
    #[must_use]
    pub fn of(shared: &'a Shared) -> Self {
        let (to_partner, from_partner) = shared.data().split_at(ring_words::<Payload>(DEPTH));
        Self { to_partner, from_partner }
    }
}

type In = Subscriber<ipc::Service, Payload, ()>;
type Out = Publisher<ipc::Service, Payload, ()>;

/// Two iceoryx2 services: one there, one back. Default settings.
pub struct Topics {
    run: u64,
    node: Node<ipc::Service>,
}

impl Topics {
    /// Joins the two services of this run, making them where they are not.
    ///
    /// # Errors
    /// What iceoryx2 says.
    pub fn open(run: u64) -> Result<Self> {
        set_log_level(LogLevel::Error);
        let node = NodeBuilder::new().create::<ipc::Service>().context("iceoryx2 node")?;
        Ok(Self { run, node })
    }

    /// What the first process sends on and hears from.
    ///
    /// # Errors
    /// What iceoryx2 says.
    pub fn asking_side(&self) -> Result<(Out, In)> {
        Ok((self.publisher("there")?, self.subscriber("back")?))
    }

    /// What the second process hears from and sends on.
    ///
    /// # Errors
    /// What iceoryx2 says.
    pub fn echo_side(&self) -> Result<(In, Out)> {
        Ok((self.subscriber("there")?, self.publisher("back")?))
    }

    fn publisher(&self, way: &str) -> Result<Out> {
        Ok(self.service(way)?.publisher_builder().create()?)
    }

    fn subscriber(&self, way: &str) -> Result<In> {
        Ok(self.service(way)?.subscriber_builder().create()?)
    }

    fn service(&self, way: &str) -> Result<PortFactory<ipc::Service, Payload, ()>> {
        let name = format!("peers/{}/{way}", self.run);
        let builder = self.node.service_builder(&name.as_str().try_into()?);
        Ok(builder.publish_subscribe::<Payload>().open_or_create()?)
    }
}
