//! Paths, and who may ask for them.

use super::*;
use alloc::vec;
use capos_web::{Connection, Limits, Token};

const SECRET: &str = "0123456789abcdef";

fn ask(line: &str, fields: &str) -> Asked {
    let guard = Guard::new(vec![], Some(Token::new(SECRET).unwrap()));
    ask_at(&guard, line, fields)
}

fn ask_at(guard: &Guard, line: &str, fields: &str) -> Asked {
    let mut connection = Connection::new(Limits::default(), 0);
    connection.receive(
        format!("{line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n{fields}\r\n").as_bytes(),
    );
    asked(guard, &connection.request(0).unwrap())
}

fn answer(line: &str, fields: &str) -> Response {
    match ask(line, fields) {
        Asked::Answer(response) => response,
        other => panic!("{line}: {other:?}"),
    }
}

fn status(line: &str) -> Status {
    answer(line, "").status()
}

fn operator() -> String {
    format!("Authorization: Bearer {SECRET}\r\nContent-Type: application/json\r\n")
}

fn body(response: &Response) -> String {
    String::from_utf8(response.body().bytes().to_vec()).unwrap()
}

#[test]
fn files_and_what_they_name_are_there() {
    for file in FILES {
        let response = answer(&format!("GET {}", file.path), "");
        assert_eq!(response.status(), Status::Ok);
        let again = answer(&format!("GET {}", file.path), &format!("If-None-Match: {}\r\n", file.tag));
        assert_eq!(again.status(), Status::NotModified);
        // What a file loads is one of ours, and nothing in it is run that the policy forbids.
        let text = body(&response);
        for quoted in ["src=\"", "from \"", "<link rel=\"icon\" href=\"", "<link rel=\"stylesheet\" href=\""]
        {
            for (at, _) in text.match_indices(quoted) {
                let name = text[at + quoted.len()..].split('"').next().unwrap();
                assert!(FILES.iter().any(|file| file.path == name), "{}: {name}", file.path);
            }
        }
        for forbidden in ["//cdn", "https://", " onclick=", " style=\"", "<style", "eval(", "innerHTML"] {
            assert!(!text.contains(forbidden), "{}: {forbidden}", file.path);
        }
    }
}

#[test]
fn reports_by_their_names() {
    let Asked::Reports(reports) = ask("GET /api/status,logs?count=7", "") else { panic!("reports") };
    let wanted = [Report { name: "status", count: None }, Report { name: "logs", count: Some(7) }];
    assert_eq!(reports, wanted);
    let Asked::Reports(reports) = ask("HEAD /api/logs?count=-1", "") else { panic!("reports") };
    assert_eq!(reports, [Report { name: "logs", count: Some(ROWS) }]);
    assert!(matches!(ask("GET /metrics", ""), Asked::Metrics));
    let many = REPORTS.join(",");
    for wrong in [
        "/api/",
        "/api/reboot",
        "/api/halt",
        "/api/status,,cpu",
        "/api/status,status",
        &format!("/api/{many}"),
        "/x",
        "//",
        "/../app.js",
    ] {
        assert_eq!(status(&format!("GET {wrong}")), Status::NotFound, "{wrong}");
    }
}

#[test]
fn methods_that_there_are_not() {
    for (line, status_wanted) in [
        ("POST /", Status::MethodNotAllowed),
        ("DELETE /metrics", Status::MethodNotAllowed),
        ("PUT /api/status", Status::MethodNotAllowed),
        ("POST /x", Status::NotFound),
        ("GET /api/services/rng/kill", Status::MethodNotAllowed),
        ("GET /api/operator", Status::MethodNotAllowed),
        ("GET /api/services/rng/eat", Status::NotFound),
    ] {
        assert_eq!(status(line), status_wanted, "{line}");
    }
}

#[test]
fn only_the_operator_acts() {
    let line = "POST /api/services/virtio%5Fblk/kill";
    let Asked::Act(act, service) = ask(line, &operator()) else { panic!("an act") };
    assert_eq!((act, service.as_str()), (Act::Kill, "virtio_blk"));
    assert!(matches!(ask("POST /api/services/x/start", &operator()), Asked::Act(Act::Start, _)));
    assert_eq!(answer("POST /api/operator", &operator()).status(), Status::Ok);
    let json = "Content-Type: application/json\r\n";
    assert_eq!(answer(line, json).status(), Status::Unauthorized);
    assert_eq!(answer(line, &operator().replace("json", "x")).status(), Status::UnsupportedMediaType);
    let foreign = format!("{}Origin: http://evil.example\r\n", operator());
    assert_eq!(answer(line, &foreign).status(), Status::Forbidden);
    let closed = ask_at(&Guard::default(), line, &operator());
    assert!(matches!(closed, Asked::Answer(response) if response.status() == Status::Forbidden));
}

#[test]
fn nobody_reads_it_through_another_name() {
    for path in ["/", "/api/status", "/metrics", "/api"] {
        let mut connection = Connection::new(Limits::default(), 0);
        connection.receive(format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\n\r\n").as_bytes());
        let asked = asked(&Guard::default(), &connection.request(0).unwrap());
        assert!(matches!(asked, Asked::Answer(response) if response.status() == Status::MisdirectedRequest));
    }
}

#[test]
fn rows_are_one_array() {
    let mut rows = Rows::default();
    rows.add("cpu", Ok("{\"kind\":\"cpu\"}\n{\"kind\":\"cpu\"}\n"));
    rows.add("storage", Err("needs \"disks\""));
    rows.add("logs", Ok(""));
    let wanted = "[{\"kind\":\"report\",\"name\":\"cpu\"},\n{\"kind\":\"cpu\"},\n{\"kind\":\"cpu\"},\n\
        {\"kind\":\"report\",\"name\":\"storage\"},\n\
        {\"kind\":\"error\",\"report\":\"storage\",\"text\":\"needs \\\"disks\\\"\"},\n\
        {\"kind\":\"report\",\"name\":\"logs\"}]";
    assert_eq!(body(&rows.answer()), wanted);
    assert_eq!(body(&Rows::default().answer()), "[]");
    let Asked::Answer(site) = ask("GET /api", "") else { panic!("an answer") };
    assert!(
        body(&site).contains("\"operator\":true") && body(&site).starts_with("{\"reports\":[\"status\",")
    );
}
