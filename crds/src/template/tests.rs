use std::collections::BTreeMap;

use super::{Context, LONGEST, Template, TemplateError};

fn try_render(source: &str) -> Result<String, TemplateError> {
    let labels = BTreeMap::from([
        ("app".to_owned(), "shop".to_owned()),
        ("a.b/c".to_owned(), "slash".to_owned()),
    ]);
    let annotations = BTreeMap::new();
    let context = Context {
        fields: BTreeMap::from([
            ("Name", "n"),
            ("Namespace", "project-dev"),
            ("Domain", "d.io"),
        ]),
        maps: BTreeMap::from([("Labels", &labels), ("Annotations", &annotations)]),
    };
    Template::parse(source)?.render(&context)
}

fn check(cases: &[(&str, &str)]) {
    for (source, expect) in cases {
        assert_eq!(try_render(source).as_deref(), Ok(*expect), "{source}");
    }
}

#[test]
fn fields_and_map_entries_are_filled_in() {
    check(&[
        ("{{.Name}}.{{.Namespace}}.{{.Domain}}", "n.project-dev.d.io"),
        ("{{ .Name }}-x", "n-x"),
        ("{{$.Name}}", "n"),
        ("{{index .Labels \"app\"}}.{{.Labels.app}}", "shop.shop"),
        ("{{index .Labels `a.b/c`}}", "slash"),
        ("{{index .Labels \"none\"}}|{{.Labels.none}}", "|<no value>"),
        ("{{.Labels}}", "map[a.b/c:slash app:shop]"),
        ("{{(index .Labels \"app\")}}", "shop"),
        ("plain", "plain"),
        ("", ""),
    ]);
}

#[test]
fn spaces_go_where_a_template_asks_for_it() {
    check(&[
        ("a {{- .Name}}", "an"),
        ("a {{- .Name -}} b", "anb"),
        ("a \n\t{{- \"x\" -}} \r\n b", "axb"),
        ("a {{.Name -}} {{- .Name}}", "a nn"),
        ("a{{/* why */}}b", "ab"),
        ("a {{- /* why */ -}} b", "ab"),
        ("{{-3}}", "-3"),
        ("{{\"}}\"}}", "}}"),
        ("{{\n.Name\n}}", "n"),
    ]);
}

#[test]
fn conditions_choose() {
    check(&[
        ("{{if eq .Namespace \"default\"}}a{{else}}b{{end}}", "b"),
        (
            "{{if eq .Namespace \"x\" \"project-dev\"}}{{.Name}}{{end}}",
            "n",
        ),
        (
            "{{if .Labels.none}}a{{else if .Labels.app}}b{{else}}c{{end}}",
            "b",
        ),
        ("{{if and .Name (not .Labels.none)}}yes{{end}}", "yes"),
        ("{{or (index .Labels \"none\") \"other\"}}", "other"),
        ("{{.Labels.none | or .Labels.app}}", "shop"),
        ("{{and .Name .Labels.none}}", "<no value>"),
        ("{{if ne .Name \"n\"}}a{{end}}", ""),
        ("{{if lt (len .Name) 2}}short{{end}}", "short"),
        ("{{with index .Labels \"app\"}}{{.}}.{{end}}x", "shop.x"),
        ("{{with .Labels.none}}a{{else}}{{.Name}}{{end}}", "n"),
        ("{{with $s := .Labels.app}}{{$s}}{{$.Name}}{{end}}", "shopn"),
        ("{{eq .Labels.none \"a\"}}", "false"),
        ("{{if true}}{{end}}", ""),
    ]);
}

#[test]
fn variables_hold_values_up_to_the_end_of_their_block() {
    check(&[
        ("{{$a := .Name}}{{$a}}", "n"),
        ("{{$a := 1}}{{if true}}{{$a = 2}}{{end}}{{$a}}", "2"),
        ("{{$a := 1}}{{if true}}{{$a := 2}}{{end}}{{$a}}", "1"),
        ("{{$l := .Labels}}{{$l.app}}", "shop"),
    ]);
    for source in ["{{$a}}", "{{$a = 1}}", "{{if $a := 1}}{{end}}{{$a}}"] {
        let error = try_render(source);
        assert!(matches!(error, Err(TemplateError::Syntax(_))), "{source}");
    }
}

