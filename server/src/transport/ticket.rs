//! Tickets for carriers that cannot send a body: a browser's `EventSource`.
//!
//! Spec: 02-carriers, "Tickets"; 09-security, "Tickets".

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse};
use bowline_protocol::{Close, CloseCode, Packet, Ticket, Token};
use bytes::{Bytes, BytesMut};

use super::handshake::Handshake;
use super::lines::write_control;
use super::{edge, opening, relayed, sse};
use crate::cluster::{Place, Subject};
use crate::node::Node;
use crate::random::random;
use crate::session::{Greeting, PendingTicket};
use bowline_protocol::Transport;

/// Issues a ticket for the attachment in the first line. A session has one ticket at most: a newer
/// one replaces the older.
pub(super) fn issue(
    node: &Arc<Node>,
    handshake: Option<Handshake>,
    first: Packet,
) -> Result<HttpResponse, Close> {
    let speaker = opening::speaker(node, first, handshake)?;
    let session = &speaker.session;
    let ticket = Ticket { session: session.id, token: Token::from_bytes(random()) };
    let mut text = BytesMut::new();
    session.with(|state, now| {
        // The server would refuse it when it is used, and it would have replaced a valid one.
        let admitted = state.core.admit(&speaker.attachment);
        admitted.map_err(|error| state.refuse(error, now).close())?;
        state.ticket = Some(Box::new(PendingTicket {
            token: ticket.token,
            attachment: speaker.attachment,
            expires: now + LIFETIME,
        }));
        let mut welcome = session.welcome(state, speaker.is_open);
        // The stream will continue at the position of its client, not at that of the carrier that
        // serves meanwhile.
        welcome.next = speaker.attachment.peer_received.max(state.core.confirmed()) + 1;
        write_control(&Packet::Welcome(Box::new(welcome)), &mut text);
        Ok::<_, Close>(())
    })?;
    write_control(&Packet::Ticket(ticket), &mut text);
    Ok(edge::plain(&mut HttpResponse::Ok()).body(text.freeze()))
}

/// Starts the stream of a ticket.
pub(super) async fn redeem(node: &Arc<Node>, request: &HttpRequest) -> Result<HttpResponse, Close> {
    sse::check_version(request)?;
    let query = request.query_string();
    let address = node.config.proxies.client(request.head()).address;
    let session = parse(query).ok().map(|ticket| ticket.session);
    let search = session.and_then(|session| node.search_session(session).zip(Some(session)));
    if let Some((search, session)) = search
        && let Place::There(owner) = search.await?
    {
        let (subject, body) =
            (Subject::session(session, address), Bytes::copy_from_slice(query.as_bytes()));
        let answer = relayed::forward(node, owner, subject, relayed::REDEEM, &body).await?;
        if let Some(response) = answer {
            return Ok(response);
        }
    }
    redeem_here(node, query, address)
}

/// Starts the stream of a session that is on this node.
pub(super) fn redeem_here(
    node: &Arc<Node>,
    query: &str,
    address: Option<IpAddr>,
) -> Result<HttpResponse, Close> {
    if node.is_draining() {
        return Err(node.drain_close());
    }
    let ticket = parse(query)?;
    let session = node.registry.get(&ticket.session).ok_or_else(refused)?;
    let pending = session.with(|state, now| {
        let fits = |pending: &mut Box<PendingTicket>| {
            pending.token == ticket.token && now < pending.expires
        };
        state.ticket.take_if(fits)
    });
    let attachment = pending.ok_or_else(refused)?.attachment;
    let greeting = Greeting::Welcome { with_secret: false };
    let downlink =
        session.attach(attachment, Transport::Sse, greeting).map_err(|error| error.close())?;
    Ok(sse::stream(downlink.report(address)))
}

fn parse(query: &str) -> Result<Ticket, Close> {
    let value = query.strip_prefix("ticket=").ok_or_else(refused)?;
    value.parse().map_err(|_| refused())
}

fn refused() -> Close {
    Close::new(CloseCode::TICKET_REFUSED)
}

/// How long a ticket is valid.
const LIFETIME: Duration = Duration::from_secs(30);
