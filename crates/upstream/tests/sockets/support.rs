//! A small DNS server on loopback that does what a test tells it to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use upstream::{Answered, Failure, Query, Settings, Transport, Upstreams};
use wire::{Class, Flags, NameBuf, Opcode, RecordType};

/// A question that has reached the server.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) over: Transport,
    /// The asker's address: one for each connection.
    pub(crate) peer: SocketAddr,
    /// How many questions came before.
    pub(crate) number: usize,
    pub(crate) message: Vec<u8>,
}

/// What the server does about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reaction {
    send: Vec<Vec<u8>>,
    /// Sent when the test says so.
    hold: Vec<Vec<u8>>,
    /// Ends the TCP connection afterwards.
    close: bool,
}

impl Reaction {
    pub(crate) fn silence() -> Self {
        Self::default()
    }

    pub(crate) fn send(messages: impl Into<Vec<Vec<u8>>>) -> Self {
        Self { send: messages.into(), ..Self::default() }
    }

    /// Until [`Server::release`].
    pub(crate) fn hold(message: Vec<u8>) -> Self {
        Self { hold: vec![message], ..Self::default() }
    }

    pub(crate) fn close() -> Self {
        Self { close: true, ..Self::default() }
    }

    pub(crate) fn and_close(self) -> Self {
        Self { close: true, ..self }
    }
}

type Script = Arc<dyn Fn(&Asked) -> Reaction + Send + Sync>;

/// A server that listens on UDP and TCP until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

struct State {
    script: Script,
    asked: Mutex<Vec<Asked>>,
    connections: Mutex<usize>,
    held: Mutex<Vec<(Outlet, Vec<u8>)>>,
}

/// The way back to an asker.
#[derive(Clone)]
enum Outlet {
    Udp(Arc<UdpSocket>, SocketAddr),
    Tcp(mpsc::UnboundedSender<Option<Vec<u8>>>),
}

impl Server {
    pub(crate) async fn start(script: impl Fn(&Asked) -> Reaction + Send + Sync + 'static) -> Self {
        loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                return Self::on(udp, tcp, script);
            }
        }
    }

    /// On an address that was free a moment ago.
    pub(crate) async fn start_at(
        address: SocketAddr,
        script: impl Fn(&Asked) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        let udp = UdpSocket::bind(address).await.unwrap();
        Self::on(udp, TcpListener::bind(address).await.unwrap(), script)
    }

    fn on(
        udp: UdpSocket,
        tcp: TcpListener,
        script: impl Fn(&Asked) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        let address = udp.local_addr().unwrap();
        let state = Arc::new(State {
            script: Arc::new(script),
            asked: Mutex::default(),
            connections: Mutex::default(),
            held: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(udp, state.clone()));
        tasks.spawn(serve_tcp(tcp, state.clone()));
        Self { address, state, _tasks: tasks }
    }

    pub(crate) async fn answering() -> Self {
        Self::start(|asked| Reaction::send([answer(&asked.message)])).await
    }

    pub(crate) async fn silent() -> Self {
        Self::start(|_| Reaction::silence()).await
    }

    /// The questions until now.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().unwrap().clone()
    }

    /// How many they are.
    pub(crate) fn asked_count(&self) -> usize {
        self.state.asked.lock().unwrap().len()
    }

    /// Sends what was held.
    pub(crate) async fn release(&self) {
        let held = std::mem::take(&mut *self.state.held.lock().unwrap());
        for (outlet, message) in held {
            outlet.send(message).await;
        }
    }

    /// TCP connections until now.
    pub(crate) fn connections(&self) -> usize {
        *self.state.connections.lock().unwrap()
    }
}

impl State {
    /// Reacts to a message; false if the connection is to end.
    async fn react(
        &self,
        over: Transport,
        peer: SocketAddr,
        message: &[u8],
        back: &Outlet,
    ) -> bool {
        let asked = {
            let mut all = self.asked.lock().unwrap();
            let asked = Asked { over, peer, number: all.len(), message: message.to_vec() };
            all.push(asked.clone());
            asked
        };
        let Reaction { send, hold, close } = (self.script)(&asked);
        for message in send {
            back.send(message).await;
        }
        let hold = hold.into_iter().map(|message| (back.clone(), message));
        self.held.lock().unwrap().extend(hold);
        !close
    }
}

