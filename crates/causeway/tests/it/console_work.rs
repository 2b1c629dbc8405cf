//! Work in the console, in a real Chromium: documents read in place, messages edited, held, sent to
//! another flow and replayed from the list.

use crate::browser::Browser;
use crate::messages::{ADMISSION, DOCUMENTS, RESULT};
use crate::site::{Site, eventually, write};
use serde_json::json;

/// Starts a site with one person, and a browser that is signed in.
fn start(test: &str, messages: &[(&str, &str)]) -> Option<(Site, Browser, String)> {
    let browser = Browser::start(test)?;
    let site = Site::start();
    for (name, message) in messages {
        site.send(name, message);
    }
    let base = site
        .running()
        .url("console")
        .trim_end_matches('/')
        .to_owned();
    browser.resize(1440, 900);
    browser.sign_in(&base, site.running().secret.as_deref().unwrap());
    Some((site, browser, base))
}

#[test]
fn documents_are_read_in_place() {
    let messages = [("a.hl7", ADMISSION), ("d.hl7", DOCUMENTS)];
    let Some((_site, browser, base)) =
        start("console_work::documents_are_read_in_place", &messages)
    else {
        return;
    };
    // From the message.
    browser.go(&format!("{base}/messages/2"));
    assert_eq!(browser.count(".tree a[href*='/document?path=']"), 3);
    browser.click(".tree a[href$='/document?path=OBX%2D5']");
    browser.wait_for("the frame", "document.querySelector('iframe.page')");
    let answer = browser.script(
        "const answer = await fetch(document.querySelector('iframe.page').src);
         const bytes = await answer.text();
         return [answer.headers.get('content-type'), answer.headers.get('content-disposition'),
           answer.headers.get('content-security-policy'), answer.headers.get('cache-control'),
           answer.headers.get('x-content-type-options'), bytes.slice(0, 5)]",
    );
    assert_eq!(
        answer,
        json!([
            "application/pdf",
            "inline; filename=\"document.pdf\"",
            "default-src 'none'; frame-ancestors 'self'; sandbox",
            "no-store",
            "nosniff",
            "%PDF-"
        ])
    );
    for (field, text) in [
        ("OBX%5B2%5D%2D5", "No acute finding.\nSigned."),
        ("OBX%5B3%5D%2D5", "Lungs clear"),
    ] {
        browser.go(&format!("{base}/messages/2/document?path={field}"));
        assert_eq!(browser.text(".prose").trim(), text, "{field}");
    }
    assert_ne!(browser.script("return document.title"), json!("ran"));
    let refused = browser.script("return (await fetch(location.pathname.replace('document', 'inline') + location.search)).status");
    assert_eq!(refused, json!(415), "HTML is never sent as such");

    // From the chart.
    browser.go(&format!("{base}/messages/2"));
    browser.click("#open a[href^='/patients/']");
    browser.wait_for("the chart", "document.querySelector('.band h1')");
    let chart = browser.path();
    browser.go(&format!("{base}{chart}/documents"));
    assert!(browser.text("main").contains("Lungs clear"));
    browser.click("a[href*='/document/']");
    browser.wait_for("the frame", "document.querySelector('iframe.page')");
    assert!(browser.text(".band").contains("ZZTEST"));
    browser.press("\u{e00c}");
    browser.wait_for("the documents", "location.pathname.endsWith('/documents')");
    let complaints = browser.complaints();
    let complaints: Vec<_> = complaints
        .iter()
        .filter(|text| !text.contains("415"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[test]
fn a_message_is_edited_and_sent_again() {
    let messages = [("a.hl7", ADMISSION), ("r.hl7", RESULT)];
    let Some((_site, browser, base)) = start(
        "console_work::a_message_is_edited_and_sent_again",
        &messages,
    ) else {
        return;
    };
    browser.go(&format!("{base}/messages/2"));
    browser.click("a[href='/messages/2/edit']");
    browser.wait_for("the text", "document.getElementById('text')");
    let change = |from: &str, to: &str| {
        browser.script(&format!(
            "const text = document.getElementById('text'); text.value = text.value.replace({}, {})",
            json!(from),
            json!(to)
        ));
    };
    browser.click("button[value=check]");
    browser.wait_for("the check", "document.getElementById('checked')");
    assert_eq!(browser.count("button[value=send]"), 0, "it is the original");
    change("10.20", "11.40");
    browser.click("button[value=check]");
    browser.wait_for("the difference", "document.querySelector('.edited ins')");
    assert!(browser.text(".edited ins").contains("11.40"));
    assert!(
        browser.text("#checked").contains("Observation"),
        "{}",
        browser.text("#checked")
    );
    // An edit that changed after it was shown is shown again.
    browser.write("#why", "transcription error");
    change("11.40", "11.50");
    browser.click("button[value=send]");
    browser.wait_for(
        "the warning",
        "document.querySelector('#checked [role=alert]')",
    );
    assert!(browser.text(".edited ins").contains("11.50"));
    browser.click("button[value=send]");
    browser.wait_for("the copy", "location.pathname === '/messages/3'");
    assert!(
        browser
            .text("#open")
            .contains("An edited copy of message 2, made by admin: transcription error")
    );
    browser.wait_for("its value in the chart", "fetch(location.href).then((answer) => answer.text()).then((text) => text.includes('11.50') && text.includes('Applied to the chart'))");
    browser.go(&format!("{base}/messages/2"));
    assert!(
        browser
            .text("#open")
            .contains("Edited and sent again as message 3 by admin: transcription error")
    );
    assert!(
        browser.text("#open .raw").contains("10.20"),
        "the original is kept"
    );
    assert!(browser.complaints().is_empty());
}

#[test]
fn a_list_is_replayed_and_a_refused_message_skipped() {
    let messages = [("a.hl7", ADMISSION), ("r.hl7", RESULT)];
    let Some((site, browser, base)) = start(
        "console_work::a_list_is_replayed_and_a_refused_message_skipped",
        &messages,
    ) else {
        return;
    };
    browser.go(&format!("{base}/messages?state=mapped"));
    browser.click(".chip.act > summary");
    browser.click(".chip.act button[value=replay]");
    browser.wait_for("the question", "document.getElementById('why')");
    assert_eq!(browser.text("h1"), "Replay 2 messages?");
    assert!(
        browser.text(".facts").contains("mapped 2"),
        "{}",
        browser.text(".facts")
    );
    browser.write("#why", "the map was mended");
    browser.click("button[value=replay]");
    browser.wait_for(
        "the end of the batch",
        "document.querySelector('h1').textContent === '2 of 2 messages replayed'",
    );
    browser.click("a[data-back]");
    browser.wait_for("the list", "location.search.includes('state=mapped')");

    let wrong = ADMISSION
        .replace("ADT^A01^ADT_A01", "ZZZ^Z99")
        .replace("|A1|", "|Z1|");
    let path = write(site.folder.path(), "z.hl7", &wrong);
    crate::process::causeway(&["send", site.mllp(), &path]);
    eventually(|| {
        browser.go(&format!("{base}/messages?state=needs%20attention"));
        (browser.count("tbody tr") == 1).then_some(())
    });
    browser.click("tbody a.open");
    browser.wait_for(
        "the message",
        "document.querySelector('#open details.chip')",
    );
    browser.click("#open details.chip > summary");
    browser.write("#act-why", "a test of the sender");
    browser.click("#open button[value=skip]");
    browser.wait_for("the state", "document.querySelector('#open .state.off')");
    assert!(
        browser
            .text("#open")
            .contains("skipped by admin: a test of the sender")
    );

    // From and until, in the viewer's zone.
    browser.go(&format!("{base}/messages"));
    browser.click("details.chip:has(#new-from) > summary");
    browser.script("document.getElementById('new-until').value = '2020-01-01T00:00'");
    browser.click("form:has(#new-until) button");
    browser.wait_for("the chip", "document.querySelector('.chip.on')");
    let chip = browser.text(".chip.on");
    let days = ["2020-01-01", "2019-12-31"];
    assert!(chip.starts_with("until"), "{chip}");
    assert!(days.iter().any(|day| chip.contains(day)), "{chip}");
    assert!(browser.text("main").contains("No message matches"));
    assert!(browser.complaints().is_empty());
}

#[test]
fn a_flow_is_stopped_and_started() {
    let test = "console_work::a_flow_is_stopped_and_started";
    let Some((site, browser, base)) = start(test, &[]) else {
        return;
    };
    browser.go(&format!("{base}/flows/adt"));
    assert!(browser.text("main").contains("nothing heard yet"));
    browser.click("a[href='/flows/adt/stop']");
    browser.wait_for("the question", "document.getElementById('why')");
    let told = browser.text("main");
    assert!(told.contains("0 messages came in the last hour"), "{told}");
    // Without a reason the browser itself objects; a form without one stops nothing.
    browser.script("document.getElementById('why').required = false");
    browser.click("button[value=stop]");
    browser.wait_for("the notice", "document.querySelector('[role=alert]')");
    assert!(browser.text("main").contains("The flow is still running"));
    browser.write("#why", "the interface engine is replaced");
    browser.click("button[value=stop]");
    browser.wait_for(
        "the way back",
        "document.querySelector('button[value=start]')",
    );
    assert!(browser.text("main").contains("stopped by admin"));
    assert!(
        browser
            .text("main")
            .contains("the interface engine is replaced")
    );
    let path = write(site.folder.path(), "a.hl7", ADMISSION);
    let sent = crate::process::causeway(&["send", site.mllp(), &path]);
    assert_eq!(sent.status.code(), Some(1), "nobody listens");
    browser.click("button[value=start]");
    browser.wait_for(
        "a flow that runs",
        "document.querySelector('a[href=\"/flows/adt/stop\"]')",
    );
    assert!(site.send("a.hl7", ADMISSION).contains("MSA|AA|A1"));
    // The feed has its sender's name, the port is open and the sender was heard from.
    browser.go(&format!("{base}/flows"));
    assert!(
        browser.text("tbody").contains("ADT at HOSP"),
        "{}",
        browser.text("tbody")
    );
    assert_eq!(browser.count("tbody .state.good"), 1);
    assert!(browser.complaints().is_empty());
}

#[test]
fn the_rows_of_a_map_run_as_one_types() {
    let messages = [("a.hl7", ADMISSION), ("r.hl7", RESULT)];
    let test = "console_work::the_rows_of_a_map_run_as_one_types";
    let Some((_site, browser, base)) = start(test, &messages) else {
        return;
    };
    // From a message, by a row that set a value, with the message at the side.
    browser.go(&format!("{base}/messages/1"));
    browser.click("#became a[href*='name=v2%2Fpid%2Emap']");
    browser.wait_for("the map", "document.querySelector('.maprows tr.ran')");
    assert_eq!(browser.count(".maprows tr:target"), 1);
    assert!(
        browser.text("#trial").contains("Patient.birthDate"),
        "{}",
        browser.text("#trial")
    );
    // Typed text is run at once.
    browser.script(
        "const text = document.getElementById('try-text');
         text.value = text.value.replace('19800102', '19810304');
         text.dispatchEvent(new Event('input', {bubbles: true}))",
    );
    browser.wait_for(
        "the new value",
        "document.getElementById('trial').textContent.includes('19810304')",
    );
    browser.go(&format!("{base}/maps"));
    assert!(browser.text("main").contains("ORU_R01"));
    assert!(browser.complaints().is_empty());
}

#[test]
fn queues_show_what_waits_and_the_overview_its_span() {
    let test = "console_work::queues_show_what_waits_and_the_overview_its_span";
    let Some((site, browser, base)) = start(test, &[("a.hl7", ADMISSION)]) else {
        return;
    };
    let training = ADMISSION
        .replace("|P|2.5.1", "|T|2.5.1")
        .replace("|A1|", "|T1|");
    let path = write(site.folder.path(), "t.hl7", &training);
    crate::process::causeway(&["send", site.mllp(), &path]);
    eventually(|| {
        browser.go(&format!("{base}/queues"));
        (browser.count(".attention tbody tr") == 1).then_some(())
    });
    assert!(
        browser
            .text(".attention")
            .contains("not a production message")
    );
    // Each count opens exactly the messages counted, here and on the overview.
    for page in ["/queues", "/"] {
        browser.go(&format!("{base}{page}"));
        browser.click("#attention-title a, .attention h2 a");
        browser.wait_for("the list", "location.pathname === '/messages'");
        assert_eq!(browser.count("#messages tbody tr"), 1);
        assert!(
            browser.text("#how-many").starts_with("1 message,"),
            "{}",
            browser.text("#how-many")
        );
        browser.go(&format!("{base}{page}"));
        browser.click(".attention td.num a");
        browser.wait_for("the group", "location.search.includes('reason=')");
        assert_eq!(browser.count("#messages tbody tr"), 1);
    }
    browser.go(&format!("{base}/queues"));
    browser.click(".attention button[name=action]");
    browser.wait_for("the question", "document.getElementById('why')");
    assert_eq!(browser.text("h1"), "Skip 1 message?");
    browser.write("#why", "a training message");
    browser.click("button[value=skip]");
    browser.wait_for(
        "the end of it",
        "document.querySelector('h1').textContent === '1 of 1 message skipped'",
    );
    browser.go(&format!("{base}/queues"));
    assert_eq!(browser.count(".attention tbody"), 0);
    browser.go(&format!("{base}/"));
    browser.click(".chips a[href='/?span=7d']");
    browser.wait_for("the span", "location.search === '?span=7d'");
    assert!(browser.text(".numbers").contains("the 7 days before"));
    browser.wait_for(
        "live numbers of the same span",
        "document.getElementById('live-note').textContent === 'live'",
    );
    assert!(browser.text(".numbers").contains("the 7 days before"));
    assert!(browser.complaints().is_empty());
}

#[test]
fn a_list_tells_of_what_comes_and_keeps_its_place() {
    let test = "console_work::a_list_tells_of_what_comes_and_keeps_its_place";
    let Some((site, browser, base)) = start(test, &[("a.hl7", ADMISSION)]) else {
        return;
    };
    browser.go(&format!("{base}/messages?flow=adt"));
    browser.click("tbody a.open");
    browser.wait_for("the message", "document.querySelector('#open h2')");
    browser.go(&format!("{base}/messages?flow=adt"));
    for n in 0..3 {
        site.send("n.hl7", &ADMISSION.replace("|A1|", &format!("|N{n}|")));
    }
    browser.wait_for(
        "the number of new ones",
        "document.querySelector('#fresh b')?.textContent === '3 new messages'",
    );
    assert_eq!(
        browser.count("#messages tbody tr"),
        1,
        "nothing moved by itself"
    );
    browser.click("#fresh button");
    browser.wait_for(
        "the new lines",
        "document.querySelectorAll('tr.new').length === 3",
    );
    assert_eq!(browser.count("#messages tbody tr"), 4);
    assert!(browser.text("#how-many").starts_with("4 messages"));
    assert!(browser.script("return document.getElementById('fresh').hidden") == json!(true));
    // Pages with counts update too.
    browser.go(&format!("{base}/flows"));
    site.send("n.hl7", &ADMISSION.replace("|A1|", "|N9|"));
    browser.wait_for(
        "the new sum",
        "document.querySelector('td[data-label=received]').textContent === '5'",
    );
    // One time zone, and its name.
    let zone = browser.script("return Intl.DateTimeFormat().resolvedOptions().timeZone");
    let title = browser.script("return document.querySelector('.clock').title");
    let starts = title.as_str().unwrap().starts_with(zone.as_str().unwrap());
    assert!(starts, "{title} {zone}");
    assert!(browser.complaints().is_empty());
}

#[test]
fn an_edit_that_is_refused_keeps_its_text() {
    let test = "console_work::an_edit_that_is_refused_keeps_its_text";
    let messages = [("a.hl7", ADMISSION), ("r.hl7", RESULT)];
    let Some((_site, browser, base)) = start(test, &messages) else {
        return;
    };
    browser.go(&format!("{base}/messages/2/edit"));
    let change = |from: &str, to: &str| {
        browser.script(&format!(
            "const text = document.getElementById('text'); text.value = text.value.replace({}, {})",
            json!(from),
            json!(to)
        ));
    };
    // The preview refuses what the flow refuses on arrival: MSH-10, MSH-11, MSH-9.
    for (from, to, told) in [
        ("|R1|P|", "||P|", "msh-10"),
        ("||P|2", "|R1|T|2", "production"),
        ("|T|2", "|P|2", ""),
        ("ORU^R01^ORU_R01", "ZZZ^Z99", "no map"),
        ("ZZZ^Z99", "ORU^R01^ORU_R01", ""),
    ] {
        change(from, to);
        browser.click("button[value=check]");
        browser.wait_for("the check", "document.getElementById('checked')");
        let refused = browser.text("#checked .notice.bad").to_lowercase();
        assert!(refused.contains(told), "{to}: {refused}");
        assert_eq!(told.is_empty(), refused.is_empty(), "{to}: {refused}");
        if !told.is_empty() {
            assert_eq!(browser.count("button[value=send]"), 0, "{to}");
        }
    }
    change("10.20", "11.40");
    browser.write("#why", "transcription error");
    browser.click("button[value=check]");
    browser.wait_for(
        "the way to send",
        "document.querySelector('button[value=send]')",
    );
    // The target flow is gone by the time the message is sent.
    browser.script(
        "const flow = document.querySelector('[name=flow]');
         const other = document.createElement('option');
         other.value = other.textContent = 'gone';
         flow.append?.(other); flow.value = 'gone';
         document.querySelector('[name=checked]')?.remove()",
    );
    browser.click("button[value=send], button[value=check]");
    browser.wait_for(
        "the failure",
        "document.querySelector('#checked .notice.bad')",
    );
    let text = browser.script("return document.getElementById('text').value");
    assert!(text.as_str().unwrap().contains("11.40"), "{text}");
    assert!(
        browser.text("#checked").contains("gone"),
        "{}",
        browser.text("#checked")
    );
}
