//! What the command line tells of itself and of a running agent.

mod support;

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};
use support::fake_rancher::FakeRancher;
use support::{Agent, agent_command};

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn status_prints_the_fleet() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    let status = |args: &[&str]| {
        let mut command = agent_command(agent.home.path());
        command.arg("status").args(args).args(["--agent", &agent.url]).output().unwrap()
    };
    assert_eq!(text(&status(&[])), "no clusters; 0 tunnels up\n");
    for name in ["edge-1", "edge-2"] {
        assert_eq!(agent.create(name).0, 201);
        agent.await_state(name, "connected");
    }
    let shown = text(&status(&[]));
    assert!(shown.starts_with("2 connected; 4 tunnels up\n\nNAME    STATE"), "{shown}");
    assert!(shown.contains("\nedge-1  connected  20"), "{shown}");
    assert!(text(&status(&["--limit", "1"])).ends_with("and 1 more; --limit shows them\n"));
    let shown: Value = serde_json::from_str(&text(&status(&["--state", "failed", "--output", "json"]))).unwrap();
    assert_eq!((&shown["count"], &shown["overview"]["clusters"]["connected"]), (&0.into(), &2.into()), "{shown:#}");
    let refused = status(&["--state", "nowhere"]);
    let words = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && words.contains("one of pending"), "{words}");

    let mut nobody = agent_command(agent.home.path());
    let nobody = nobody.args(["status", "--agent", "http://127.0.0.1:1"]).output().unwrap();
    let words = String::from_utf8_lossy(&nobody.stderr);
    assert!(nobody.status.code() == Some(1) && words.contains("--agent"), "{words}");
}

#[test]
fn shells_complete_it_and_man_shows_it() {
    let home = tempfile::tempdir().unwrap();
    // Not even a broken configuration keeps it from that.
    std::fs::write(home.path().join("config"), "Nonsense: true\n").unwrap();
    let run = |args: &[&str]| text(&agent_command(home.path()).args(args).output().unwrap());
    let script = home.path().join("completions.bash");
    std::fs::write(&script, run(&["completions", "bash"])).unwrap();
    // What bash offers behind a subcommand.
    let ask = "source \"$0\"; COMP_WORDS=(scale-cluster-agent doctor --cl); COMP_CWORD=2; \
               _scale__cluster__agent scale-cluster-agent --cl doctor; echo \"${COMPREPLY[*]}\"";
    let offered = Command::new("bash").args(["-c", ask]).arg(&script).output().unwrap();
    assert_eq!(text(&offered).trim(), "--clusters");
    for shell in ["zsh", "fish"] {
        assert!(run(&["completions", shell]).contains("rehearse"), "{shell}");
    }
    let page = run(&["man"]);
    assert!(page.contains(".TH scale-cluster-agent 1") && page.contains("RancherURL"), "{page}");
    let directory = home.path().join("man/pages");
    run(&["man", directory.to_str().unwrap()]);
    for page in ["scale-cluster-agent.1", "scale-cluster-agent-doctor.1", "scale-cluster-agent-fault-start.1"] {
        assert!(directory.join(page).exists(), "{page}");
    }
}

#[test]
fn a_status_that_is_watched_waits_for_an_agent_that_goes_away() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    let home = tempfile::tempdir().unwrap();
    let mut command = agent_command(home.path());
    command.args(["status", "--watch", "--agent", &agent.url]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut shown = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(shown.next().unwrap(), "no clusters; 0 tunnels up");
    drop(agent.kill());
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let told = told.next().unwrap();
    assert!(told.contains("does not answer") && told.contains("asked again until it does"), "{told}");
    assert!(child.try_wait().unwrap().is_none(), "it goes on");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
}
