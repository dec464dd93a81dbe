//! Fake peers: the other end of a session on raw QUIC, doing what no program of ours would do. A [`Client`] faces the
//! real server, a [`Server`] faces the real worker. They know the wire's words and nothing of its rules.

mod client;
mod samples;
mod server;

pub use client::Client;
pub use samples::{KINDS, Kind, sample};
pub use server::Server;

use godwit_protocol::wire::SegmentHead;
use godwit_protocol::worker::Failure;
use quinn::{Connection, ConnectionError, RecvStream, SendStream, VarInt};
use serde_json::Value;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Close codes of our programs are this plus the number of the error.
const CLOSE_BASE: u64 = 0x676f_0000;
/// No single operation of a fake peer takes longer: a peer that does not take any more is one that has answered.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a data stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Properly.
    Finish,
    /// By a reset.
    Reset,
    /// Never.
    Open,
}

/// One thing that a fake peer does. What the other side does not take any more is dropped.
#[derive(Clone, Debug)]
pub enum Step {
    /// A frame of JSON.
    Frame(Value),
    /// A frame of any bytes.
    Body(Vec<u8>),
    /// Bytes on the control stream, with no length before them.
    Raw(Vec<u8>),
    /// So many times the same frame.
    Flood(u32, Value),
    /// Frames, each made from its number.
    Frames(u32, fn(u64) -> Value),
    /// A data stream.
    Data(Vec<u8>, End),
    /// So many data streams with these bytes.
    Streams(u32, Vec<u8>, End),
    /// A data stream that goes on until the other side stops it, after this beginning.
    Endless(Vec<u8>),
    /// The control stream ends properly.
    Finish,
    /// The control stream is reset.
    Reset,
    /// Nothing is read from the control stream any more.
    Deaf,
    /// Another bidirectional stream.
    Second,
    /// Waits for a frame of this kind; what comes before it is ignored.
    Expect(&'static str),
    /// Stops the next data stream of the other side as it comes.
    StopTheirs,
    /// Does nothing for this long.
    Pause(Duration),
    /// The connection is closed without a word.
    Close,
}

/// How the other side ended the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An `Error` frame, or the connection closed with an error's number.
    Error(u16),
    /// The stream or connection ended otherwise.
    Gone(String),
    /// The frame that was waited for came.
    Frame(&'static str),
    /// Nothing within the time.
    Silence,
}

/// The control stream of a session, and the connection it belongs to.
#[derive(Debug)]
pub struct Peer {
    /// The connection.
    pub connection: Connection,
    send: SendStream,
    /// Frames, read all the time, so that the other side is never kept from reading by our not reading.
    frames: UnboundedReceiver<Option<Value>>,
    reader: JoinHandle<()>,
    /// Streams that must stay open.
    held: Vec<SendStream>,
    /// An error or end that came while something else was waited for.
    ended: Option<Answer>,
}

impl Peer {
    fn new(connection: Connection, send: SendStream, recv: RecvStream) -> Self {
        let (found, frames) = unbounded_channel();
        let reader = tokio::spawn(read(recv, found));
        Self { connection, send, frames, reader, held: Vec::new(), ended: None }
    }

    /// Does it.
    pub async fn play(&mut self, step: &Step) {
        match step {
            Step::Frame(value) => self.body(&serde_json::to_vec(value).unwrap()).await,
            Step::Body(body) => self.body(body).await,
            Step::Raw(bytes) => self.raw(bytes).await,
            Step::Flood(times, value) => {
                let body = serde_json::to_vec(value).unwrap();
                let one = [&(body.len() as u32).to_le_bytes()[..], &body].concat();
                let many = one.repeat((256 * 1024 / one.len()).max(1));
                let mut left = one.len() * *times as usize;
                while left > 0 && self.ended.is_none() {
                    let piece = left.min(many.len());
                    self.raw(&many[..piece]).await;
                    left -= piece;
                }
            }
            Step::Frames(times, make) => {
                for n in 0..u64::from(*times) {
                    if self.ended.is_some() {
                        return;
                    }
                    self.body(&serde_json::to_vec(&make(n)).unwrap()).await;
                }
            }
            Step::Data(bytes, end) => {
                self.data(bytes, *end).await;
            }
            Step::Streams(times, bytes, end) => {
                for _ in 0..*times {
                    // A peer that takes no more streams has answered.
                    if !self.data(bytes, *end).await {
                        return;
                    }
                }
            }
            Step::Endless(beginning) => self.endless(beginning).await,
            Step::Finish => drop(self.send.finish()),
            Step::Reset => drop(self.send.reset(VarInt::from_u32(7))),
            // The stream goes with its reader, which tells the other side to stop.
            Step::Deaf => self.reader.abort(),
            Step::Second => {
                if let Ok(Ok((mut send, _))) = timeout(Duration::from_millis(300), self.connection.open_bi()).await {
                    let _ = send.write_all(b"\x02\0\0\0{}").await;
                    self.held.push(send);
                }
            }
            Step::Expect(kind) => {
                if let answer @ (Answer::Error(_) | Answer::Gone(_)) = self.wait(kind, PATIENCE).await {
                    self.ended = Some(answer);
                }
            }
            Step::StopTheirs => {
                if let Ok(Ok(mut stream)) = timeout(PATIENCE, self.connection.accept_uni()).await {
                    let _ = stream.stop(VarInt::from_u32(7));
                }
            }
            Step::Pause(time) => tokio::time::sleep(*time).await,
            Step::Close => self.connection.close(VarInt::from_u32(9), b""),
        }
    }

