"""deploy/install.sh, run as root into a folder, without systemd running there."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sysconfig
from pathlib import Path

import pytest

from store.migrate import head
from tests.support.tools import require

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "deploy" / "systemd"
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "tests", "bench", "var", "build")

PACKAGED = ":80 {\n}\n"
NAMED = "\nPUBLIC_URL=https://rollcall.example.edu"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the installation is root's")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release as it is unpacked, which a test may change."""
    folder = tmp_path_factory.mktemp("release") / "rollcall"
    return shutil.copytree(ROOT, folder, symlinks=True, ignore=LEFT_OUT)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Path:
    """A machine's root after the first installation."""
    machine = tmp_path_factory.mktemp("machine")
    bring_caddy(machine)
    install(source, machine)
    return machine


def bring_caddy(machine: Path) -> None:
    """What the package caddy leaves behind: its Caddyfile, and the sum by which dpkg knows it."""
    for folder in ("etc/caddy", "var/lib/dpkg"):
        (machine / folder).mkdir(parents=True)
    (machine / "etc/caddy/Caddyfile").write_text(PACKAGED)
    digest = hashlib.md5(PACKAGED.encode(), usedforsecurity=False).hexdigest()
    (machine / "var/lib/dpkg/status").write_text(
        "Package: caddy\nStatus: install ok installed\nMaintainer: nobody\nArchitecture: all\nVersion: 2.6\n"
        f"Conffiles:\n /etc/caddy/Caddyfile {digest}\nDescription: a web server\n\n"
    )


