//! Taking bytes apart: a cursor that never reads beyond its end.
//!
//! It decides nothing; every taking may find too little, and says so by `None`.

/// What has not been taken yet.
#[derive(Clone, Copy)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn bytes_u32(&mut self) -> Option<&'a [u8]> {
        let count = self.u32()?;
        self.take(usize::try_from(count).ok()?)
    }

    pub(crate) fn bytes_u64(&mut self) -> Option<&'a [u8]> {
        let count = self.u64()?;
        self.take(usize::try_from(count).ok()?)
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes_u32()?).ok()
    }

    /// A record: its opcode and its body.
    pub(crate) fn record(&mut self) -> Option<(u8, &'a [u8])> {
        let mut rest = *self;
        let opcode = rest.u8()?;
        let body = rest.bytes_u64()?;
        *self = rest;
        Some((opcode, body))
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

/// A message's channel, sequence, time and data.
pub(crate) struct Message<'a> {
    pub(crate) channel: u16,
    pub(crate) sequence: u32,
    pub(crate) at_ns: u64,
    pub(crate) data: &'a [u8],
}

/// The body of a message record.
pub(crate) fn message(body: &[u8]) -> Option<Message<'_>> {
    let mut body = Bytes(body);
    let (channel, sequence, at_ns) = (body.u16()?, body.u32()?, body.u64()?);
    // Published when logged: nothing of ours waits in between.
    (body.u64()? == at_ns).then_some(Message { channel, sequence, at_ns, data: body.0 })
}

/// A schema's number, name, encoding and data.
pub(crate) fn schema(body: &[u8]) -> Option<(u16, &str, &str, &[u8])> {
    let mut body = Bytes(body);
    let found = (body.u16()?, body.text()?, body.text()?, body.bytes_u32()?);
    body.is_empty().then_some(found)
}

/// A channel's number, its schema's, its topic and its message encoding.
pub(crate) fn channel(body: &[u8]) -> Option<(u16, u16, &str, &str)> {
    let mut body = Bytes(body);
    let found = (body.u16()?, body.u16()?, body.text()?, body.text()?);
    body.bytes_u32()?;
    body.is_empty().then_some(found)
}

/// Name and pairs of a metadata record.
pub(crate) fn metadata(body: &[u8]) -> Option<(&str, Vec<(&str, &str)>)> {
    let mut body = Bytes(body);
    let name = body.text()?;
    let mut rest = Bytes(body.bytes_u32()?);
    let mut pairs = Vec::new();
    while !rest.is_empty() {
        pairs.push((rest.text()?, rest.text()?));
    }
    body.is_empty().then_some((name, pairs))
}

/// An attachment.
pub(crate) struct Attachment<'a> {
    pub(crate) times_ns: [u64; 2],
    pub(crate) name: &'a str,
    pub(crate) media_type: &'a str,
    pub(crate) data: &'a [u8],
}

/// An attachment whose CRC is right.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn attachment(body: &[u8]) -> Result<Attachment<'_>, String> {
    let (content, crc) = body.split_last_chunk::<4>().ok_or("an attachment without a CRC")?;
    let (found, expected) = (crc32fast::hash(content), u32::from_le_bytes(*crc));
    if found != expected {
        return Err(format!("an attachment's CRC is {found:#010x}, expected {expected:#010x}"));
    }
    let parse = || {
        let mut body = Bytes(content);
        let times_ns = [body.u64()?, body.u64()?];
        let (name, media_type) = (body.text()?, body.text()?);
        let data = body.bytes_u64()?;
        body.is_empty().then_some(Attachment { times_ns, name, media_type, data })
    };
    parse().ok_or_else(|| "an attachment that is not laid out as one".to_owned())
}