impl Outlet {
    async fn send(&self, message: Vec<u8>) {
        match self {
            Self::Udp(socket, peer) => drop(socket.send_to(&message, peer).await),
            // An asker may have gone away.
            Self::Tcp(queue) => drop(queue.send(Some(message))),
        }
    }
}

async fn serve_udp(socket: UdpSocket, state: Arc<State>) {
    let socket = Arc::new(socket);
    let mut buffer = vec![0; 65_535];
    loop {
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else { continue };
        let back = Outlet::Udp(socket.clone(), peer);
        state.react(Transport::Udp, peer, &buffer[..length], &back).await;
    }
}

async fn serve_tcp(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = listener.accept().await.unwrap();
        *state.connections.lock().unwrap() += 1;
        connections.spawn(serve_connection(stream, peer, state.clone()));
    }
}

async fn serve_connection(stream: TcpStream, peer: SocketAddr, state: Arc<State>) {
    let (mut reader, mut writer) = stream.into_split();
    let (queue, mut out) = mpsc::unbounded_channel();
    let read = async {
        while let Ok(length) = reader.read_u16().await {
            let mut message = vec![0; length as usize];
            reader.read_exact(&mut message).await.unwrap();
            if !state.react(Transport::Tcp, peer, &message, &Outlet::Tcp(queue.clone())).await {
                // What was sent before the end must still be written.
                let _ = queue.send(None);
                return std::future::pending().await;
            }
        }
    };
    let write = async {
        while let Some(Some(message)) = out.recv().await {
            let mut framed = (message.len() as u16).to_be_bytes().to_vec();
            framed.extend(message);
            if writer.write_all(&framed).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = read => {}
        () = write => {}
    }
}

/// Header and question of a query as those of a response, without its OPT record.
pub(crate) fn response(query: &[u8], rcode: u8) -> Vec<u8> {
    let mut end = 12;
    while query[end] != 0 {
        end += 1 + query[end] as usize;
    }
    let mut message = query[..end + 5].to_vec();
    message[2] |= 0x80;
    message[3] = 0x80 | rcode;
    message[6..12].fill(0);
    message
}

/// The address 10.9.8.7 for a minute, whatever was asked.
pub(crate) fn answer(query: &[u8]) -> Vec<u8> {
    address_records(query, &[[10, 9, 8, 7]], 60)
}

/// A response with A records.
pub(crate) fn address_records(query: &[u8], addresses: &[[u8; 4]], ttl: u32) -> Vec<u8> {
    let mut message = response(query, 0);
    message[7] = addresses.len() as u8;
    for address in addresses {
        message.extend([0xc0, 12, 0, 1, 0, 1]);
        message.extend(ttl.to_be_bytes());
        message.extend([0, 4]);
        message.extend(address);
    }
    message
}

/// The response with the TC bit.
pub(crate) fn truncated(query: &[u8]) -> Vec<u8> {
    let mut message = response(query, 0);
    message[2] |= 2;
    message
}

/// The type that a query asks for.
pub(crate) fn rtype(query: &[u8]) -> RecordType {
    let end = response(query, 0).len();
    RecordType(u16::from_be_bytes([query[end - 4], query[end - 3]]))
}

pub(crate) fn name(text: &str) -> NameBuf {
    text.parse().unwrap()
}

pub(crate) fn query(name: &NameBuf, over: Transport) -> Query<'_> {
    let name = name.as_name();
    Query {
        name,
        rtype: RecordType::A,
        class: Class::IN,
        opcode: Opcode::QUERY,
        flags: Flags::RD,
        edns: None,
        over,
    }
}

pub(crate) fn upstreams(
    servers: impl IntoIterator<Item = SocketAddr>,
    settings: Settings,
) -> Arc<Upstreams> {
    Arc::new(Upstreams::new(servers, settings, Handle::current()))
}

/// Settings under which tests need not wait for long.
pub(crate) fn quick() -> Settings {
    Settings { read_timeout: Duration::from_millis(150), ..Settings::default() }
}

pub(crate) async fn ask(
    upstreams: &Upstreams,
    text: &str,
    over: Transport,
) -> Result<Answered, Failure> {
    upstreams.ask(query(&name(text), over)).await
}

/// Lets time pass at once.
pub(crate) async fn skip(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// Waits for something that another task brings about.
#[expect(clippy::disallowed_methods, reason = "real time, also where a test has stopped tokio's")]
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(20), "in vain waited until {what}");
        tokio::task::yield_now().await;
    }
}