    /// Reads until a frame of `kind` or an end. The kind `over` stands for the last words of either role.
    pub async fn wait(&mut self, kind: &'static str, limit: Duration) -> Answer {
        if let Some(ended) = &self.ended {
            return ended.clone();
        }
        let connection = self.connection.clone();
        let read = async {
            loop {
                match self.frames.recv().await.flatten() {
                    Some(frame) if frame["t"] == kind => return Answer::Frame(kind),
                    Some(frame) if kind == "over" && (frame["t"] == "result" || frame["t"] == "bye") => {
                        return Answer::Frame(kind);
                    }
                    Some(frame) if frame["t"] == "error" => {
                        let failure = serde_json::from_value::<Failure>(frame.clone());
                        return failure.map_or(Answer::Gone(frame.to_string()), |f| Answer::Error(f.code.number()));
                    }
                    Some(_) => {}
                    // Why the stream ended, the connection tells.
                    None => {
                        return timeout(PATIENCE, connection.closed())
                            .await
                            .map_or(Answer::Gone("end of stream".into()), |why| end_of(&why));
                    }
                }
            }
        };
        timeout(limit, read).await.unwrap_or(Answer::Silence)
    }

    /// Waits until so many bytes have been asked for; false if that does not happen.
    pub async fn is_asked_for(&mut self, bytes: u64) -> bool {
        let read = async {
            let mut asked = 0;
            while asked < bytes {
                let Some(frame) = self.frames.recv().await.flatten() else { return false };
                let spans = frame["spans"].as_array().filter(|_| frame["t"] == "want").cloned().unwrap_or_default();
                let length = |span: &Value| Some(span[1].as_u64()?.saturating_sub(span[0].as_u64()?));
                asked += spans.iter().filter_map(length).sum::<u64>();
            }
            true
        };
        timeout(6 * PATIENCE, read).await.unwrap_or(false)
    }

    async fn body(&mut self, body: &[u8]) {
        self.raw(&[&(body.len() as u32).to_le_bytes()[..], body].concat()).await;
    }

    async fn raw(&mut self, bytes: &[u8]) {
        match timeout(PATIENCE, self.send.write_all(bytes)).await {
            Ok(Ok(())) => {}
            // What it has to say about this still lies in our inbox.
            Ok(Err(_)) | Err(_) => {
                let answer = self.wait("nothing", PATIENCE).await;
                self.ended = Some(answer);
            }
        }
    }

    /// False if no more streams may be opened.
    async fn data(&mut self, bytes: &[u8], end: End) -> bool {
        let opened = timeout(Duration::from_millis(500), self.connection.open_uni()).await;
        let Ok(Ok(mut stream)) = opened else { return false };
        let _ = timeout(PATIENCE, stream.write_all(bytes)).await;
        match end {
            End::Finish => drop(stream.finish()),
            End::Reset => drop(stream.reset(VarInt::from_u32(7))),
            End::Open => self.held.push(stream),
        }
        true
    }

    async fn endless(&mut self, beginning: &[u8]) {
        let Ok(Ok(mut stream)) = timeout(PATIENCE, self.connection.open_uni()).await else { return };
        let _ = stream.write_all(beginning).await;
        let piece = vec![0x5a; 64 * 1024];
        // A gigabyte is endless enough for a stream of at most 4 MiB.
        for _ in 0..16_384 {
            if !matches!(timeout(Duration::from_secs(1), stream.write_all(&piece)).await, Ok(Ok(()))) {
                break;
            }
        }
        self.held.push(stream);
    }
}

/// Reads frame after frame; `None` at the end, or at what is no frame.
async fn read(mut stream: RecvStream, found: UnboundedSender<Option<Value>>) {
    loop {
        let mut length = [0; 4];
        let mut body = Vec::new();
        let mut frame = None;
        if stream.read_exact(&mut length).await.is_ok() {
            body.resize(u32::from_le_bytes(length) as usize, 0);
            if stream.read_exact(&mut body).await.is_ok() {
                frame = serde_json::from_slice(&body).ok();
            }
        }
        let last = frame.is_none();
        if found.send(frame).is_err() || last {
            return;
        }
    }
}

fn end_of(why: &ConnectionError) -> Answer {
    match why {
        ConnectionError::ApplicationClosed(close) => match close.error_code.into_inner().checked_sub(CLOSE_BASE) {
            Some(number) => Answer::Error(number as u16),
            None => Answer::Gone(why.to_string()),
        },
        other => Answer::Gone(other.to_string()),
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// A data stream's bytes: head, content, and values for its units.
#[must_use]
pub fn segment(offset: u64, content: &[u8], values: &[[u8; 32]]) -> Vec<u8> {
    let head = SegmentHead { offset, length: content.len() as u64 };
    [&head.encode()[..], content, &values.concat()].concat()
}
