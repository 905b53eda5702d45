use super::{of_spec, of_template};
use crate::defaulting::canonical;
use crate::revision::{RevisionSpec, RevisionTemplate};

const BASE: &str = "image: a/b, name: c, args: [x, y], env: [{name: A, value: '1'}, {name: B}], ports: [{containerPort: 80}], resources: {limits: {cpu: 100m}}, livenessProbe: {httpGet: {port: 80}}, volumeMounts: [{name: v, mountPath: /v}]";

/// What a change of one text of the container makes of it, below its path.
fn changed(from: &str, to: &str) -> String {
    let spec = |container: &str| -> RevisionSpec {
        let yaml = format!("{{containers: [{{{container}}}], containerConcurrency: 5}}");
        serde_yaml::from_str(&yaml).unwrap()
    };
    let (old, new) = (spec(BASE), spec(&BASE.replace(from, to)));
    let changes = of_spec(&canonical::spec(&old), &canonical::spec(&new));
    let text = changes.unwrap_or_default();
    text.replace("{v1.RevisionSpec}.PodSpec.Containers[0].", "")
}

#[test]
fn each_value_is_told_with_its_path() {
    for (from, to, expect) in [
        ("a/b", "a/b", ""),
        ("a/b", "a/c", "Image:\n\t-: \"a/b\"\n\t+: \"a/c\"\n"),
        ("x, y", "x, z", "Args[1]:\n\t-: \"y\"\n\t+: \"z\"\n"),
        ("x, y", "x", "Args[1->?]:\n\t-: \"y\"\n"),
        ("x, y", "x, y, z", "Args[?->2]:\n\t+: \"z\"\n"),
        ("args: [x, y], ", "", "Args:\n\t-: \"[x y]\"\n\t+: \"[]\"\n"),
        (
            "value: '1'",
            "value: '2'",
            "Env[0].Value:\n\t-: \"1\"\n\t+: \"2\"\n",
        ),
        (
            ", {name: B}",
            "",
            "Env[1->?]:\n\t-: v1.EnvVar: \"{Name:B Value: ValueFrom:nil}\"\n",
        ),
        (
            "{name: B}",
            "{name: B}, {name: C}",
            "Env[?->2]:\n\t+: v1.EnvVar: \"{Name:C Value: ValueFrom:nil}\"\n",
        ),
        (
            "name: c",
            "name: c, securityContext: {runAsUser: 0}",
            "SecurityContext:\n\t-: \"nil\"\n\t+: \"{RunAsUser:0}\"\n",
        ),
        (
            "containerPort: 80",
            "containerPort: 80, name: h2c",
            "Ports[0].Name:\n\t-: \"\"\n\t+: \"h2c\"\n",
        ),
        (
            "httpGet: {port: 80}",
            "httpGet: {port: 81}",
            "LivenessProbe.ProbeHandler.HTTPGet.Port.IntVal:\n\t-: \"80\"\n\t+: \"81\"\n",
        ),
        (
            "100m",
            "200m",
            "Resources.Limits[\"cpu\"]:\n\t-: \"100m\"\n\t+: \"200m\"\n",
        ),
        ("100m", "0.1", ""),
        (
            "mountPath: /v",
            "mountPath: /v, readOnly: true",
            "VolumeMounts[0].ReadOnly:\n\t-: \"false\"\n\t+: \"true\"\n",
        ),
    ] {
        assert_eq!(changed(from, to), expect, "{from} to {to}");
    }
}

#[test]
fn changes_are_told_in_the_order_of_the_type() {
    let text = changed(
        "name: c",
        "name: d, workingDir: /w, imagePullPolicy: Always",
    );
    let paths: Vec<&str> = text.lines().filter(|line| line.ends_with(':')).collect();
    assert_eq!(paths, ["Name:", "WorkingDir:", "ImagePullPolicy:"]);
}

#[test]
fn numbers_that_can_be_absent_are_told_so() {
    let spec = |yaml: &str| -> RevisionSpec { serde_yaml::from_str(yaml).unwrap() };
    let none = spec("{containers: []}");
    let five = spec("{containers: [], containerConcurrency: 5}");
    let six = spec("{containers: [], containerConcurrency: 6}");
    assert_eq!(
        of_spec(&none, &five).as_deref(),
        Some("{v1.RevisionSpec}.ContainerConcurrency:\n\t-: \"<nil>\"\n\t+: \"5\"\n")
    );
    assert_eq!(
        of_spec(&five, &six).as_deref(),
        Some("*{v1.RevisionSpec}.ContainerConcurrency:\n\t-: \"5\"\n\t+: \"6\"\n")
    );
}

#[test]
fn metadata_of_a_template_counts() {
    let template = |annotations: &str| -> RevisionTemplate {
        let yaml = format!(
            "{{metadata: {{name: s-1, annotations: {{{annotations}}}}}, spec: {{containers: []}}}}"
        );
        serde_yaml::from_str(&yaml).unwrap()
    };
    let root = "{*v1.RevisionTemplateSpec}.ObjectMeta.Annotations";
    for (old, new, expect) in [
        (
            "a: b",
            "a: c",
            format!("{root}[\"a\"]:\n\t-: \"b\"\n\t+: \"c\"\n"),
        ),
        (
            "a: b",
            "a: b, d: e",
            format!("{root}[\"d\"]:\n\t+: \"e\"\n"),
        ),
        (
            "a: b, d: e",
            "d: e",
            format!("{root}[\"a\"]:\n\t-: \"b\"\n"),
        ),
        (
            "",
            "a: b",
            format!("{root}:\n\t-: \"map[]\"\n\t+: \"map[a:b]\"\n"),
        ),
    ] {
        let (old, new) = (template(old), template(new));
        let changes = of_template(&canonical::template(&old), &canonical::template(&new));
        assert_eq!(changes, Some(expect));
    }
}
