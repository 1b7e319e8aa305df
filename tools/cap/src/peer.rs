//! `peer ask|crowd|pour|drain`: the other end of a network, for cases and figures. What goes over it is the pattern of probe-net's source.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use crate::command_line::{PeerVerb, Protocol};
use crate::exec::{Context, Failure};

/// How long the other side may be silent.
const PATIENCE: Duration = Duration::from_secs(120);

/// Bytes that one call moves.
const CHUNK: usize = 64 * 1024;

/// Carries it out.
pub fn carry_out(verb: &PeerVerb) -> Result<(), Failure> {
    match verb {
        PeerVerb::Ask { protocol: Protocol::Tcp, address, size, count } => ask_tcp(*address, *size, *count),
        PeerVerb::Ask { protocol: Protocol::Udp, address, size, count } => ask_udp(*address, *size, *count),
        PeerVerb::Crowd { address, connections, rounds } => crowd(*address, *connections, *rounds),
        PeerVerb::Pour { address, bytes } => pour(*address, *bytes),
        PeerVerb::Drain { address, bytes } => drain(*address, *bytes),
    }
}

fn pattern(from: u64, length: usize) -> Vec<u8> {
    (from..from + length as u64).map(|at| (at.wrapping_mul(31).wrapping_add(at >> 8)) as u8).collect()
}

fn connect(address: SocketAddr) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).context(address)?;
    stream.set_read_timeout(Some(PATIENCE)).context(address)?;
    stream.set_write_timeout(Some(PATIENCE)).context(address)?;
    stream.set_nodelay(true).context(address)?;
    Ok(stream)
}

fn same(sent: &[u8], came: &[u8], at: u64) -> Result<(), Failure> {
    if sent == came { Ok(()) } else { Err(Failure::new(format!("number {at} came back as something else"))) }
}

fn ask_tcp(address: SocketAddr, size: usize, count: u64) -> Result<(), Failure> {
    let mut stream = connect(address)?;
    let mut came = vec![0; size];
    for n in 0..count {
        let sent = pattern(n, size);
        stream.write_all(&sent).context("to ask")?;
        stream.read_exact(&mut came).context("an answer")?;
        same(&sent, &came, n)?;
    }
    Ok(())
}

fn ask_udp(address: SocketAddr, size: usize, count: u64) -> Result<(), Failure> {
    let any: SocketAddr = if address.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).context("a port")?;
    socket.set_read_timeout(Some(PATIENCE)).context("a port")?;
    socket.connect(address).context(address)?;
    let mut came = vec![0; size + 1];
    for n in 0..count {
        let sent = pattern(n, size);
        socket.send(&sent).context("to ask")?;
        let length = socket.recv(&mut came).context("an answer")?;
        same(&sent, came.get(..length).unwrap_or_default(), n)?;
    }
    Ok(())
}

/// Bytes of a question of one of many.
const SHORT: usize = 48;

/// Asks on all connections, and only then awaits the answers: each has its own question.
fn crowd(address: SocketAddr, connections: usize, rounds: u64) -> Result<(), Failure> {
    let mut streams = Vec::new();
    for n in 0..connections {
        streams.push(connect(address).map_err(|error| Failure::new(format!("connection {n}: {error}")))?);
    }
    let mut came = [0; SHORT];
    for round in 0..rounds {
        let number = |n: usize| round * connections as u64 + n as u64;
        for (n, stream) in streams.iter_mut().enumerate() {
            stream.write_all(&pattern(number(n), SHORT)).context(format!("round {round}, to ask on {n}"))?;
        }
        for (n, stream) in streams.iter_mut().enumerate() {
            stream.read_exact(&mut came).context(format!("round {round}, an answer on {n}"))?;
            same(&pattern(number(n), SHORT), &came, number(n))?;
        }
    }
    Ok(())
}

/// Sends so many bytes, says that this is all, and waits until the other side says the same.
fn pour(address: SocketAddr, bytes: u64) -> Result<(), Failure> {
    let mut stream = connect(address)?;
    let mut at = 0;
    while at < bytes {
        let length = (bytes - at).min(CHUNK as u64) as usize;
        stream.write_all(&pattern(at, length)).context("to send")?;
        at += length as u64;
    }
    stream.shutdown(std::net::Shutdown::Write).context("to end")?;
    match stream.read(&mut [0]).context("the end")? {
        0 => Ok(()),
        _ => Err(Failure::new("something came where nothing was asked")),
    }
}

/// Asks for so many bytes, and looks at them.
fn drain(address: SocketAddr, bytes: u64) -> Result<(), Failure> {
    let mut stream = connect(address)?;
    stream.write_all(format!("{bytes}\n").as_bytes()).context("to ask")?;
    let (mut at, mut came) = (0, vec![0; CHUNK]);
    loop {
        let length = stream.read(&mut came).context("bytes")?;
        if length == 0 {
            break;
        }
        same(&pattern(at, length), came.get(..length).unwrap_or_default(), at)?;
        at += length as u64;
    }
    if at == bytes { Ok(()) } else { Err(Failure::new(format!("{at} bytes came instead of {bytes}"))) }
}

#[cfg(test)]
mod tests {
    use super::{ask_tcp, crowd, drain, pattern, pour};
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::thread;

    /// An address at which that is done with one connection.
    fn serve(work: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || work(listener.accept().unwrap().0));
        address
    }

    #[test]
    fn what_comes_back_changed_is_seen() {
        let echo = |change: u8| {
            serve(move |mut stream| {
                let mut bytes = [0; 4];
                while stream.read_exact(&mut bytes).is_ok() {
                    bytes[3] ^= change;
                    stream.write_all(&bytes).unwrap();
                }
            })
        };
        assert!(ask_tcp(echo(0), 4, 10).is_ok());
        assert!(ask_tcp(echo(1), 4, 10).is_err());
    }

    #[test]
    fn an_answer_to_somebody_else_is_seen() {
        let swapping = |swap: bool| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            thread::spawn(move || {
                let (mut a, mut b) = (listener.accept().unwrap().0, listener.accept().unwrap().0);
                let (mut first, mut second) = ([0; super::SHORT], [0; super::SHORT]);
                while a.read_exact(&mut first).and_then(|()| b.read_exact(&mut second)).is_ok() {
                    let (to_a, to_b) = if swap { (second, first) } else { (first, second) };
                    a.write_all(&to_a).and_then(|()| b.write_all(&to_b)).unwrap();
                }
            });
            address
        };
        assert!(crowd(swapping(false), 2, 5).is_ok());
        assert!(crowd(swapping(true), 2, 5).is_err());
    }

    #[test]
    fn bytes_that_are_missing_or_wrong_are_seen() {
        let source = |length: usize, wrong: usize| {
            serve(move |mut stream| {
                stream.read_exact(&mut [0; 4]).unwrap();
                let mut bytes = pattern(0, length);
                bytes[wrong] ^= u8::from(wrong > 0);
                stream.write_all(&bytes).unwrap();
            })
        };
        assert!(drain(source(500, 0), 500).is_ok());
        assert!(drain(source(499, 0), 500).is_err());
        assert!(drain(source(500, 77), 500).is_err());
        let sink = serve(|mut stream| _ = stream.read_to_end(&mut Vec::new()));
        assert!(pour(sink, 100_000).is_ok());
    }
}
