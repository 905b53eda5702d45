use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json};
use axum::routing::get;
use jiff::Timestamp;
use kube::{Client, Config};
use runtime::kube::lease::{Election, Identity, Sharing};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{ExplainError, ask_at, ask_through_api, table};
use crate::decide::Rule;
use crate::explain::{Sources, routes};
use crate::gate::Passage;
use crate::history::tests::account;
use crate::history::{Account, Histories, Line};
use crate::id::RevisionId;

fn hello() -> RevisionId {
    RevisionId::new("ns", "hello")
}

fn histories() -> Histories {
    let (histories, id) = (Histories::default(), hello());
    let at = |second| Timestamp::from_second(second).unwrap();
    let sudden = Account {
        written: Some(1),
        rule: Rule::PanicLoad,
        panicking: true,
        load: None,
        ..account(1, 42.0)
    };
    let ending = Account {
        passage: Some(Passage::WindowOpen),
        ..account(0, 0.0)
    };
    histories.add(&id, sudden, at(0));
    histories.add(&id, account(1, 7.125), at(2));
    histories.add(&id, account(1, 8.0), at(64));
    histories.add(&id, ending, at(66));
    histories
}

async fn served(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// The page of an autoscaler that knows `histories`.
fn page() -> Router {
    let identity = Identity::of_address("autoscaler-7d-a", "127.0.0.1");
    routes(Sources {
        histories: Arc::new(histories()),
        share: Election::new(identity, Sharing::Sticky).enter("autoscaler-bucket-"),
        own: "127.0.0.1".parse().unwrap(),
    })
}

#[tokio::test]
async fn the_command_draws_what_the_page_tells() {
    let address = served(page()).await.to_string();
    let json = ask_at(&address, &hello()).await.unwrap().unwrap();
    let expected = "\
SINCE                LAST      TIMES  READY  STABLE  PANIC  TARGET  WANTED  WRITTEN  BECAUSE
1970-01-01 00:00:00  00:00:00  1      1/1    -       -      70.00   1       1        sudden load / target; in panic
1970-01-01 00:00:02  00:01:04  2      1/1    8.00    8.00   70.00   1       -        steady load / target
1970-01-01 00:01:06  00:01:06  1      1/1    0.00    0.00   70.00   0       -        steady load / target; one stays, active for less than a window
";
    assert_eq!(
        table(&serde_json::from_str::<Vec<Line>>(&json).unwrap()),
        expected
    );
    let unknown = ask_at(&address, &RevisionId::new("ns", "other")).await;
    assert_eq!(unknown.unwrap(), None);
}

#[tokio::test]
async fn an_autoscaler_that_is_away_is_named_with_the_next_command() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let told = ask_at(&address, &hello()).await.unwrap_err().to_string();
    assert_eq!(
        told,
        format!(
            "the autoscaler at {address} does not answer; \
             see: kubectl get pods -A -l app=autoscaler"
        )
    );
}

fn pod(name: &str, phase: &str, ready: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]},
    })
}

/// An API server with pods of the autoscaler: those called `deaf` can't be reached, those called `new`
/// know nothing yet.
async fn api(pods: Vec<Value>) -> Client {
    let list = json!({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": pods});
    let asked = async |Path((pod, rest)): Path<(String, String)>| {
        let right = pod.ends_with(":8090") && rest == "explain/ns/hello";
        if pod.starts_with("deaf") {
            StatusCode::BAD_GATEWAY.into_response()
        } else if pod.starts_with("new") || !right {
            StatusCode::NOT_FOUND.into_response()
        } else {
            Json(histories().of(&hello())).into_response()
        }
    };
    let pods = "/api/v1/namespaces/knative-serving/pods";
    let app = Router::new()
        .route(pods, get(async move || Json(list)))
        .route(&format!("{pods}/{{pod}}/proxy/{{*rest}}"), get(asked));
    let uri = format!("http://{}", served(app).await).parse().unwrap();
    Client::try_from(Config::new(uri)).unwrap()
}

async fn asked(pods: Vec<Value>) -> Result<Option<String>, ExplainError> {
    ask_through_api(&api(pods).await, "knative-serving", &hello()).await
}

#[tokio::test]
async fn the_first_replica_that_has_something_to_tell_is_heard() {
    let pods = vec![
        pod("deaf", "Running", "True"),
        pod("ended", "Failed", "False"),
        pod("new", "Running", "True"),
        pod("knowing", "Running", "False"),
    ];
    let json = asked(pods).await.unwrap().unwrap();
    assert!(json.contains("panic-load"), "{json}");
}

#[tokio::test]
async fn a_replica_that_knows_nothing_says_more_than_one_that_is_silent() {
    for pods in [["deaf", "new"], ["new", "deaf"]] {
        let pods = pods.map(|name| pod(name, "Running", "True")).to_vec();
        assert_eq!(asked(pods).await.unwrap(), None);
    }
    let error = asked(vec![pod("deaf", "Running", "True")]).await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "no autoscaler answers, pod knative-serving/deaf the last; \
         see: kubectl -n knative-serving describe pod deaf"
    );
    let none = asked(vec![pod("ended", "Failed", "False")]).await;
    assert_eq!(
        none.unwrap_err().to_string(),
        "no autoscaler runs in namespace knative-serving; \
         see: kubectl -n knative-serving get deployments,pods -l app=autoscaler"
    );
}
