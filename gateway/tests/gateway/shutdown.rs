//! The end: no new calls, the ones in flight finish, and no record is lost.

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::canned::{DONE, chat_content, chat_finish};
use crate::support::{Harness, Reply, ask, ask_streamed, canned, millis, patiently, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_under_load_loses_no_record() {
    let weir = Harness::start().await;
    let mut callers = JoinSet::new();
    for number in 0..16_u32 {
        let (address, key) = (weir.data_address(), weir.api_key().to_owned());
        callers.spawn(async move { load(address, &key, number % 2 == 0).await });
    }
    let halfway = async || (weir.app().recorder.counts().filed >= 200).then_some(());
    until("some load", halfway).await;

    let stopped = weir.stop().await;

    let answered: u64 = patiently("the callers", callers.join_all()).await.iter().sum();
    assert_eq!(stopped.dropped, 0);
    assert!(
        stopped.written >= stopped.provider.calls() as u64,
        "what reached the provider must be on record"
    );
    assert!(stopped.written >= answered, "{answered} calls were answered, {} recorded", stopped.written);
    let weir = stopped.start_again().await;
    let kept = count(&weir).await;
    assert!(kept >= answered, "{answered} calls were answered, {kept} are kept");
}

/// Calls until it is turned away, and says how many calls were answered whole.
async fn load(address: std::net::SocketAddr, key: &str, stream: bool) -> u64 {
    let mut answered = 0;
    let body = if stream { ask_streamed() } else { ask() };
    while TcpStream::connect(address).await.is_ok() {
        let call = crate::support::Call::new(address, "POST", "/v1/chat/completions").key(key).json(&body);
        let Some(status) = call.try_send().await else { continue };
        answered += u64::from(status == 200);
    }
    answered
}

/// How many calls the admin API lists in all.
async fn count(weir: &Harness) -> u64 {
    let (mut total, mut cursor) = (0, String::new());
    loop {
        let page: Value = weir.admin("GET", &format!("/calls?limit=100{cursor}")).send().await.json();
        total += page["data"].as_array().unwrap().len() as u64;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return total,
        }
    }
}

#[tokio::test]
async fn a_call_in_flight_is_answered_before_the_end() {
    let weir = Harness::start().await;
    let (reply, hold) = Reply::json(&canned::chat("gpt-4o-mini")).held();
    weir.provider.will(reply);
    let call = weir.call("POST", "/v1/chat/completions").json(&ask());
    let waiting = tokio::spawn(async move { call.send().await });
    weir.provider.arrived(1).await;
    let address = weir.data_address();

    let stopping = tokio::spawn(weir.stop());
    closed(address).await;
    hold.release();

    let answer = waiting.await.unwrap();
    assert_eq!(answer.text(), canned::chat("gpt-4o-mini").to_string());
    let stopped = patiently("the end", stopping).await.unwrap();
    assert_eq!((stopped.written, stopped.dropped), (1, 0));
}

#[tokio::test]
async fn a_stream_in_flight_comes_to_its_end() {
    let weir = Harness::start().await;
    let (reply, feed) = Reply::fed();
    weir.provider.will(reply);
    feed.send(&chat_content("Hel")).await;
    let mut stream = weir.stream(&ask_streamed()).await;
    stream.event().await.unwrap();
    let id = stream.header("weir-call-id").to_owned();
    let address = weir.data_address();

    let stopping = tokio::spawn(weir.stop());
    closed(address).await;
    for event in [chat_content("lo"), chat_finish(), DONE.to_owned()] {
        feed.send(&event).await;
    }

    assert_eq!(stream.rest().await, [chat_content("lo"), chat_finish(), DONE.to_owned()]);
    let stopped = patiently("the end", stopping).await.unwrap();
    let weir = stopped.start_again().await;
    assert_eq!(weir.record(&id).await["outcome"], "ok");
}

/// Waits until nobody listens at `address` any more.
async fn closed(address: std::net::SocketAddr) {
    until("the listener to close", async || TcpStream::connect(address).await.is_err().then_some(())).await;
}

#[tokio::test]
async fn a_call_that_outlives_the_grace_is_cut_and_recorded() {
    let weir = Harness::with(|config| config.server.shutdown_grace = millis(150)).await;
    let (reply, _hold) = Reply::never();
    weir.provider.will(reply);
    let call = weir.call("POST", "/v1/chat/completions").json(&ask());
    let waiting = tokio::spawn(async move { call.try_send().await });
    weir.provider.arrived(1).await;

    let stopped = patiently("the end", weir.stop()).await;

    assert_eq!((stopped.written, stopped.dropped), (1, 0), "the call that was cut must be on record");
    drop(waiting);
}

#[tokio::test]
async fn idle_connections_do_not_delay_the_end() {
    let weir = Harness::start().await;
    let mut idle = weir.raw().await;
    idle.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    idle.read_until("}").await;
    let silent = weir.raw().await;

    patiently("the end", weir.stop()).await;

    drop((idle, silent));
}

#[tokio::test]
async fn an_open_connection_gets_its_call_answered_and_is_then_closed() {
    let weir = Harness::start().await;
    let (reply, hold) = Reply::json(&canned::chat("gpt-4o-mini")).held();
    weir.provider.will(reply);
    let mut raw = weir.raw().await;
    let (key, body) = (weir.api_key(), ask().to_string());
    raw.send(&format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await;
    weir.provider.arrived(1).await;
    let address = weir.data_address();

    let stopping = tokio::spawn(weir.stop());
    closed(address).await;
    hold.release();

    let answer = raw.until_closed().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with('}'), "{answer}");
    patiently("the end", stopping).await.unwrap();
}