#[test]
fn texts_are_cut_and_formatted() {
    check(&[
        ("{{printf \"%s-%s\" .Name .Namespace}}", "n-project-dev"),
        ("{{.Name | printf \"%s.%s\" \"a\"}}", "a.n"),
        ("{{printf \"%.7s\" .Namespace}}", "project"),
        (
            "{{slice .Namespace 0 7}}{{slice .Namespace 7}}",
            "project-dev",
        ),
        ("{{len .Namespace}}", "11"),
        (
            "{{printf \"%03d|%-3s|%3s|%v|%t|%%\" 7 \"a\" \"b\" 1 true}}",
            "007|a  |  b|1|true|%",
        ),
        ("{{printf \"%q %x\" \"a\" \"az\"}}", "\"a\" 617a"),
        ("{{print .Name 1 2 .Name}}", "n1 2n"),
        ("{{println .Name 1}}", "n 1\n"),
    ]);
}

#[test]
fn wrong_templates_are_refused_with_the_reason() {
    for (source, why) in [
        ("{{.Name", "unclosed action"),
        ("{{}}", "missing value for command"),
        ("{{if .Name}}", "unexpected EOF: an {{end}} is missing"),
        ("{{end}}", "unexpected {{end}}"),
        ("{{.Name}}{{else}}", "unexpected {{else}}"),
        ("{{upper .Name}}", "function \"upper\" not defined"),
        ("{{.Name | }}", "missing value for command"),
        ("{{(.Name}}", "unclosed left paren"),
        ("{{.Name)}}", "unexpected right paren"),
        ("{{\"a}}", "unterminated quoted string"),
        (
            "{{range .Labels}}{{end}}",
            "unsupported in templates: {{range}}",
        ),
        (
            "{{.Nope}}",
            "unknown field .Nope: there are .Domain, .Name, .Namespace, .Annotations, .Labels",
        ),
        ("{{.Name.x}}", ".x: only maps have fields"),
        (
            "{{js .Name}}",
            "unsupported in templates: the function \"js\"",
        ),
        ("{{eq .Name 1}}", "incompatible types for comparison"),
        (
            "{{printf \"%d\" .Name}}",
            "printf: %d does not fit its value",
        ),
        ("{{slice .Name 2}}", "index out of range: 2 to 1"),
    ] {
        let error = try_render(source).unwrap_err();
        assert_eq!(error.to_string(), why, "{source}");
    }
}

#[test]
fn what_costs_too_much_is_refused() {
    let nested = format!("{{{{{}1{}}}}}", "(".repeat(1000), ")".repeat(1000));
    let blocks = format!("{}{}", "{{if 1}}".repeat(100), "{{end}}".repeat(100));
    for source in [nested, blocks, "a".repeat(LONGEST + 1)] {
        assert!(Template::parse(&source).is_err());
    }
    let wide = "{{printf \"%9000s\" 1}}";
    assert!(try_render(wide).is_err());
    let wide = "{{printf \"%9000s\" .Name}}".repeat(2);
    assert_eq!(try_render(&wide), Err(TemplateError::TooLong));
    let doubled = format!("{{{{$a := .Name}}}}{}", "{{$a = print $a $a}}".repeat(100));
    assert_eq!(try_render(&doubled), Err(TemplateError::TooLong));
    assert_eq!(
        try_render("{{printf \"%999999999999s\" .Name}}"),
        Err(TemplateError::TooLong)
    );
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(source in "[a-z{}()|.$\"` :=%\\-/*é0-9]{0,60}") {
        let _ = try_render(&source);
    }

    #[test]
    fn no_action_makes_it_panic(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "{{", "}}", "{{-", "-}}", " ", "if", "else", "end", "with", ".Name", ".Labels.app",
                "(", ")", "|", "$x", ":=", "=", "\"a\"", "1", "index", "printf", "\"%s\"", "eq",
                "slice", "and", "nil", ".", "true",
            ]),
            0..24,
        ),
    ) {
        let _ = try_render(&words.concat());
    }
}
