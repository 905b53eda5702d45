//! AdmissionReview of `admission.k8s.io`: the question and the answer on the wire.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use json_patch::Patch;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A denial names every fault; no person reads more of them.
const LONGEST_TEXT: usize = 32 << 10;

/// What the API server sends.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Question {
    #[serde(default)]
    pub(crate) api_version: String,
    pub(crate) request: Request,
}

/// One object that somebody wants to write.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Request {
    pub(crate) uid: String,
    pub(crate) kind: GroupVersionKind,
    pub(crate) sub_resource: Option<String>,
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) operation: Operation,
    pub(crate) user_info: UserInfo,
    pub(crate) object: Option<Value>,
    pub(crate) old_object: Option<Value>,
    pub(crate) dry_run: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct GroupVersionKind {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) kind: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct UserInfo {
    pub(crate) username: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
    #[default]
    #[serde(other)]
    Other,
}

impl Request {
    /// Whether the object is written, and not only looked at or deleted.
    pub(crate) fn writes(&self) -> bool {
        matches!(self.operation, Operation::Create | Operation::Update)
    }

    /// Whether only the status is written.
    pub(crate) fn status_only(&self) -> bool {
        self.sub_resource.as_deref() == Some("status")
    }
}

/// What we make of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// It may be written, after `patch`; the author reads `warnings`.
    Allowed { patch: Patch, warnings: Vec<String> },
    /// It may not.
    Denied {
        reason: String,
        warnings: Vec<String>,
    },
}

impl Verdict {
    /// It may be written as it is.
    pub(crate) fn allowed() -> Self {
        Self::Allowed {
            patch: Patch::default(),
            warnings: Vec::new(),
        }
    }

    /// It may not be written: `reason`.
    pub(crate) fn denied(reason: impl Into<String>) -> Self {
        Self::Denied {
            reason: reason.into(),
            warnings: Vec::new(),
        }
    }
}

/// What the API server gets back.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    api_version: String,
    kind: &'static str,
    response: Value,
}

impl Answer {
    /// The answer to the question with that version and uid.
    pub(crate) fn new(api_version: &str, uid: &str, verdict: Verdict) -> Self {
        let (mut response, warnings) = match verdict {
            Verdict::Allowed { patch, warnings } => (allowed(uid, &patch), warnings),
            Verdict::Denied { reason, warnings } => (denied(uid, &reason), warnings),
        };
        // The API server drops a warning that has a line break.
        let warnings: Vec<&str> = warnings.iter().flat_map(|text| text.lines()).collect();
        if !warnings.is_empty() {
            response["warnings"] = json!(warnings);
        }
        Self {
            api_version: api_version.to_owned(),
            kind: "AdmissionReview",
            response,
        }
    }
}

fn allowed(uid: &str, patch: &Patch) -> Value {
    let mut response = json!({ "uid": uid, "allowed": true });
    if !patch.is_empty() {
        let bytes = serde_json::to_vec(patch).unwrap_or_default();
        response["patchType"] = json!("JSONPatch");
        response["patch"] = json!(STANDARD.encode(bytes));
    }
    response
}

/// Who makes ten thousand mistakes reads the first ones only.
fn shortened(text: &str) -> String {
    let end = text.floor_char_boundary(LONGEST_TEXT);
    match text.len() - end {
        0 => text.to_owned(),
        left => format!("{} ... ({left} bytes left out)", &text[..end]),
    }
}

fn denied(uid: &str, reason: &str) -> Value {
    json!({
        "uid": uid,
        "allowed": false,
        "status": {
            "status": "Failure",
            "code": 400,
            "reason": "BadRequest",
            "message": shortened(reason),
        },
    })
}