def install(source: Path, machine: Path, *named: str) -> str:
    """Install; what it says. The dependencies are those of the tests, so that none is fetched."""
    for tool in ("systemd-sysusers", "systemd-tmpfiles"):
        require(tool, "systemd")
    options = named or ("--domain", "rollcall.example.edu")
    command = ["deploy/install.sh", "--root", str(machine), *options]
    environment = os.environ | {"PYTHONPATH": sysconfig.get_path("purelib"), "PIP_NO_COMPILE": "1"}
    done = subprocess.run(
        command, cwd=source, env=environment, capture_output=True, text=True, check=False, umask=0o077
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def state(machine: Path) -> dict[str, tuple[str, int, int, str]]:
    """Everything there: kind and permissions, owner, group, content; without the inside of the releases."""
    found = {}
    for path in sorted(machine.rglob("*")):
        name = str(path.relative_to(machine))
        if name.startswith("opt/rollcall/releases/") and name.count("/") > 3:
            continue
        about = path.lstat()
        content = str(path.readlink()) if path.is_symlink() else path.read_text() if path.is_file() else ""
        found[name] = (stat.filemode(about.st_mode), about.st_uid, about.st_gid, content)
    return found


def test_a_machine_has_all_that_the_units_need(machine: Path) -> None:
    found = state(machine)
    passwd = (machine / "etc/passwd").read_text()
    uid, gid = map(int, passwd.split("rollcall:x:")[1].split(":")[:2])
    assert found["etc/rollcall/rollcall.env"][:3] == ("-rw-r-----", 0, gid)
    assert found["etc/rollcall/worker-all.env"][:3] == ("-rw-r-----", 0, gid)
    assert found["etc/rollcall/credentials"][:3] == ("drwx------", 0, 0)
    assert found["var/lib/rollcall"][:3] == ("drwx------", uid, gid)
    assert found["var/backups/rollcall"][:3] == ("drwx------", uid, gid)
    assert found["usr/local/bin/rollcall"][0] == "-rwxr-xr-x"
    assert "PUBLIC_URL=https://rollcall.example.edu" in found["etc/rollcall/rollcall.env"][3]
    assert (machine / "opt/rollcall/current/bin/rollcall").is_file()
    (runbook,) = machine.glob(
        "opt/rollcall/releases/*/lib/python*/site-packages/ingress/pages/templates/operations.md"
    )
    assert runbook.read_text() == (ROOT / "docs/operations.md").read_text()
    assert "_ROLLCALL_COMPLETE" in found["usr/local/share/bash-completion/completions/rollcall"][3]


def test_caddy_and_the_web_role_share_a_secret_that_no_one_else_can_read(source: Path, machine: Path) -> None:
    found = state(machine)
    mode, owner, _, secret = found["etc/rollcall/credentials/PROXY_SECRET"]
    assert (mode, owner, len(secret)) == ("-rw-------", 0, 64)
    mode, owner, _, lines = found["etc/rollcall/caddy.env"]
    assert (mode, owner) == ("-rw-r-----", 0)  # its group is that of the roles
    assert lines == f"ROLLCALL_DOMAIN=rollcall.example.edu\nROLLCALL_PROXY_SECRET={secret}\n"
    install(source, machine)
    assert state(machine) == found


def test_the_installed_release_brings_these_units(machine: Path) -> None:
    installed = machine / "usr/local/lib/systemd/system"
    for path in UNITS.rglob("rollcall*.*"):
        if path.is_file():
            assert (installed / path.relative_to(UNITS)).read_text() == path.read_text()
    assert (machine / "usr/local/lib/tmpfiles.d/rollcall.conf").read_text() == (
        UNITS / "tmpfiles.conf"
    ).read_text()


def test_the_packages_caddyfile_gives_way_to_ours(machine: Path) -> None:
    assert (machine / "etc/caddy/Caddyfile").read_text() == (ROOT / "deploy/Caddyfile").read_text()


def test_a_caddyfile_that_an_operator_wrote_stays_and_is_named(source: Path, machine: Path) -> None:
    caddyfile = machine / "etc/caddy/Caddyfile"
    ours = caddyfile.read_text()
    caddyfile.write_text(f"{PACKAGED}shop.example.edu {{\n}}\n")
    before = state(machine)
    output = install(source, machine, "--no-start")  # the domain is not required again
    assert f"{caddyfile} is your own and stays" in output
    assert "it must send X-Rollcall-Proxy" in output
    assert state(machine) == before
    caddyfile.write_text(f"{ours}\n# an operator's\n")
    output = install(source, machine, "--no-start")
    assert f"{caddyfile} is your own and stays" in output
    assert "X-Rollcall-Proxy" not in output
    caddyfile.write_text(ours)


def test_a_caddyfile_that_is_still_as_installed_is_replaced_by_the_next_one(tmp_path: Path) -> None:
    ours, caddyfile = tmp_path / "deploy/Caddyfile", tmp_path / "machine/etc/caddy/Caddyfile"
    bring_caddy(tmp_path / "machine")
    (tmp_path / "machine/opt/rollcall").mkdir(parents=True)
    for text in ("ours\n", "ours\n# a mend\n"):
        assert carry_out(tmp_path, f"printf '{text}' >'{ours}' && install_caddyfile") == []
        assert caddyfile.read_text() == text
    caddyfile.write_text(f"{text}# an operator's\n")
    output, asked = carry_out(tmp_path, f"echo '# another mend' >>'{ours}' && install_caddyfile")
    assert f"{caddyfile} is your own and stays: compare it with {ours}" in output
    assert "it must send X-Rollcall-Proxy" in asked
    assert caddyfile.read_text() == f"{text}# an operator's\n"


def test_another_domain_renames_what_the_installer_named_and_nothing_else(
    source: Path, machine: Path
) -> None:
    settings = machine / "etc/rollcall/rollcall.env"
    before, mode = settings.read_text(), settings.stat().st_mode
    assert "PUBLIC_URL" not in install(source, machine, "--domain", "seats.example.edu")
    assert settings.read_text() == before.replace(NAMED, "\nPUBLIC_URL=https://seats.example.edu")
    assert settings.stat().st_mode == mode
    own = before.replace(NAMED, "\nPUBLIC_URL=https://www.example.edu")
    settings.write_text(own)
    assert f"PUBLIC_URL in {settings} is your own and stays" in install(source, machine)
    assert settings.read_text() == own
    settings.write_text(before)


CUT_OFF, NO_START, BEFORE_ENABLING = "CUT_OFF=yes", "is_started=no", "CUT_OFF=early"
LINKS = ("rollback-due", "previous", "current")


@pytest.mark.parametrize("how", [CUT_OFF, NO_START])
def test_what_was_cut_off_or_postponed_is_finished_by_the_next_run_and_by_no_other(
    tmp_path: Path, how: str
) -> None:
    assert upgrade(tmp_path, "old")[-1] == START
    upgrade(tmp_path, "new", how)
    assert upgrade(tmp_path, "new")[-3:] == [RESTART_INIT, RESTART_WORKER, START]
    assert upgrade(tmp_path, "new")[-2:] == ["systemctl daemon-reload", START]


def test_a_release_that_does_not_start_is_taken_back_also_when_it_was_cut_off_before(tmp_path: Path) -> None:
    upgrade(tmp_path, "old")
    upgrade(tmp_path, "new", CUT_OFF)
    upgrade(tmp_path, "new", "BROKEN=new")
    assert (tmp_path / "machine/opt/rollcall/current").readlink() == Path("releases/old")
    assert upgrade(tmp_path, "old")[-2:] == ["systemctl daemon-reload", START]


AFTER_SWITCH = """
eval "$(declare -f switch | sed '1s/switch/really_switch/')"
switch() {{ really_switch "$@" && [ "$2" != {link} ] || kill -KILL $$; }}
"""


@pytest.mark.parametrize("how", [CUT_OFF, *(AFTER_SWITCH.format(link=link) for link in LINKS)])
def test_a_rollback_that_was_cut_off_is_finished_when_it_is_repeated(tmp_path: Path, how: str) -> None:
    upgrade(tmp_path, "old")
    upgrade(tmp_path, "new")
    roll_back(tmp_path, how)
    assert roll_back(tmp_path)[-2:] == [RESTART_INIT, RESTART_WORKER]
    assert releases(tmp_path) == ("old", "new")
    roll_back(tmp_path)
    assert releases(tmp_path) == ("new", "old")


def test_a_rollback_to_a_release_that_does_not_start_can_be_undone(tmp_path: Path) -> None:
    upgrade(tmp_path, "old")
    upgrade(tmp_path, "new")
    roll_back(tmp_path, "BROKEN=old")
    assert releases(tmp_path) == ("old", "new")
    roll_back(tmp_path)
    assert releases(tmp_path) == ("new", "old")


def test_an_upgrade_puts_an_unfinished_rollback_out_of_force(tmp_path: Path) -> None:
    upgrade(tmp_path, "old")
    upgrade(tmp_path, "new")
    roll_back(tmp_path, CUT_OFF)
    upgrade(tmp_path, "newer")
    roll_back(tmp_path)
    assert releases(tmp_path) == ("old", "newer")


@pytest.mark.parametrize("link", ["previous", "current"])
def test_an_upgrade_that_was_cut_off_leaves_the_release_before_to_go_back_to(
    tmp_path: Path, link: str
) -> None:
    for release in ("older", "old"):
        upgrade(tmp_path, release)
    upgrade(tmp_path, "new", AFTER_SWITCH.format(link=link))
    upgrade(tmp_path, "new")
    assert releases(tmp_path) == ("new", "old")


GENERATIONS = """
newest_schema() { case $1 in */old) echo 0017 ;; *) echo 0103 ;; esac; }
"""
STOP_WORKER, START_WORKER = (
    "systemctl stop rollcall-worker@all.service",
    "systemctl start rollcall-worker@all.service",
)
STOP_INIT, START_INIT = "systemctl stop rollcall-init.service", "systemctl start rollcall-init.service"
STOP_WEB = "systemctl stop rollcall-web.service"
REPLACE = [STOP_WORKER, STOP_INIT, STOP_WEB, START_INIT, START_WORKER]
UNDO = "machine/usr/local/lib/systemd/system/rollcall-init.service.d/undo-migrations.conf"


def upgrade_generation(folder: Path, release: str, how: str = "") -> list[str]:
    return upgrade(folder, release, GENERATIONS + how)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with a machine on the release `old`; `new` has another generation of the schema."""
    upgrade_generation(tmp_path, "old")
    return tmp_path


def test_every_role_stops_before_the_generation_of_the_schema_changes(installed: Path) -> None:
    assert [*REPLACE, START] == upgrade_generation(installed, "new")[-6:]
    assert RESTART_INIT in upgrade_generation(installed, "newer")  # within a generation one after another
    assert releases(installed) == ("newer", "new")


@pytest.mark.parametrize("step", REPLACE)
def test_a_change_of_generation_that_was_cut_off_starts_what_ran_before_it(
    installed: Path, step: str
) -> None:
    upgrade_generation(installed, "new", f"CUT_OFF_AT='{step.removeprefix('systemctl ')}'")
    nothing_runs = "running() { :; }" if step != STOP_WORKER else ""
    assert upgrade_generation(installed, "new", nothing_runs)[-3:] == [START_INIT, START_WORKER, START]
    assert upgrade_generation(installed, "new")[-2:] == ["systemctl daemon-reload", START]


def test_the_newer_release_undoes_its_migrations_before_the_init_of_the_older_one(installed: Path) -> None:
    upgrade_generation(installed, "new")
    asked_for = roll_back_generation(installed, SHOW_UNDO)
    program = "/opt/rollcall/releases/new/bin/rollcall"
    undo = f"ExecStartPre=-{program} init --quiet --down-to 0017"
    assert asked_for == [
        "systemctl daemon-reload",
        *REPLACE[:4],
        undo,
        START_WORKER,
        "systemctl daemon-reload",
    ]
    assert not (installed / UNDO).exists()
    assert releases(installed) == ("old", "new")


SHOW_UNDO = """
eval "$(declare -f systemctl | sed '1s/systemctl/really_systemctl/')"
systemctl() {
    really_systemctl "$@" || return
    [ "$*" != "start rollcall-init.service" ] || cat "$undo"
}
"""


def roll_back_generation(folder: Path, how: str = "") -> list[str]:
    output = carry_out(folder, "roll_back", GENERATIONS + how, "install_units enable_units")
    return [line for line in output if line.startswith(("systemctl", "ExecStartPre"))]


@pytest.mark.parametrize("step", REPLACE)
def test_a_rollback_to_another_generation_that_was_cut_off_is_finished_when_it_is_repeated(
    installed: Path, step: str
) -> None:
    upgrade_generation(installed, "new")
    roll_back_generation(installed, f"CUT_OFF_AT='{step.removeprefix('systemctl ')}'")
    assert "releases/new/" in (installed / UNDO).read_text()
    assert START_WORKER in roll_back_generation(installed)
    assert not (installed / UNDO).exists()
    assert releases(installed) == ("old", "new")


def test_a_release_of_another_generation_that_does_not_start_is_taken_back(installed: Path) -> None:
    output = upgrade_generation(installed, "new", "BROKEN=new")
    assert output[-6:] == [*REPLACE, "systemctl daemon-reload"]
    assert releases(installed) == ("old", "new")


def test_a_release_says_its_newest_schema_itself(source: Path, machine: Path) -> None:
    program = machine.parent / "ask" / "deploy" / "install.sh"
    program.parent.mkdir(parents=True)
    script, _, _ = (ROOT / "deploy/install.sh").read_text().rpartition("\nif [")
    program.write_text(f"{script}\nnewest_schema $(target_of current); generation $(target_of current)\n")
    done = subprocess.run(
        ["bash", program, "--root", machine],
        cwd=source.parent,
        env=os.environ | {"PYTHONPATH": sysconfig.get_path("purelib")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [head(), head()[:2]]


RESTART_CADDY = "systemctl restart caddy.service"
RELOAD_CADDY = "systemctl try-reload-or-restart caddy.service"
# From the release before PROXY_SECRET: Caddy knows its domain alone.
UPGRADE_WITH_CADDY = """
mkdir -p "$config/credentials"
[ -e "$config/caddy.env" ] || echo ROLLCALL_DOMAIN=a.example >"$config/caddy.env"
install_config() {{ share_proxy_secret; }}
{how}
"""


@pytest.mark.parametrize("how", [CUT_OFF, NO_START])
def test_caddy_is_restarted_with_its_secret_also_by_the_run_that_finishes_an_upgrade(
    tmp_path: Path, how: str
) -> None:
    def caddy(release: str, how: str = "") -> list[str]:
        output = upgrade(tmp_path, release, UPGRADE_WITH_CADDY.format(how=how))
        return [line for line in output if "caddy" in line]

    upgrade(tmp_path, "old")
    assert caddy("new", how) == []
    assert caddy("new") == [RESTART_CADDY]
    assert caddy("new") == [RELOAD_CADDY]


def releases(folder: Path) -> tuple[str, str]:
    """The current release, and the one before."""
    prefix = folder / "machine/opt/rollcall"
    current, previous = ((prefix / link).readlink().name for link in ("current", "previous"))
    return current, previous


@pytest.mark.parametrize("how", [BEFORE_ENABLING, NO_START])
def test_units_that_an_upgrade_brings_are_enabled_also_by_the_run_that_finishes_it(
    tmp_path: Path, how: str
) -> None:
    brought = {path.name for path in UNITS.glob("rollcall*.*") if path.is_file()}
    install_with_units(tmp_path, "old", brought - {"rollcall-jobs.service"})
    assert enabled(install_with_units(tmp_path, "new", brought, how)) == []
    assert enabled(install_with_units(tmp_path, "new", brought)) == ["rollcall-jobs.service"]
    assert enabled(install_with_units(tmp_path, "new", brought)) == []


def test_a_unit_that_a_release_no_longer_has_goes_with_its_drop_ins(tmp_path: Path) -> None:
    install_with_units(tmp_path, "old", {"rollcall.target", "rollcall-old.service.d/limits.conf"})
    install_with_units(tmp_path, "new", {"rollcall.target"})
    installed = tmp_path / "machine/usr/local/lib/systemd/system"
    assert [path.name for path in installed.iterdir()] == ["rollcall.target"]


def enabled(output: list[str]) -> list[str]:
    return [line.removeprefix(ENABLE) for line in output if line.startswith(ENABLE)]


def install_with_units(folder: Path, release: str, names: set[str], how: str = "") -> list[str]:
    """As `upgrade`, with the real steps for units and a release that brings `names`."""
    units = folder / "units" / release
    for name in {*names, "sysusers.conf", "tmpfiles.conf"}:
        (units / name).parent.mkdir(parents=True, exist_ok=True)
        (units / name).touch()
    return upgrade(folder, release, how, stood_in="")


RESTART_INIT = "systemctl restart rollcall-init.service"
RESTART_WORKER = "systemctl restart rollcall-worker@all.service"
START = "systemctl start rollcall.target"
ENABLE = "systemctl --quiet enable "

_STANDINS = """
for name in need_packages install_config install_command $STOOD_IN; do
    eval "$name() { :; }"
done
build_release() {
    mkdir -p "$prefix/$release/bin"
    printf '#!/bin/sh\\ncp -R "%s/." "$3"\\n' "$here/units/${release##*/}" >"$prefix/$release/bin/rollcall"
    chmod +x "$prefix/$release/bin/rollcall"
}
systemctl() {
    case $* in
        list-units*) echo "rollcall-worker@all.service loaded" && return ;;
        *is-enabled*) [ -e "$prefix/enabled" ] && return || return ;;
        *" enable "*) touch "$prefix/enabled" ;;
    esac
    echo "systemctl $*"
    [ "$*" != "${CUT_OFF_AT-}" ] || kill -KILL $$
    case "$* ${CUT_OFF-}" in
        "restart rollcall-worker@all.service yes" | "daemon-reload early") kill -KILL $$ ;;
        "restart rollcall-worker@all.service " | "start rollcall-worker@all.service ")
            [ "$(target_of current)" != "releases/${BROKEN-}" ] ;;
    esac
}
"""


def upgrade(
    folder: Path, release: str, how: str = "", *, stood_in: str = "install_units enable_units"
) -> list[str]:
    """What an upgrade to `release` asks of systemd; `how` is set before it begins."""
    return asked(carry_out(folder, "install_release", f"release=releases/{release} {how}", stood_in))


def roll_back(folder: Path, how: str = "") -> list[str]:
    return asked(carry_out(folder, "roll_back", how, "install_units enable_units"))


def asked(output: list[str]) -> list[str]:
    return [line for line in output if line.startswith("systemctl")]


def carry_out(folder: Path, step: str, how: str = "", stood_in: str = "") -> list[str]:
    """What `step` of the installer says, and asks of systemd."""
    script, _, _ = (ROOT / "deploy/install.sh").read_text().rpartition("\nif [")
    program = folder / "deploy" / "install.sh"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"{script}\nSTOOD_IN='{stood_in}'\n{_STANDINS}\nis_started=yes {how}\n{step}\n")
    command = ["bash", str(program), "--root", str(folder / "machine")]
    environment = os.environ | {"TMPDIR": str(folder)}  # a run that is killed leaves its scratch there
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


def test_the_release_that_runs_is_backed_up_by_its_own_units(tmp_path: Path) -> None:
    steps = (
        "need_packages",
        "build_release",
        "note_new_units",
        "install_units",
        "install_config",
        "systemctl",
    )
    output = "".join(f'{name}() {{ echo "{name} $*"; }}\n' for name in steps)
    script, _, _ = (ROOT / "deploy/install.sh").read_text().rpartition("\nif [")
    program = tmp_path / "deploy" / "install.sh"
    program.parent.mkdir()
    program.write_text(
        f"{script}\n{output}target_of() {{ echo releases/old; }}\nchange_release() {{ exit; }}\n"
        "is_started=yes release=releases/new\ninstall_release\n"
    )
    done = subprocess.run(
        ["bash", program, "--root", tmp_path / "machine"], capture_output=True, text=True, check=True
    )
    assert [line.strip() for line in done.stdout.splitlines()] == [
        "need_packages",
        "build_release",
        "install: backing up",
        "systemctl start rollcall-backup.service",
        "note_new_units",
        "install_units",
        "install_config",
    ]


def test_a_second_run_changes_nothing_and_keeps_what_an_operator_wrote(source: Path, machine: Path) -> None:
    settings = machine / "etc/rollcall/rollcall.env"
    settings.write_text(settings.read_text() + "MAIL_DAILY_CAP=20\n")
    (machine / "etc/caddy/Caddyfile").write_text("# HTTPS in front of Rollcall, changed\n")
    before = state(machine)
    install(source, machine)
    assert state(machine) == before


def test_another_release_stands_beside_the_one_before(source: Path, machine: Path) -> None:
    before = (machine / "opt/rollcall/current").readlink()
    (source / "README.md").write_text("another release\n")
    install(source, machine)
    assert (machine / "opt/rollcall/previous").readlink() == before
    assert (machine / "opt/rollcall/current").readlink() != before
    assert len(list((machine / "opt/rollcall/releases").iterdir())) == 2


def test_what_is_not_understood_changes_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "deploy/install.sh", "--rot", str(tmp_path / "machine")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 64
    assert "--root DIR" in done.stdout
    assert not (tmp_path / "machine").exists()
