//! HTTP/2 by hand, for clients that don't behave.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const GOAWAY: u8 = 7;

/// The codes of RFC 9113 7 that tests look for.
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const END_STREAM_AND_HEADERS: u8 = 0x5;
/// `:method GET`, `:scheme http`, `:path /` of the static table, and `:authority a`.
const GET: &[u8] = &[0x82, 0x86, 0x84, 0x41, 1, b'a'];

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The error of RST_STREAM and GOAWAY.
    pub(crate) fn code(&self) -> Option<u32> {
        let code = match self.kind {
            RST_STREAM => self.payload.get(..4)?,
            GOAWAY => self.payload.get(4..8)?,
            _ => return None,
        };
        Some(u32::from_be_bytes(code.try_into().ok()?))
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A request without a body.
pub(crate) fn get(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_STREAM_AND_HEADERS, stream, GET)
}

pub(crate) fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())
}

/// Begins a connection and says all this at once.
pub(crate) async fn say(stream: &mut TcpStream, frames: &[Vec<u8>]) {
    let begin = [PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[])].concat();
    let all = [begin, frames.concat()].concat();
    stream.write_all(&all).await.unwrap();
}

/// The next frame; None at the end.
pub(crate) async fn hear(stream: &mut TcpStream) -> Option<Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.ok()?;
    let [a, b, c, kind, _, rest @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    stream.read_exact(&mut payload).await.ok()?;
    Some(Frame {
        kind,
        stream: u32::from_be_bytes(rest),
        payload,
    })
}

/// The first frame that is `wanted`; None if the connection ends without one.
pub(crate) async fn hear_until(
    stream: &mut TcpStream,
    wanted: impl Fn(&Frame) -> bool,
) -> Option<Frame> {
    loop {
        let frame = hear(stream).await?;
        if wanted(&frame) {
            return Some(frame);
        }
    }
}
