//! The page in a browser: every section, as it looks on a phone and on a desk, by day and by night; what keys and clicks do; what happens when the
//! machine does not answer. What the browser complains about fails the test, and so does whatever it asks another host for.
//!
//! Screenshots stay in `target/web`. Without Chromium there is nothing to look with, and the tests say so.

mod chromium;

use chromium::{Browser, Look};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use web::{Machine, Mood, TOKEN, serve};

const SECTIONS: [&str; 7] = ["overview", "processes", "capabilities", "devices", "network", "storage", "log"];

const LOOKS: [Look; 4] = [
    Look { name: "desk-day", width: 1440, height: 900, mobile: false, dark: false },
    Look { name: "desk-night", width: 1440, height: 900, mobile: false, dark: true },
    Look { name: "phone-day", width: 390, height: 844, mobile: true, dark: false },
    Look { name: "phone-night", width: 390, height: 844, mobile: true, dark: true },
];

/// Texts whose contrast to what is behind them is less than 4.5 to 1 (WCAG AA), as the page shows them now.
const PALE: &str = r"(() => {
  const light = (c) => {
    const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const parse = (text) => (text.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const c = parse(getComputedStyle(node).backgroundColor);
      if ((c[3] ?? 1) > 0.99) return c.slice(0, 3);
    }
    return [255, 255, 255];
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.data.trim();
    const node = walk.currentNode.parentElement;
    if (!text || !node.checkVisibility() || node.closest('svg, noscript, title, option, :disabled')) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color).slice(0, 3)), light(behind(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push(`${text.slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return found;
})()";

/// Things that one can use and that have no name, and names that are there twice.
const NAMELESS: &str = r#"(() => {
  const named = (e) => e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length || e.getAttribute('title');
  const all = [...document.querySelectorAll('a, button, input, select, [tabindex="0"], [role=img], [role=meter]')];
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  return [...all.filter((e) => !named(e)).map((e) => e.outerHTML.slice(0, 90)), ...ids.filter((id, n) => ids.indexOf(id) !== n)];
})()"#;

/// A server, and a browser that shows its page.
fn open(mood: Mood) -> Option<Browser> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let base = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
    thread::spawn(move || serve(&listener, &Arc::new(Machine::new(mood))));
    match Browser::start(&base) {
        Some(browser) => Some(browser),
        None => {
            eprintln!(
                "skipped: no chromium on this machine (package chromium; `make setup-all` installs it)"
            );
            None
        }
    }
}

fn go(browser: &mut Browser, section: &str) {
    browser.eval(&format!("document.querySelector('nav a[href=\"#{section}\"]').click()"));
    browser.until(&format!("location.hash === '#{section}' && document.title.endsWith('{section}')"));
    browser.until("document.querySelector('main h1') && !document.querySelector('main').textContent.includes('Asking the machine')");
    browser.until("document.querySelector('#link.on')");
}

fn shots() -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/web");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn every_section_on_a_phone_and_on_a_desk_by_day_and_by_night() {
    let Some(mut browser) = open(Mood::Plain) else { return };
    for look in LOOKS {
        browser.look(&look);
        for section in SECTIONS {
            go(&mut browser, section);
            if section == "overview" {
                // A history takes two looks.
                browser.until(
                    "document.querySelector('.spark path + path') && document.querySelector('.cpus i')",
                );
            }
            let wide = browser.eval("document.documentElement.scrollWidth - innerWidth").as_i64();
            assert!(wide <= Some(0), "{section}, {}: {wide:?} pixels beyond the edge", look.name);
            assert_eq!(browser.eval(PALE), serde_json::json!([]), "pale: {section}, {}", look.name);
            assert_eq!(
                browser.eval(NAMELESS),
                serde_json::json!([]),
                "without a name: {section}, {}",
                look.name
            );
            browser.shot(&shots().join(format!("{section}-{}.png", look.name)));
        }
    }
    browser.assert_well();
}

#[test]
fn what_there_is_not_and_what_is_refused_is_said() {
    let Some(mut browser) = open(Mood::Bare) else { return };
    browser.look(&LOOKS[0]);
    for section in SECTIONS {
        go(&mut browser, section);
        let text = browser.eval("document.querySelector('main').textContent").to_string();
        for wrong in ["undefined", "NaN", "null", "[object"] {
            assert!(!text.contains(wrong), "{section}: {wrong} in {text}");
        }
        browser.shot(&shots().join(format!("{section}-bare.png")));
    }
    browser.assert_well();
    drop(browser);

    let Some(mut browser) = open(Mood::Troubled) else { return };
    browser.look(&LOOKS[2]);
    go(&mut browser, "storage");
    let text = browser.eval("document.querySelector('main .error').textContent").to_string();
    assert!(text.contains("needs the capability `storage`"), "{text}");
    go(&mut browser, "capabilities");
    browser.until("document.querySelector('main .error')");
    go(&mut browser, "overview");
    browser.until("document.querySelector('.banner.bad')?.textContent.includes('rng was given up')");
    browser.shot(&shots().join("overview-troubled.png"));
    browser.assert_well();
}

#[test]
fn the_operator_ends_and_starts_services_and_nobody_else_does() {
    let Some(mut browser) = open(Mood::Plain) else { return };
    browser.look(&LOOKS[0]);
    go(&mut browser, "processes");
    assert_eq!(
        browser.eval("document.querySelectorAll('[data-act]').length"),
        0,
        "nothing to press without a token"
    );
    browser.eval("document.getElementById('operator').click()");
    browser.until("document.getElementById('door').open && document.activeElement.id === 'token'");
    browser.type_text("not-the-operators");
    browser.key("Enter");
    browser.until("document.getElementById('door-error').textContent.includes('token')");
    browser.shot(&shots().join("operator-refused.png"));
    assert!(browser.forgive("401"), "the browser tells of the refusal");
    browser.eval("document.getElementById('token').select()");
    browser.type_text(TOKEN);
    browser.key("Enter");
    browser
        .until("!document.getElementById('door').open && document.querySelector('[data-act=\"kill rng\"]')");
    browser.eval("document.querySelector('[data-act=\"kill rng\"]').click()");
    browser.until("document.getElementById('said').textContent === 'rng was ended.'");
    browser.until("document.querySelector('tr[data-key=srng]').textContent.includes('killed')");
    browser.eval("document.querySelector('[data-act=\"kill shell\"]').click()");
    browser.until("document.querySelector('[data-act=\"start shell\"]')");
    browser.shot(&shots().join("operator.png"));
    browser.eval("document.querySelector('[data-act=\"start shell\"]').click()");
    browser.until("document.querySelector('[data-act=\"kill shell\"]')");
    browser.eval("document.getElementById('operator').click()");
    browser.until("!document.querySelector('[data-act]')");
    assert_eq!(browser.eval("sessionStorage.length"), 0);
    browser.assert_well();
}

#[test]
fn keys_are_enough() {
    let Some(mut browser) = open(Mood::Plain) else { return };
    browser.look(&LOOKS[0]);
    go(&mut browser, "capabilities");
    browser.key("Tab");
    browser.until(
        "document.activeElement.className === 'skip' || document.activeElement.closest('main, header')",
    );
    browser.eval("document.querySelector('.skip').focus()");
    browser.key("Enter");
    browser.until("document.activeElement.id === 'main' && location.hash === '#capabilities'");
    browser.until("(() => { const node = document.querySelector('.node[aria-label^=block]'); node?.focus(); return document.activeElement === node; })()");
    browser.key("Enter");
    browser.until("document.querySelector('.node.chosen') && document.querySelector('main').textContent.includes('block holds')");
    // Some looks later the same node has the focus: nothing was made anew under it.
    browser.eval("new Promise((done) => setTimeout(done, 4500))");
    assert_eq!(browser.eval("document.activeElement.getAttribute('aria-label').startsWith('block')"), true);
    browser.shot(&shots().join("capabilities-chosen.png"));
    go(&mut browser, "processes");
    browser.eval("document.querySelector('[data-sort=\"processes memory\"]').focus()");
    browser.key("Enter");
    browser.until("document.querySelector('th[aria-sort=descending]').textContent === 'Memory'");
    browser.key("Enter");
    browser.until("document.querySelector('th[aria-sort=ascending]').textContent === 'Memory'");
    go(&mut browser, "log");
    browser.eval("document.getElementById('words').focus()");
    browser.type_text("volume");
    browser.until("[...document.querySelectorAll('.log li')].every((item) => item.textContent.toLowerCase().includes('volume'))");
    browser.assert_well();
}

#[test]
fn who_is_cut_off_sees_it_and_what_was_and_then_that_it_is_over() {
    let Some(mut browser) = open(Mood::Plain) else { return };
    browser.look(&LOOKS[2]);
    go(&mut browser, "overview");
    browser.offline(true);
    browser.until("document.querySelector('#link.off') && document.querySelector('[data-key=lost]')");
    browser.until("document.querySelectorAll('.tile').length === 4");
    browser.shot(&shots().join("overview-cut-off.png"));
    browser.offline(false);
    browser.until("document.querySelector('#link.on') && !document.querySelector('[data-key=lost]')");
    browser.forgive("net::ERR_INTERNET_DISCONNECTED");
    browser.assert_well();
}
